"""Persisting to PostgreSQL, and what speaks as it does: as JSON text in one cell, or as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from weft.persisters._text.persister import ANY, TextPersister
from weft.persisters.postgres.database import PostgresDatabase
from weft.persisters.postgres.dialect import PostgresDialect
from weft.persisters.sql.json_cell import JsonCell, fetch_plan, put_plan
from weft.persisters.sql.load import load_plan
from weft.persisters.sql.names import check_name
from weft.persisters.sql.save import save_changes_plan, save_content_plan
from weft.persisters.sql.tables_persister import TablesPersister

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from weft.persisters._core.polling import Polling
    from weft.persisters._core.unsaved import RawContent, StoredChanges, StoredContent
    from weft.persisters.postgres.driver import PostgresDriver
    from weft.persisters.sql.config import TablesConfig
    from weft.store import Store

__all__ = ["PostgresJsonPersister", "PostgresTablesPersister"]

_PLAIN = PostgresDialect("plain")


class PostgresJsonPersister(TextPersister):
    """Keeps a Store as JSON text in one cell of a PostgreSQL database, as TinyBase's JSON mode does.

    Args:
        store: The Store.
        database: Where, as ``asyncpg.connect`` takes it; or a driver, which several persisters may share.
        cell: Where in the database; or just the name of the table.
        auto_load_interval_seconds: How often auto-load looks for changes, where the driver does not listen.
        on_sql_command: Called with the text and the parameters of each statement that ran.
        on_ignored_error: Called with what automatic work could not do.

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
        on_ignored_error: Callable[[Exception], object] | None = None,
    ) -> None:
        self._cell = JsonCell() if cell is None else JsonCell(cell) if isinstance(cell, str) else cell
        _refuse_long_names(
            (self._cell.store_table_name, self._cell.store_id_column_name, self._cell.store_column_name)
        )
        self._db = PostgresDatabase(database, self._guarded(on_sql_command), self._report)
        super().__init__(
            store,
            poll_seconds=auto_load_interval_seconds,
            on_ignored_error=on_ignored_error,
            connection=self._db.queue,
        )

    async def fetch(self) -> tuple[bytes | None, object]:
        """Read the cell."""
        return await self._db.read(lambda: fetch_plan(_PLAIN, self._cell))

    async def put(self, data: bytes, expected: object) -> object:
        """Write the cell."""
        return await self._db.write(
            lambda: put_plan(_PLAIN, self._cell, data, expected), [self._cell.store_table_name]
        )

    async def probe(self) -> object:
        """Read the cell only where something in the database changed."""
        if self._told is ANY or await self._db.changed():
            return (await self.fetch())[1]
        return self._told

    async def watch(self, listener: Callable[..., None]) -> object:
        """Hear of writes by notifications, or look for them."""
        if not self._db.listens:
            return await super().watch(listener)
        return await self._db.watch({self._cell.store_table_name: self._cell.store_id_column_name}, listener)

    async def unwatch(self, handle: Polling) -> None:
        """Stop that."""
        await self._db.unwatch(handle)

    async def close(self) -> None:
        """Close the connection, if nobody else uses it."""
        await self._db.close()


class PostgresTablesPersister(TablesPersister):
    """Keeps tables of a Store in tables of a PostgreSQL database, as TinyBase's tabular mode does.

    Args:
        store: The Store.
        database: Where, as ``asyncpg.connect`` takes it; or a driver, which several persisters may share.
        config: Which tables, and how.
        text: Whether columns of type ``text`` hold cells as JSON text, as TinyBase's do, or text as it is.
        on_sql_command: Called with the text and the parameters of each statement that ran.
        on_ignored_error: Called with what automatic work could not do, and with cells that cannot be columns.

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
        on_ignored_error: Callable[[Exception], object] | None = None,
    ) -> None:
        loads, saves = config.loads(), config.saves().values()
        self._watched = {name: load.row_id_column_name for name, load in loads.items()}
        if config.values.load:
            self._watched[config.values.table_name] = "_id"
        self._saved = [save.table_name for save in saves]
        if config.values.save:
            self._saved.append(config.values.table_name)
        row_ids = [save.row_id_column_name for save in saves]
        _refuse_long_names([*self._watched, *self._watched.values(), *self._saved, *row_ids])
        self._dialect = PostgresDialect(text)
        self._db = PostgresDatabase(database, self._guarded(on_sql_command), self._report)
        super().__init__(store, config, on_ignored_error=on_ignored_error, connection=self._db.queue)

    async def read(self) -> RawContent | None:
        """Read the tables."""
        return self._or_emptied(await self._db.read(lambda: load_plan(self._dialect, self._config)))

    async def write(
        self, get_content: Callable[[], StoredContent], changes: StoredChanges | None = None
    ) -> None:
        """Write the tables, or the changed rows of them, in one transaction."""
        content = get_content() if changes is None else None
        left_out = await self._db.write(
            lambda: (
                save_content_plan(self._dialect, self._config, {}, content, self._journal.not_loaded)
                if content is not None
                else save_changes_plan(self._dialect, self._config, {}, changes or ({}, {}, 1))
            ),
            self._saved,
        )
        self._tell(left_out)
        self._held = self._held or self._holds(changes)

    async def watch(self, listener: Callable[..., None]) -> object:
        """Hear of writes by notifications, or look for them every ``auto_load_interval_seconds``."""
        if self._db.listens:
            return await self._db.watch(self._watched, listener)
        return self._look(self._db.changed, listener)

    async def unwatch(self, handle: Polling) -> None:
        """Stop that."""
        await self._db.unwatch(handle)

    async def close(self) -> None:
        """Close the connection, if nobody else uses it."""
        await self._db.close()


def _refuse_long_names(names: Iterable[str]) -> None:
    """PostgreSQL would cut them off, and take two for one."""
    for name in names:
        reason = check_name(name, max_bytes=PostgresDialect.max_name_bytes)
        if reason is not None:
            raise ValueError(f"{name!r}: {reason}")
