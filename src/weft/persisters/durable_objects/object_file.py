"""The SQLite file of a Durable Object, opened for each look and each save, and for a save alone.

An object that is awake has its Store in memory and does not look into its file again. What was written there
meanwhile would be lost with its next save, or stand beside hashes that are not its own. So a save needs the
file for itself (``locking_mode=EXCLUSIVE``): while the object is awake, workerd has it open, and SQLite says
that it is locked.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from weft._aio.thread import WorkerThread
from weft.errors import StorageError
from weft.persisters.sql.database import RunningPlan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from weft.persisters.sql.dialect import Plan

__all__ = ["ObjectFile"]

R = TypeVar("R")

_BUSY_SECONDS = 0.25  # a save of another persister takes less; an object stays awake for seconds


class ObjectFile:
    """One file.

    Args:
        path: Where it is, or is to be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = WorkerThread("weft-durable-object")

    async def read(self, plan: Callable[[], Plan[R]]) -> R | None:
        """Run a plan on one state of the file; ``None`` where there is no file.

        Raises:
            StorageError: It could not be read, or the plan says so.
        """
        return await self._thread.run(lambda: self._run(plan, writes=False) if self.path.exists() else None)

    async def write(self, plan: Callable[[], Plan[R]]) -> R:
        """Run a plan in one transaction, alone with the file.

        Raises:
            StorageError: Another program has it open, or it could not be written. Nothing was written.
        """
        return await self._thread.run(lambda: self._run(plan, writes=True))

    async def close(self) -> None:
        """End the thread."""
        await self._thread.close()

    def _run(self, plan: Callable[[], Plan[R]], *, writes: bool) -> R:
        running = RunningPlan(plan())
        try:
            with closing(
                sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
            ) as connection:
                if writes:
                    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
                connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
                while (statement := running.next_statement()) is not None:
                    if statement.many:
                        connection.executemany(statement.sql, statement.params)
                    else:
                        running.rows = connection.execute(statement.sql, statement.params).fetchall()
                connection.execute("COMMIT")  # a connection that is closed before that has written nothing
        except (sqlite3.Error, OSError) as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            why = (
                "; its object is awake, or another program has it open: nothing was saved"
                if writes and busy
                else ""
            )
            raise StorageError(f"{os.fspath(self.path)}: {error}{why}") from error
        return running.result
