"""The persister that keeps tables of a Store in tables, whichever the database."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from weft.errors import StorageError
from weft.persisters._core.persister import Persister
from weft.persisters._core.polling import Polling
from weft.persisters.sql.load import VALUES_ROW_ID, load_plan
from weft.persisters.sql.save import save_changes_plan, save_content_plan
from weft.values import UNDEFINED, Undefined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.persisters._core.unsaved import RawContent, StoredChanges, StoredContent
    from weft.persisters.sql.config import TablesConfig
    from weft.persisters.sql.database import Database
    from weft.persisters.sql.dialect import Dialect, Plan
    from weft.persisters.sql.read_back import Read
    from weft.persisters.sql.save import Saved
    from weft.persisters.sql.table_writer import LeftOut
    from weft.store import Store

__all__ = ["TablesPersister"]

_NAMED = 20  # of what was refused, in one error


class TablesPersister(Persister):
    """Keeps tables of a Store in tables. A save may leave something out.

    Args:
        store: The Store.
        database: Where.
        dialect: The kind of database.
        config: Which tables, and how.
        on_error: Called with what automatic work could not do, and with cells that cannot be columns.
    """

    def __init__(
        self,
        store: Store,
        database: Database,
        dialect: Dialect,
        config: TablesConfig,
        *,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        super().__init__(store, on_error=on_error, connection=database.queue, **tinybase)
        self._db = database
        self._dialect = dialect
        self._config = config
        self._left_out: LeftOut = {}
        self._not_loaded: LeftOut = {}

    @property
    def place(self) -> str:
        """How errors call the place."""
        return self._db.name

    async def read(self) -> RawContent | None:
        """Read the tables."""
        loaded = await self._db.read(partial(load_plan, self._dialect, self._config))
        for what, sentence in loaded.left_out.items():
            if what not in self._not_loaded:
                self._report(StorageError(sentence))
        self._not_loaded = loaded.left_out
        return self._or_emptied(loaded.content)

    async def write(
        self, get_content: Callable[[], StoredContent], changes: StoredChanges | None = None
    ) -> None:
        """Write the tables, or the changed rows of them, in one transaction.

        Raises:
            StorageError: Nothing was written; or all was but what the error names, where all was to be.
        """
        what = self._dialect, self._config, self._journal.replica.kinds()
        plan: partial[Plan[Saved]]
        if changes is None:
            plan = partial(save_content_plan, *what, get_content(), self._journal.not_loaded)
        else:
            plan = partial(save_changes_plan, *what, changes)
        saved = await self._db.write(plan, partial(plan, checked=True))
        self._held = self._held or self._holds(changes)
        if saved.read:
            await self._journal.settled()
            self._journal.merge(self._changed_by_database(saved.read))
        if saved.others_changed:
            self._lost_sight()
        self._tell(saved, changes)
        if changes is None and saved.refused:
            sentences = list(saved.refused.values())
            more = f"; and {len(sentences) - _NAMED} more" if len(sentences) > _NAMED else ""
            raise StorageError("; ".join(sentences[:_NAMED]) + more)

    async def watch(self, listener: Callable[..., None]) -> object:
        """Hear of writes where the database tells of them, and look for them where it does not."""

        async def look() -> None:
            async with self._turns.turn():  # not while a save of ours is half-way
                news = await self._db.changed()
            if news:
                listener()

        polling = Polling(self._config.auto_load_interval_seconds, look, self._report)
        return await self._db.watch(polling, listener)

    async def unwatch(self, handle: Polling) -> None:
        """Stop that."""
        await handle.stop()

    async def reopen(self) -> None:
        """Use the database that is there now."""
        await self._db.reopen()

    async def release(self) -> None:
        """Let go of the database."""
        await self._db.close()

    def _tell(self, saved: Saved, changes: StoredChanges | None) -> None:
        """Report what a save has left out, once and not with every save; it stays unsaved, but for cells.

        Args:
            saved: What became of the save.
            changes: What was to be saved; ``None``: all, where what was refused is raised and not reported.
        """
        left_out = saved.left_out | saved.refused
        table_ids: dict[str, list[str]] = {self._config.values.table_name: [""]}
        for table_id, save in self._config.saves().items():
            table_ids.setdefault(save.table_name, []).append(table_id)
        for what, sentence in left_out.items():
            if what not in self._left_out:
                if not self._journal.much_not_saved:
                    self._left.forget()  # it is tried soon; of much the pauses go on growing
                if changes is not None or what not in saved.refused:
                    self._report(StorageError(sentence))
            if what[0] != "cell":
                for table_id in table_ids.get(what[1], ()):
                    self._journal.leave(table_id, what[2] if what[0] == "row" else None)
        self._forget_tried(changes)
        self._left_out |= left_out

    def _forget_tried(self, changes: StoredChanges | None) -> None:
        """Forget what earlier saves have left out of what was tried again: saved by now, or left out anew."""
        if changes is None:
            self._left_out = {what: told for what, told in self._left_out.items() if what[0] == "cell"}
            return
        saves = self._config.saves()
        tried: list[tuple[str, Iterable[str] | Undefined]] = [
            (saves[table_id].table_name, rows) for table_id, rows in changes[0].items() if table_id in saves
        ]
        if changes[1]:
            tried.append((self._config.values.table_name, (VALUES_ROW_ID,)))
        for name, rows in tried:
            self._left_out.pop(("table", name), None)
            if isinstance(rows, Undefined):
                rows = [what[2] for what in self._left_out if what[:2] == ("row", name)]  # noqa: PLW2901
            for row_id in rows:
                self._left_out.pop(("row", name, row_id), None)

    def _changed_by_database(self, read: Read) -> StoredChanges:
        """Find where rows, as the database has made them, differ from those of the Store."""
        absent = self._config.nulls == "absent"
        tables, values = self._journal.replica.tables, self._journal.replica.values
        changed: Any = {}
        for table_id, rows in read.items():
            for row_id, row in rows.items():
                old = tables.get(table_id, {}).get(row_id, {}) if table_id else values
                cells = {
                    cell_id: UNDEFINED if cell is None and absent else cell
                    for cell_id, cell in row.items()
                    # A boolean comes back as the number it was written as, and what was never there as NULL.
                    if old.get(cell_id) != cell
                }
                if cells:
                    changed.setdefault(table_id, {})[row_id] = cells
        changed_values = changed.pop("", {}).get(VALUES_ROW_ID, {})
        if not isinstance(self._config.values.load, bool):
            wanted = set(self._config.values.load)
            changed_values = {key: value for key, value in changed_values.items() if key in wanted}
        return changed, changed_values, 1

    def _holds(self, changes: StoredChanges | None) -> bool:
        """Whether a save has left something in the tables, or has taken it out."""
        tables, values = (
            (self._journal.replica.tables, self._journal.replica.values) if changes is None else changes[:2]
        )
        saved = bool(tables.keys() & self._config.saves().keys())
        return saved or bool(values and self._config.values.save)
