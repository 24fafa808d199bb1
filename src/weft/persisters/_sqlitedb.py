"""A SQLite connection in a thread of its own, running plans in transactions, and noticing others' writes."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any, TypeVar

from weft.errors import StorageError
from weft.persisters._thread import OwnThread

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from weft.persisters._sqldialect import Statement

__all__ = ["SqliteDatabase"]

R = TypeVar("R")

_BUSY_SECONDS = 5.0
# TinyBase's: what others committed, what changed the schema, what this connection changed.
_SEEN = """
    SELECT d.data_version, s.schema_version, total_changes()
    FROM pragma_data_version d, pragma_schema_version s
"""


class SqliteDatabase:
    """One database.

    Args:
        database: Path, opened here; or a connection made with ``check_same_thread=False``, left open.
        on_sql_command: Called with each statement and its parameters when it has run.
    """

    def __init__(
        self,
        database: str | os.PathLike[str] | sqlite3.Connection,
        on_sql_command: Callable[[str, Sequence[Any]], object] | None,
    ) -> None:
        self.given = database if isinstance(database, sqlite3.Connection) else None
        self.path = (
            "the connection given" if isinstance(database, sqlite3.Connection) else os.fspath(database)
        )
        self._thread = OwnThread("weft-sqlite")
        self._connection = self.given
        self._on_sql_command = on_sql_command
        self._seen: tuple[int, ...] | None = None

    async def read(self, plan: Generator[Statement, list[Sequence[Any]], R]) -> R:
        """Run a plan that reads, all of it on one state of the database.

        Raises:
            StorageError: It could not be read.
        """
        result, _, self._seen = await self._run("BEGIN", plan)
        return result

    async def write(self, plan: Generator[Statement, list[Sequence[Any]], R]) -> R:
        """Run a plan that writes, in one transaction.

        Raises:
            StorageError: Nothing was written.
        """
        result, before, after = await self._run("BEGIN IMMEDIATE", plan)
        if before == self._seen:
            self._seen = after  # otherwise others wrote, and that is still news
        return result

    async def changed(self) -> bool:
        """Look whether others wrote since the last read.

        Raises:
            StorageError: It could not be seen.
        """
        _, now, _ = await self._run(None, _nothing())
        return now != self._seen

    async def close(self) -> None:
        """Close what was opened here, and end the thread."""
        if self._connection is not None and self.given is None:
            await self._thread.run(self._connection.close)
        self._connection = None
        await self._thread.close()

    async def _run(
        self, begin: str | None, plan: Generator[Statement, list[Sequence[Any]], R]
    ) -> tuple[R, tuple[int, ...], tuple[int, ...]]:
        ran: list[Statement] = []
        try:
            return await self._thread.run(self._work, begin, plan, ran)
        except (sqlite3.Error, OverflowError, ValueError) as error:
            raise StorageError(f"{self.path}: {error}") from error
        finally:
            if self._on_sql_command is not None:
                for statement in ran:
                    self._on_sql_command(statement.sql, statement.params)

    # -- in the thread -----------------------------------------------------------------------------------

    def _work(
        self, begin: str | None, plan: Generator[Statement, list[Sequence[Any]], R], ran: list[Statement]
    ) -> tuple[R, tuple[int, ...], tuple[int, ...]]:
        if self._connection is None:
            self._connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        db = self._connection
        if begin is None:
            seen = self._look(db)
            return _drive(db, plan, ran), seen, seen
        db.execute(begin)
        try:
            # In the transaction, and for reads after its first look at the data: nobody comes between.
            db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
            before = self._look(db)
            result = _drive(db, plan, ran)
            after = self._look(db)
            db.execute("COMMIT")
        except BaseException:
            # After some errors, a full disk among them, SQLite has rolled back by itself.
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return result, before, after

    @staticmethod
    def _look(db: sqlite3.Connection) -> tuple[int, ...]:
        seen: tuple[int, ...] = db.execute(_SEEN).fetchone()
        return seen


def _drive(
    db: sqlite3.Connection, plan: Generator[Statement, list[Sequence[Any]], R], ran: list[Statement]
) -> R:
    """Run the statements of a plan, giving it their rows."""
    rows: list[Sequence[Any]] | None = None
    while True:
        try:
            statement = plan.send(rows) if rows is not None else next(plan)
        except StopIteration as end:
            result: R = end.value
            return result
        ran.append(statement)
        if statement.many:
            db.executemany(statement.sql, statement.params)
            rows = []
        else:
            rows = db.execute(statement.sql, statement.params).fetchall()


def _nothing() -> Generator[Statement, list[Sequence[Any]], None]:
    return
    yield
