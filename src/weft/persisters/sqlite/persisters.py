"""Persisting to SQLite: as JSON text in one cell, or as tables.

Python's own ``sqlite3`` or another library's driver, in a thread of the persister's own. The journal mode,
and with it what a power cut can cost, is the database's: in SQLite's default every save is on the disk when
it returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from weft.persisters.sql.config import TablesConfig
from weft.persisters.sql.json_cell import JsonCell
from weft.persisters.sql.json_persister import JsonPersister
from weft.persisters.sql.tables_persister import TablesPersister
from weft.persisters.sqlite.database import SqliteDatabase
from weft.persisters.sqlite.dialect import SqliteDialect

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Callable, Sequence

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.persisters.sqlite.driver import SqliteDriver
    from weft.store import Store

__all__ = ["SqliteJsonPersister", "SqliteTablesPersister"]

_DIALECT = SqliteDialect()


class SqliteJsonPersister(JsonPersister):
    """Keeps a Store as JSON text in one cell of a SQLite database, as TinyBase's JSON mode does.

    Args:
        store: The Store.
        database: Path; or a connection made with ``check_same_thread=False``, or a driver of another library,
            which stay open and which several persisters may share.
        cell: Where in the database; or just the name of the table.
        auto_load_interval_seconds: How often auto-load looks for changes.
        on_sql_command: Called with the text and the parameters of each statement that ran.
        on_error: Called with what automatic work could not do.
    """

    def __init__(
        self,
        store: Store,
        database: str | os.PathLike[str] | sqlite3.Connection | SqliteDriver,
        cell: str | JsonCell | None = None,
        *,
        auto_load_interval_seconds: float = 1.0,
        on_sql_command: Callable[[str, Sequence[Any]], object] | None = None,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        cell = JsonCell.of(cell)
        super().__init__(
            store,
            SqliteDatabase(database, self._guarded(on_sql_command), [cell.store_table_name], self._report),
            _DIALECT,
            cell,
            poll_seconds=auto_load_interval_seconds,
            on_error=on_error,
            **tinybase,
        )


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
        on_error: Called with what automatic work could not do, and with cells that cannot be columns.
    """

    def __init__(
        self,
        store: Store,
        database: str | os.PathLike[str] | sqlite3.Connection | SqliteDriver,
        config: TablesConfig,
        *,
        on_sql_command: Callable[[str, Sequence[Any]], object] | None = None,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        config = TablesConfig.of(config)
        super().__init__(
            store,
            SqliteDatabase(database, self._guarded(on_sql_command), config.tables_loaded(), self._report),
            _DIALECT,
            config,
            on_error=on_error,
            **tinybase,
        )
