"""Persisting to SQLite: as JSON text in one cell, or as tables.

Python's own ``sqlite3`` or another library's driver, in a thread of the persister's own. The journal mode,
and with it what a power cut can cost, is the database's: in SQLite's default every save is on the disk when
it returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.persisters._core.polling import Polling
from weft.persisters._text.persister import ANY, TextPersister
from weft.persisters.sql.json_cell import JsonCell, fetch_plan, put_plan
from weft.persisters.sql.load import load_plan
from weft.persisters.sql.save import save_changes_plan, save_content_plan
from weft.persisters.sql.tables_persister import TablesPersister
from weft.persisters.sqlite.database import SqliteDatabase
from weft.persisters.sqlite.dialect import SqliteDialect

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Callable, Sequence

    from weft.persisters._core.unsaved import RawContent, StoredChanges, StoredContent
    from weft.persisters.sql.config import TablesConfig
    from weft.persisters.sqlite.driver import SqliteDriver
    from weft.store import Store

__all__ = ["SqliteJsonPersister", "SqliteTablesPersister"]

_DIALECT = SqliteDialect()


class SqliteJsonPersister(TextPersister):
    """Keeps a Store as JSON text in one cell of a SQLite database, as TinyBase's JSON mode does.

    Args:
        store: The Store.
        database: Path; or a connection made with ``check_same_thread=False``, or a driver of another library,
            which stay open and which several persisters may share.
        cell: Where in the database; or just the name of the table.
        auto_load_interval_seconds: How often auto-load looks for changes.
        on_sql_command: Called with the text and the parameters of each statement that ran.
        on_ignored_error: Called with what automatic work could not do.
    """

    def __init__(
        self,
        store: Store,
        database: str | os.PathLike[str] | sqlite3.Connection | SqliteDriver,
        cell: str | JsonCell | None = None,
        *,
        auto_load_interval_seconds: float = 1.0,
        on_sql_command: Callable[[str, Sequence[Any]], object] | None = None,
        on_ignored_error: Callable[[Exception], object] | None = None,
    ) -> None:
        self._db = SqliteDatabase(database, self._guarded(on_sql_command))
        super().__init__(
            store,
            poll_seconds=auto_load_interval_seconds,
            on_ignored_error=on_ignored_error,
            connection=self._db.queue,
        )
        self._cell = JsonCell() if cell is None else JsonCell(cell) if isinstance(cell, str) else cell

    async def fetch(self) -> tuple[bytes | None, object]:
        """Read the cell."""
        return await self._db.read(fetch_plan(_DIALECT, self._cell))

    async def put(self, data: bytes, expected: object) -> object:
        """Write the cell."""
        return await self._db.write(put_plan(_DIALECT, self._cell, data, expected))

    async def probe(self) -> object:
        """Read the cell only where something in the database changed."""
        if self._told is ANY or await self._db.changed():
            return (await self.fetch())[1]
        return self._told

    async def watch(self, listener: Callable[..., None]) -> object:
        """Look every ``auto_load_interval_seconds``, and at commits of others on this connection."""
        handle = await super().watch(listener)
        if isinstance(handle, Polling):
            handle.wake_by(self._db.on_commit)
        return handle

    async def close(self) -> None:
        """Close the database."""
        await self._db.close()


class SqliteTablesPersister(TablesPersister):
    """Keeps tables of a Store in tables of a SQLite database, as TinyBase's tabular mode does.

    ::

        config = TablesConfig(load={"pets": "pets"}, save={"pets": "pets"})
        async with SqliteTablesPersister(store, "shop.db", config) as persister:
            await persister.start_auto_persisting()

    Saving a change costs what the change costs, however large the table is.

    Args:
        store: The Store.
        database: Path; or a connection made with ``check_same_thread=False``, or a driver of another library,
            which stay open and which several persisters may share.
        config: Which tables, and how.
        on_sql_command: Called with the text and the parameters of each statement that ran.
        on_ignored_error: Called with what automatic work could not do, and with cells that cannot be columns.
    """

    def __init__(
        self,
        store: Store,
        database: str | os.PathLike[str] | sqlite3.Connection | SqliteDriver,
        config: TablesConfig,
        *,
        on_sql_command: Callable[[str, Sequence[Any]], object] | None = None,
        on_ignored_error: Callable[[Exception], object] | None = None,
    ) -> None:
        self._db = SqliteDatabase(database, self._guarded(on_sql_command))
        super().__init__(store, config, on_ignored_error=on_ignored_error, connection=self._db.queue)

    async def read(self) -> RawContent | None:
        """Read the tables."""
        return self._or_emptied(await self._db.read(load_plan(_DIALECT, self._config)))

    async def write(
        self, get_content: Callable[[], StoredContent], changes: StoredChanges | None = None
    ) -> None:
        """Write the tables, or the changed rows of them, in one transaction."""
        kinds = self._journal.replica.kinds()
        if changes is None:
            plan = save_content_plan(_DIALECT, self._config, kinds, get_content(), self._journal.not_loaded)
        else:
            plan = save_changes_plan(_DIALECT, self._config, kinds, changes)
        self._tell(await self._db.write(plan))
        self._held = self._held or self._holds(changes)

    async def watch(self, listener: Callable[..., None]) -> object:
        """Look every ``auto_load_interval_seconds``, and at commits of others on this connection."""
        handle = self._look(self._db.changed, listener)
        handle.wake_by(self._db.on_commit)
        return handle

    async def unwatch(self, handle: Polling) -> None:
        """Stop looking."""
        await handle.stop()

    async def close(self) -> None:
        """Close the database."""
        await self._db.close()
