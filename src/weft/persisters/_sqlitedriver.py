"""The SQLite library under a persister: what each must do, and Python's own.

Another library is another driver: a class like those in ``_apswdriver.py`` or ``_libsqldriver.py``. All calls
come from one thread at a time, not always the same.
"""

from __future__ import annotations

import os
import sqlite3
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SEEN", "SqliteDriver", "StdlibDriver"]

_BUSY_SECONDS = 5.0
# TinyBase's: what others committed, what changed the schema, what this connection changed.
SEEN = """
    SELECT d.data_version, s.schema_version, total_changes()
    FROM pragma_data_version d, pragma_schema_version s
"""


class SqliteDriver(ABC):
    """A connection of some SQLite library, opened with its first use.

    Attributes:
        name: How errors call the database.
        errors: What the library raises where the database refuses.
        looks_apart: Whether :meth:`seen` looks from outside of the transaction, and so takes what this
            connection wrote for another's.
    """

    name: str
    errors: tuple[type[Exception], ...]
    looks_apart: bool = False

    @property
    def queue(self) -> object:
        """Persisters whose drivers have the same take turns."""
        return self

    @abstractmethod
    def open(self) -> None:
        """Connect, unless that is done. Transactions are left to statements ``BEGIN`` and ``COMMIT``."""

    @abstractmethod
    def close(self) -> None:
        """Disconnect, if that was done here. A second call does nothing."""

    @abstractmethod
    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Run one statement with ``?`` for each parameter; returns its rows, if it gives any."""

    @abstractmethod
    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each of the rows of parameters."""

    @property
    @abstractmethod
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""

    def seen(self) -> tuple[object, ...]:
        """What changes whenever somebody, this connection or another, writes."""
        (row,) = self.execute(SEEN)
        return tuple(row)


class StdlibDriver(SqliteDriver):
    """Python's own ``sqlite3``.

    Args:
        database: Path, opened here; or a connection made with ``check_same_thread=False``, left open.
    """

    errors = (sqlite3.Error, OverflowError, ValueError)

    def __init__(self, database: str | os.PathLike[str] | sqlite3.Connection) -> None:
        self._connection: sqlite3.Connection | None = None
        self._path: str | None = None
        if isinstance(database, sqlite3.Connection):
            self._connection = database
            self.name = "the connection given"
        else:
            self._path = self.name = os.fspath(database)

    def open(self) -> None:
        """Connect."""
        if self._connection is None and self._path is not None:
            self._connection = sqlite3.connect(
                self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None and self._path is not None:
            self._connection.close()
            self._connection = None

    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Run one statement."""
        return self._opened.execute(sql, params).fetchall()

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement many times."""
        self._opened.executemany(sql, rows)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._opened.in_transaction

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ValueError("the database is closed")
        return self._connection
