"""SQLite files through Turso's engine, ``pyturso``. Beta, as that package is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import turso

from weft.persisters._sqlitedriver import SqliteDriver

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TursoDriver"]


class TursoDriver(SqliteDriver):
    """A connection of ``pyturso`` to a local file. Beta.

    The engine keeps other processes of its own kind out of the file, and does not see what another SQLite
    library writes there: auto-load hears of writes through this connection only, that is of other persisters
    that share this driver.

    Args:
        database: Path.
    """

    errors = (turso.Error, ValueError, TypeError, OverflowError)

    def __init__(self, database: str | os.PathLike[str]) -> None:
        self.name = os.fspath(database)
        self._connection: Any = None

    def open(self) -> None:
        """Connect."""
        if self._connection is None:
            self._connection = turso.connect(self.name, isolation_level=None)

    def close(self) -> None:
        """Disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Run one statement."""
        rows: list[Sequence[Any]] = self._opened.execute(sql, tuple(params)).fetchall()
        return rows

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement many times."""
        self._opened.executemany(sql, rows)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return bool(self._opened.in_transaction)

    def seen(self) -> tuple[object, ...]:
        """Count what this connection changed; the engine has no ``data_version``."""
        return tuple(self.execute("SELECT total_changes()")[0])

    @property
    def _opened(self) -> Any:
        if self._connection is None:
            raise ValueError("the database is closed")
        return self._connection
