"""SQLite through ``apsw``: a current SQLite on any Python, with extensions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import apsw

from weft.persisters._sqlitedriver import SqliteDriver

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ApswDriver"]

_BUSY_MILLISECONDS = 5000


class ApswDriver(SqliteDriver):
    """A connection of ``apsw``.

    ::

        driver = ApswDriver("shop.db", extensions=["/usr/lib/spatialite.so"])
        persister = SqliteTablesPersister(store, driver, config)

    Args:
        database: Path, opened with the first use; or a connection, which stays open at :meth:`close`.
        extensions: Paths of SQLite extensions to load into it; or pairs of a path and the name of the entry
            point, where SQLite cannot guess that from the path.
    """

    errors = (apsw.Error, OverflowError, ValueError, TypeError)

    def __init__(
        self,
        database: str | os.PathLike[str] | apsw.Connection,
        *,
        extensions: Sequence[str | tuple[str, str]] = (),
    ) -> None:
        self._given = database if isinstance(database, apsw.Connection) else None
        self._path = None if isinstance(database, apsw.Connection) else os.fspath(database)
        self.name = self._path or "the connection given"
        self._extensions = extensions
        self._connection: apsw.Connection | None = None

    def open(self) -> None:
        """Connect, and load the extensions."""
        if self._connection is not None:
            return
        if self._path is None:
            connection = self._given
            if connection is None:
                raise ValueError("the database is closed")
        else:
            connection = apsw.Connection(self._path)
            connection.set_busy_timeout(_BUSY_MILLISECONDS)
        try:
            self._load_extensions(connection)
        except BaseException:
            if self._path is not None:
                connection.close()
            raise
        self._connection = connection

    def _load_extensions(self, connection: apsw.Connection) -> None:
        if not self._extensions:
            return
        connection.enable_load_extension(True)
        try:
            for extension in self._extensions:
                path, entry = (extension, None) if isinstance(extension, str) else extension
                connection.load_extension(path, entry)
        finally:
            connection.enable_load_extension(False)

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None and self._path is not None:
            self._connection.close()
        self._connection = None

    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Run one statement."""
        return list(self._opened.execute(sql, tuple(params)))

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement many times."""
        self._opened.executemany(sql, rows)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._opened.in_transaction

    @property
    def _opened(self) -> apsw.Connection:
        if self._connection is None:
            raise ValueError("the database is closed")
        return self._connection
