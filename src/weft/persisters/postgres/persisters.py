"""Persisting to PostgreSQL, and what speaks as it does: as JSON text in one cell, or as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack

from weft.persisters.postgres.database import PostgresDatabase
from weft.persisters.postgres.dialect import PostgresDialect
from weft.persisters.sql.config import TablesConfig
from weft.persisters.sql.json_cell import JsonCell
from weft.persisters.sql.json_persister import JsonPersister
from weft.persisters.sql.names import check_name, check_table
from weft.persisters.sql.tables_persister import TablesPersister
from weft.store.replica import Replica

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.persisters.postgres.driver import PostgresDriver
    from weft.store import Store

__all__ = ["PostgresJsonPersister", "PostgresTablesPersister"]


class PostgresJsonPersister(JsonPersister):
    """Keeps a Store as JSON text in one cell of a PostgreSQL database, as TinyBase's JSON mode does.

    Args:
        store: The Store.
        database: Where, as ``asyncpg.connect`` takes it; or a driver, which several persisters may share.
        cell: Where in the database; or just the name of the table.
        auto_load_interval_seconds: How often auto-load looks for changes, where the driver does not listen.
        on_sql_command: Called with the text and the parameters of each statement that ran.
        on_error: Called with what automatic work could not do.

    Raises:
        ValueError: A name is longer than PostgreSQL's 63 bytes.
    """

    def __init__(
        self,
        store: Store,
        database: str | PostgresDriver,
        cell: str | JsonCell | None = None,
        *,
        auto_load_interval_seconds: float = 1.0,
        on_sql_command: Callable[[str, Sequence[Any]], object] | None = None,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        Replica(store)  # refuses what is no Store, before the driver is joined
        cell = JsonCell.of(cell)
        _refuse_long_names([cell.store_table_name], cell.columns)
        super().__init__(
            store,
            PostgresDatabase(
                database,
                self._guarded(on_sql_command),
                {cell.store_table_name: cell.store_id_column_name},
                [cell.store_table_name],
            ),
            PostgresDialect("plain"),
            cell,
            poll_seconds=auto_load_interval_seconds,
            on_error=on_error,
            **tinybase,
        )


class PostgresTablesPersister(TablesPersister):
    """Keeps tables of a Store in tables of a PostgreSQL database, as TinyBase's tabular mode does.

    Args:
        store: The Store.
        database: Where, as ``asyncpg.connect`` takes it; or a driver, which several persisters may share.
        config: Which tables, and how.
        text: Whether columns of type ``text`` hold cells as JSON text, as TinyBase's do, or text as it is.
        on_sql_command: Called with the text and the parameters of each statement that ran.
        on_error: Called with what automatic work could not do, and with cells that cannot be columns.

    Raises:
        ValueError: A name in ``config`` is longer than PostgreSQL's 63 bytes.
    """

    def __init__(
        self,
        store: Store,
        database: str | PostgresDriver,
        config: TablesConfig,
        *,
        text: Literal["json", "plain"] = "json",
        on_sql_command: Callable[[str, Sequence[Any]], object] | None = None,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        Replica(store)  # as above
        config = TablesConfig.of(config)
        watched, written = config.tables_loaded(), config.tables_saved()
        row_ids = [save.row_id_column_name for save in config.saves().values()]
        _refuse_long_names([*watched, *written], [*watched.values(), *row_ids])
        super().__init__(
            store,
            PostgresDatabase(database, self._guarded(on_sql_command), watched, written),
            PostgresDialect(text),
            config,
            on_error=on_error,
            **tinybase,
        )


def _refuse_long_names(tables: Iterable[str], columns: Iterable[str]) -> None:
    """PostgreSQL would cut them off, and take two for one."""
    for check, names in ((check_table, tables), (check_name, columns)):
        for name in names:
            reason = check(name, max_bytes=PostgresDialect.max_name_bytes)
            if reason is not None:
                raise ValueError(f"{name!r}: {reason}")
