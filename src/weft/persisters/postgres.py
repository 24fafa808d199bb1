"""Persisting to PostgreSQL: as JSON text in one cell, or as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from weft.persisters._document import DocumentPersister
from weft.persisters._postgresdb import PostgresDatabase
from weft.persisters._postgresdialect import PostgresDialect
from weft.persisters._sqljson import JsonCell, fetch_plan, put_plan
from weft.persisters._sqlload import load_plan
from weft.persisters._sqlsave import save_changes_plan, save_content_plan
from weft.persisters._tables import TablesPersister

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft.persisters._dirty import RawContent, StoredChanges, StoredContent
    from weft.persisters._sqlconfig import TablesConfig
    from weft.store import Store

__all__ = ["PostgresJsonPersister", "PostgresTablesPersister"]

_PLAIN = PostgresDialect("plain")


class PostgresJsonPersister(DocumentPersister):
    """Keeps a Store as JSON text in one cell of a PostgreSQL database, as TinyBase's JSON mode does.

    Args:
        store: The Store.
        dsn: Where; as ``asyncpg.connect`` takes it.
        cell: Where in the database; or just the name of the table.
        on_sql_command: Called with the text and the parameters of each statement that ran.
        on_ignored_error: Called with what automatic work could not do.
    """

    def __init__(
        self,
        store: Store,
        dsn: str,
        cell: str | JsonCell | None = None,
        *,
        on_sql_command: Callable[[str, Sequence[Any]], object] | None = None,
        on_ignored_error: Callable[[Exception], object] | None = None,
    ) -> None:
        super().__init__(store, poll_seconds=None, on_ignored_error=on_ignored_error)
        self._db = PostgresDatabase(dsn, on_sql_command, self._report)
        self._cell = JsonCell() if cell is None else JsonCell(cell) if isinstance(cell, str) else cell

    async def fetch(self) -> tuple[bytes | None, object]:
        """Read the cell."""
        return await self._db.run(lambda: fetch_plan(_PLAIN, self._cell))

    async def put(self, data: bytes, expected: object) -> object:
        """Write the cell."""
        return await self._db.run(lambda: put_plan(_PLAIN, self._cell, data, expected))

    async def watch(self, listener: Callable[..., None]) -> object:
        """Hear of writes by notifications."""
        tables = {self._cell.store_table_name: self._cell.store_id_column_name}
        return await self._db.watch(tables, listener)

    async def unwatch(self, handle: Any) -> None:
        """Stop hearing."""
        await self._db.unwatch(handle)

    async def close(self) -> None:
        """Close the connection."""
        await self._db.close()


class PostgresTablesPersister(TablesPersister):
    """Keeps tables of a Store in tables of a PostgreSQL database, as TinyBase's tabular mode does.

    Args:
        store: The Store.
        dsn: Where; as ``asyncpg.connect`` takes it.
        config: Which tables, and how.
        text: Whether columns of type ``text`` hold cells as JSON text, as TinyBase's do, or text as it is.
        on_sql_command: Called with the text and the parameters of each statement that ran.
        on_ignored_error: Called with what automatic work could not do, and with cells that cannot be columns.
    """

    def __init__(
        self,
        store: Store,
        dsn: str,
        config: TablesConfig,
        *,
        text: Literal["json", "plain"] = "json",
        on_sql_command: Callable[[str, Sequence[Any]], object] | None = None,
        on_ignored_error: Callable[[Exception], object] | None = None,
    ) -> None:
        super().__init__(store, config, on_ignored_error=on_ignored_error)
        self._db = PostgresDatabase(dsn, on_sql_command, self._report)
        self._dialect = PostgresDialect(text)

    async def read(self) -> RawContent | None:
        """Read the tables."""
        return await self._db.run(lambda: load_plan(self._dialect, self._config))

    async def write(
        self, get_content: Callable[[], StoredContent], changes: StoredChanges | None = None
    ) -> None:
        """Write the tables, or the changed rows of them, in one transaction."""
        content = get_content() if changes is None else None
        left_out = await self._db.run(
            lambda: (
                save_content_plan(self._dialect, self._config, {}, content)
                if content is not None
                else save_changes_plan(self._dialect, self._config, {}, changes or ({}, {}, 1))
            )
        )
        self._tell(left_out)

    async def watch(self, listener: Callable[..., None]) -> object:
        """Hear of writes by notifications."""
        tables = {name: load.row_id_column_name for name, load in self._config.loads().items()}
        if self._config.values.load:
            tables[self._config.values.table_name] = "_id"
        return await self._db.watch(tables, listener)

    async def unwatch(self, handle: Any) -> None:
        """Stop hearing."""
        await self._db.unwatch(handle)

    async def close(self) -> None:
        """Close the connection."""
        await self._db.close()
