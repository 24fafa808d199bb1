"""The persister that keeps the whole content as JSON text in one cell, whichever the database."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Unpack

from weft.persisters._core.polling import Polling
from weft.persisters._text.persister import ANY, TextPersister
from weft.persisters.sql.json_cell import JsonCell, fetch_plan, put_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.persisters.sql.database import Database
    from weft.persisters.sql.dialect import Dialect
    from weft.store import Store

__all__ = ["JsonPersister"]


class JsonPersister(TextPersister):
    """Keeps a Store as JSON text in one cell.

    Args:
        store: The Store.
        database: Where.
        dialect: The kind of database.
        cell: Where in the database.
        poll_seconds: How often auto-load looks for changes, where the database cannot tell.
        on_error: Called with what automatic work could not do.
    """

    def __init__(
        self,
        store: Store,
        database: Database,
        dialect: Dialect,
        cell: JsonCell,
        *,
        poll_seconds: float,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        super().__init__(
            store,
            poll_seconds=poll_seconds,
            on_error=on_error,
            connection=database.queue,
            **tinybase,
        )
        self._db = database
        self._dialect = dialect
        self._cell = cell

    @property
    def place(self) -> str:
        """How errors call the place."""
        table = f"table {self._cell.store_table_name!r}"
        return f"{self._db.name}, {table}" if self._db.name else table

    async def fetch(self) -> tuple[bytes | None, object]:
        """Read the cell."""
        return await self._db.read(partial(fetch_plan, self._dialect, self._cell))

    async def put(self, data: bytes, expected: object) -> object:
        """Write the cell."""
        return await self._db.write(partial(put_plan, self._dialect, self._cell, data, expected))

    async def probe(self) -> object:
        """Read the cell only where something in the database changed."""
        if self._told is ANY or await self._db.changed():
            return (await self.fetch())[1]
        return self._told

    async def watch(self, listener: Callable[..., None]) -> object:
        """Hear of writes where the database tells of them, and look for them where it does not."""
        polling = Polling(self.poll_seconds, lambda: self._look(listener), self._report)
        return await self._db.watch(polling, listener)

    async def reopen(self) -> None:
        """Use the database that is there now."""
        await self._db.reopen()

    async def release(self) -> None:
        """Let go of the database."""
        await self._db.close()
