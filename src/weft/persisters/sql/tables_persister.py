"""The persister that keeps tables of a Store in tables, whichever the database."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Unpack

from weft.errors import StorageError
from weft.persisters._core.persister import Persister
from weft.persisters._core.polling import Polling
from weft.persisters.sql.load import load_plan
from weft.persisters.sql.save import save_changes_plan, save_content_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.persisters._core.unsaved import RawContent, StoredChanges, StoredContent
    from weft.persisters.sql.config import TablesConfig
    from weft.persisters.sql.database import Database
    from weft.persisters.sql.dialect import Dialect
    from weft.persisters.sql.table_writer import LeftOut
    from weft.store import Store

__all__ = ["TablesPersister"]


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

    async def read(self) -> RawContent | None:
        """Read the tables."""
        return self._or_emptied(await self._db.read(partial(load_plan, self._dialect, self._config)))

    async def write(
        self, get_content: Callable[[], StoredContent], changes: StoredChanges | None = None
    ) -> None:
        """Write the tables, or the changed rows of them, in one transaction."""
        what = self._dialect, self._config, self._journal.replica.kinds()
        if changes is None:
            plan = partial(save_content_plan, *what, get_content(), self._journal.not_loaded)
        else:
            plan = partial(save_changes_plan, *what, changes)
        self._tell(await self._db.write(plan))
        self._held = self._held or self._holds(changes)

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

    def _tell(self, left_out: LeftOut) -> None:
        """Report what a save has left out, once and not with every save; rows of it stay unsaved."""
        table_ids = {save.table_name: table_id for table_id, save in self._config.saves().items()}
        for what, sentence in left_out.items():
            if what not in self._left_out:
                self._report(StorageError(sentence))
            if what[0] == "row" and what[1] in table_ids:
                self._journal.leave_row(table_ids[what[1]], what[2])
        # Rows go along with each save: those that are not among these have been saved.
        self._left_out = {what: told for what, told in self._left_out.items() if what[0] != "row"} | left_out

    def _holds(self, changes: StoredChanges | None) -> bool:
        """Whether a save has left something in the tables, or has taken it out."""
        tables, values = (
            (self._journal.replica.tables, self._journal.replica.values) if changes is None else changes[:2]
        )
        saved = bool(tables.keys() & self._config.saves().keys())
        return saved or bool(values and self._config.values.save)
