"""The Store's side of a persister: what was edited, and how content that was read comes in.

All that knows how a Store works inside stands here. A Store that merges has a journal of its own with the
same methods: see :mod:`weft.persisters._core.mergeable_journal`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weft.errors import StorageError
from weft.persisters._core.unsaved import (
    NotLoaded,
    RawContent,
    StoredChanges,
    StoredContent,
    changes_at,
    paths_within,
    spare,
    take_touched,
)
from weft.store.replica import Paths, RawTables, RawValues, Replica
from weft.values import UNDEFINED, Undefined

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft._support.owner import Hold
    from weft.changes import Content
    from weft.store import Store
    from weft.store.replica import Refused

__all__ = ["StoreJournal"]

# Rows that a place has refused go along with each save, which may bring what they lack. So many that this
# costs little beside the save itself; more are tried again by a timer.
_ALONG = 100


class StoreJournal:
    """Journals the edits of a plain Store, and applies to it what places bring.

    Args:
        store: The Store.
        edited: Called after each transaction in which the user, or a listener, changed something.
        report: Takes errors that nobody can be raised to.
    """

    def __init__(
        self, store: Store, edited: Callable[[], None], report: Callable[[Exception], object]
    ) -> None:
        self.replica = Replica(store)
        self.dirty = Paths()
        self.not_loaded = NotLoaded()
        # What the place did not take: unsaved, and going along with the next save while it is not much.
        self.not_saved = Paths()
        self._taken = Paths()
        self._edited = edited
        self._report = report
        self._since: Paths | None = None
        self._end: Callable[[], None] | None = None
        self._hold: Hold | None = None

    def attach(self) -> None:
        """Begin the journal, or have it go on in the calling thread and event loop.

        Raises:
            WrongThreadError: The Store belongs to another thread. Nothing was begun.
        """
        if self._hold is not None:
            self._hold.renew()
        else:
            self._hold = self.replica.hold()
            self._end = self._listen()

    def _listen(self) -> Callable[[], None]:
        return self.replica.on_finish(self._finished)

    def detach(self) -> None:
        """End the journal."""
        if self._end is not None:
            self._end()
            self._end = None
        if self._hold is not None:
            self._hold.drop()
            self._hold = None

    async def settled(self) -> None:
        """Wait until the Store is in no transaction.

        Raises:
            StorageError: The caller holds it open, and would wait for itself.
        """
        if self.replica.is_open_here:
            raise StorageError("a transaction of the Store is open in this task: load and save after it")
        while self.replica.is_busy:
            over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            unhook = self.replica.on_transaction_end(_setter(over))
            try:
                await over
            finally:
                unhook()

    # -- out ---------------------------------------------------------------------------------------------

    def content(self) -> StoredContent:
        """Copy the Store's content, in stored form."""
        tables = {
            table_id: {row_id: row.copy() for row_id, row in table.items()}
            for table_id, table in self.replica.tables.items()
        }
        return tables, self.replica.values.copy()

    @property
    def much_not_saved(self) -> bool:
        """Whether the place has refused more than goes along with each save."""
        return sum(map(len, self.not_saved.tables.values())) > _ALONG

    def take_dirty(self, *, whole: bool = False) -> Paths:
        """Take the journal; what is edited from now on goes into a new one.

        Args:
            whole: Whether all is saved, with all that the place has refused. Otherwise that goes along where
                it is not much; and where it is, what is of rows that were edited since.
        """
        taken, self.dirty = self.dirty, Paths()
        if self.not_saved:
            along = self.not_saved
            if not whole and not taken.everything and self.much_not_saved:
                along = take_touched(self.not_saved, taken)
            else:
                self.not_saved = Paths()
            taken.update(along)
        self._taken = taken
        return taken

    def leave(self, table_id: str, row_id: str | None) -> None:
        """Keep what was taken of a row or table, or of the values (``""``), as the place has refused it.

        No save is begun for it at once; see :meth:`again`.
        """
        if not table_id:
            values = self.replica.values if self._taken.everything else {}
            self.not_saved.update(Paths(values=dict.fromkeys([*self._taken.values, *values])))
            return
        self.not_saved.update(paths_within(self._taken, table_id, row_id, self.replica.tables))

    def again(self) -> None:
        """Have what the place refused saved like other edits."""
        self.dirty.update(self.not_saved)
        self.not_saved = Paths()

    def _unsaved(self) -> Paths:
        if not self.not_saved:
            return self.dirty
        unsaved = Paths()
        for part in (self.dirty, self.not_saved):
            unsaved.update(part)
        return unsaved

    def changes(self, paths: Paths) -> StoredChanges:
        """Tell what a place lacks at these paths."""
        return changes_at(paths, self.replica.tables, self.replica.values)

    # -- in ----------------------------------------------------------------------------------------------

    def begin_load(self, *, keep_unsaved: bool) -> None:
        """A load begins: from now on edits win over it, and where asked, all unsaved ones do."""
        self._since = None if keep_unsaved else Paths()

    def end_load(self) -> None:
        """A load is over, however it ended."""
        self._since = None

    def replace(self, content: RawContent) -> bool:
        """Make the Store what a place holds, except for edits that win over it.

        Returns:
            Whether the Store took everything.
        """
        content, whole = self._shaped(content)
        if self._since is not None:
            self.dirty = self._since  # older edits give way to what is loaded
            self.not_saved = Paths()
            self._since = None
        if unsaved := self._unsaved():
            content = spare(unsaved, content, self.replica.tables, self.replica.values)
        self.not_loaded = NotLoaded()
        return self._apply(*self._difference(content)) and whole

    def set_initial(self, content: Content | Callable[[], Content]) -> None:
        """Set initial content; it is an edit like any other, so it will be saved."""
        self.replica.store.set_content(content)

    def merge(self, changes: StoredChanges) -> bool:
        """Apply changes of a place, except where unsaved edits win over them.

        Returns:
            Whether the Store took everything.
        """
        store_tables, store_values = self.replica.tables, self.replica.values
        # Not as one set of paths: what the place has refused can be much, and this is done after each save.
        unsaved = [part for part in (self.dirty, self.not_saved) if part]
        tables: RawTables = {}
        for table_id, rows in changes[0].items():
            if isinstance(rows, Undefined):
                rows = dict.fromkeys(store_tables.get(table_id, ()), UNDEFINED)  # noqa: PLW2901
            for row_id, cells in rows.items():
                if isinstance(cells, Undefined):
                    cells = dict.fromkeys(store_tables.get(table_id, {}).get(row_id, ()), UNDEFINED)  # noqa: PLW2901
                if any(
                    table_id in part.removed_tables or (table_id, row_id) in part.removed_rows
                    for part in unsaved
                ):
                    continue
                kept = [part.tables.get(table_id, {}).get(row_id, {}) for part in unsaved]
                tables.setdefault(table_id, {})[row_id] = {
                    cell_id: cell
                    for cell_id, cell in cells.items()
                    if not any(cell_id in cell_ids for cell_ids in kept)
                }
        values: dict[str, object] = {
            value_id: value
            for value_id, value in changes[1].items()
            if not any(value_id in part.values for part in unsaved)
        }
        if self.dirty.everything:
            for table_id, table in store_tables.items():
                for row_id, row in table.items():
                    for cell_id in row.keys() & tables.get(table_id, {}).get(row_id, {}).keys():
                        del tables[table_id][row_id][cell_id]
            for value_id in store_values.keys() & values.keys():
                del values[value_id]
        return self._apply(tables, values)

    def _shaped(self, content: RawContent) -> tuple[tuple[RawTables, dict[str, object]], bool]:
        """Leave out what is no table or no row, and report it."""
        tables: RawTables = {}
        bad: list[str] = []
        given: Mapping[str, Any] = content[0]
        for table_id, table in given.items():
            if not isinstance(table, Mapping):
                bad.append(f"table {table_id!r:.100}")
                continue
            if all(type(row) is dict for row in table.values()):
                tables[table_id] = dict(table)
                continue
            rows = tables[table_id] = {}
            for row_id, row in table.items():
                if isinstance(row, Mapping):
                    rows[row_id] = dict(row)
                else:
                    bad.append(f"row {row_id!r:.100} of table {table_id!r:.100}")
        if bad:
            self._report(StorageError(f"left out as they are no objects: {', '.join(bad[:10])}"))
        return (tables, dict(content[1])), not bad

    def _difference(self, content: RawContent) -> tuple[RawTables, RawValues]:
        """Find the cells to write, and those to delete as ``UNDEFINED``, to get from the Store to content."""
        store_tables, store_values = self.replica.tables, self.replica.values
        changed: RawTables = {}
        for table_id, table in content[0].items():
            store_table = store_tables.get(table_id)
            if store_table is None:
                changed[table_id] = dict(table)  # type: ignore[arg-type]
                continue
            rows: dict[str, dict[str, object]] = {}
            for row_id, row in table.items():
                store_row = store_table.get(row_id)
                if store_row is None:
                    rows[row_id] = row  # type: ignore[assignment]
                    continue
                cells = {
                    cell_id: cell
                    for cell_id, cell in row.items()
                    if (old := store_row.get(cell_id, UNDEFINED)) is not cell
                    and (type(old) is not type(cell) or old != cell)
                }
                cells.update(dict.fromkeys(store_row.keys() - row.keys(), UNDEFINED))
                if cells:
                    rows[row_id] = cells
            for row_id in store_table.keys() - table.keys():
                rows[row_id] = dict.fromkeys(store_table[row_id], UNDEFINED)
            if rows:
                changed[table_id] = rows
        for table_id in store_tables.keys() - content[0].keys():
            changed[table_id] = {
                row_id: dict.fromkeys(row, UNDEFINED) for row_id, row in store_tables[table_id].items()
            }
        values = dict(content[1])
        values.update(dict.fromkeys(store_values.keys() - values.keys(), UNDEFINED))
        return changed, values

    def _apply(self, tables: RawTables, values: RawValues) -> bool:
        if not tables and not values:
            return True
        refused = self.replica.receive(tables, values, self._report)
        for item in refused:
            self.not_loaded.note(item[:-1], self.replica.tables)
        if refused:
            first = ", ".join(repr(part)[:100] for part in refused[0])
            self._report(StorageError(f"{len(refused)} cells or values were refused, the first: {first}"))
        return not refused

    def _finished(self) -> None:
        if refused := self.replica.refused():
            self._put_out(refused)
        tables, values = self.replica.edits()
        if not tables and not values:
            return
        for unsaved in (self.dirty, self._since):
            if unsaved is not None:
                unsaved.add(tables, values, *self.replica.removed())
        self._edited()

    def _put_out(self, refused: list[Refused]) -> None:
        """Leave in the place what a new schema has put out of the Store, and tell of it."""
        for unsaved in (self.dirty, self.not_saved, self._taken, self._since):
            if unsaved is not None:
                unsaved.discard(refused)
        for item in refused:
            self.not_loaded.note(item[:-1], self.replica.tables)
        first = ", ".join(repr(part)[:100] for part in refused[0])
        self._report(
            StorageError(
                f"the new schema refuses {len(refused)} cells or values, which have left the Store; what of "
                f"them was saved stays where it is; the first: {first}"
            )
        )


def _setter(future: asyncio.Future[None]) -> Callable[[], None]:
    def finish() -> None:
        if not future.done():
            future.set_result(None)

    return finish
