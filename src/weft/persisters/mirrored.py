"""Persisting to a CRDT document: a mirror worn as a persister."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from weft.errors import StorageError
from weft.persisters._core.persister import Persister
from weft.persisters._core.unsaved import keep_not_loaded
from weft.store import Store
from weft.store.replica import Replica
from weft.values import UNDEFINED, Undefined

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.mirrors.mirror import Mirror
    from weft.persisters._core.engine import TinyBaseOptions
    from weft.persisters._core.unsaved import RawContent, StoredChanges, StoredContent

__all__ = ["MirrorPersister"]


class MirrorPersister(Persister):
    """Base of persisters to CRDT documents: it keeps a copy of the document's content in a mirrored Store.

    So concurrent edits merge, and heal, as they do with the mirror. A save is one transaction.

    Args:
        store: The Store.
        make_mirror: Makes the mirror of the copy, given that and what hears of errors.
        on_error: Called with what automatic work could not do.
    """

    keeps_document = True

    def __init__(
        self,
        store: Store,
        make_mirror: Callable[[Store, Callable[[Exception], None]], Mirror],
        *,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        super().__init__(store, on_error=on_error, **tinybase)
        self._shadow = Store()
        self._replica = Replica(self._shadow)
        self.expects_use = False  # not by somebody whose document is none
        self._mirror = make_mirror(self._shadow, self._report)
        self.expects_use = True
        self._mirror.expects_start = False  # that is the persister's to do
        self._mine = object()

    def _open(self) -> None:
        if (error := self._mirror.refusal()) is not None:
            raise StorageError(str(error)) from error
        self._mirror.start()

    async def read(self) -> RawContent | None:
        """Read the document."""
        self._open()
        tables, values = self._replica.tables, self._replica.values
        return self._or_emptied((tables, values) if tables or values else None)

    async def write(
        self, get_content: Callable[[], StoredContent], changes: StoredChanges | None = None
    ) -> None:
        """Write to the document, in one transaction of its own."""
        self._open()
        shadow = self._shadow
        tables, values = (changes[0], changes[1]) if changes is not None else (None, None)
        if tables is None or values is None:
            content = get_content()
            keep_not_loaded(content, (self._replica.tables, self._replica.values), self._journal.not_loaded)
            tables, values = _to_become(content, self._replica)
        with shadow.transaction(origin=self._mine):
            cells: dict[str, dict[str, dict[str, object]]] = {}
            for table_id, rows in tables.items():
                if isinstance(rows, Undefined):
                    shadow.del_table(table_id)
                    continue
                for row_id, row in rows.items():
                    if isinstance(row, Undefined):
                        shadow.del_row(table_id, row_id)
                    else:
                        cells.setdefault(table_id, {})[row_id] = dict(row)
            self._replica.receive(cells, dict(values), self._report)
        self._mirror.flush()
        self._held = self._held or bool(tables or values)

    async def watch(self, listener: Callable[..., None]) -> object:
        """Hear of what comes into the document, change by change."""
        self._open()

        def finished() -> None:
            if self._shadow.transaction_origin is not self._mine:
                tables, values = self._replica.changes()
                if tables or values:
                    listener(None, (tables, values, 1))

        return self._replica.on_finish(finished)

    async def unwatch(self, handle: Callable[[], None]) -> None:
        """Stop hearing."""
        handle()

    async def release(self) -> None:
        """Let go of the document."""
        self._mirror.stop()


def _to_become(content: StoredContent, there: Replica) -> tuple[dict[str, Any], dict[str, Any]]:
    """The changes that make the copy hold the content: all of it, and an end of everything else."""
    tables: dict[str, Any] = dict.fromkeys(there.tables.keys() - content[0].keys(), UNDEFINED)
    for table_id, table in content[0].items():
        rows_there = there.tables.get(table_id, {})
        rows: dict[str, Any] = dict.fromkeys(rows_there.keys() - table.keys(), UNDEFINED)
        for row_id, row in table.items():
            gone = rows_there.get(row_id, {}).keys() - row.keys()
            rows[row_id] = {**row, **dict.fromkeys(gone, UNDEFINED)}
        tables[table_id] = rows
    gone_values = there.values.keys() - content[1].keys()
    return tables, {**content[1], **dict.fromkeys(gone_values, UNDEFINED)}
