"""SQLite through ``apsw``: a current SQLite on any Python, with extensions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import apsw

from weft._support.arguments import path_of
from weft._support.callbacks import subscribe
from weft.persisters.sqlite.driver import STATEMENT_CODES, SqliteDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["ApswDriver"]

_BUSY_MILLISECONDS = 5000


class ApswDriver(SqliteDriver):
    """A connection of ``apsw``.

    ::

        driver = ApswDriver("shop.db", extensions=["/usr/lib/spatialite.so"])
        persister = SqliteTablesPersister(store, driver, config)

    What others write through the same connection is seen at once: SQLite tells of each commit of its own
    connection. (It tells of each row too, before the commit, but not of all: not in tables WITHOUT ROWID, nor
    where a DELETE empties a table.) What comes through other connections is found by looking.

    Args:
        database: Path, opened with the first use; or a connection, which stays open at :meth:`close`.
        extensions: Paths of SQLite extensions to load into it; or pairs of a path and the name of the entry
            point, where SQLite cannot guess that from the path.
    """

    errors = (apsw.Error, OverflowError, ValueError, TypeError)
    refusals = (apsw.ConstraintError, apsw.MismatchError)

    def __init__(
        self,
        database: str | os.PathLike[str] | apsw.Connection,
        *,
        extensions: Sequence[str | tuple[str, str]] = (),
    ) -> None:
        self._database = database
        self._listeners: list[Callable[[], None]] = []
        self._extensions = extensions
        self.owned = not isinstance(database, apsw.Connection)
        self.name = (
            "the connection given"
            if isinstance(database, apsw.Connection)
            else path_of(database, "a path or an apsw.Connection")
        )

    def connect(self) -> apsw.Connection:
        """Connect, or take the connection given, and load the extensions."""
        if isinstance(self._database, apsw.Connection):
            connection = self._database
        else:
            connection = apsw.Connection(os.fspath(self._database))
            connection.set_busy_timeout(_BUSY_MILLISECONDS)
        try:
            self._load_extensions(connection)
        except BaseException:
            if self.owned:
                connection.close()
            raise
        connection.set_commit_hook(self._committing, id=self)  # by an id: beside those of the program
        return connection

    def close(self) -> None:
        """Disconnect, or leave the connection given as it was."""
        if self._connection is not None:
            self._connection.set_commit_hook(None, id=self)
        super().close()

    def keep_log(self, connection: apsw.Connection) -> None:
        """Leave the write-ahead log to whom it belongs by now."""
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)

    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Run one statement, on a cursor of our own: rows as they are.

        A connection that was given may have a row tracer, or cursors of another kind.
        """
        connection: apsw.Connection = self._opened
        cursor = apsw.Cursor(connection)
        if connection.row_trace is not None:
            cursor.row_trace = _as_it_is
        return list(cursor.execute(sql, params))

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each of the rows of parameters."""
        apsw.Cursor(self._opened).executemany(sql, rows)

    def refuses_statement(self, error: Exception) -> bool:
        """By SQLite's result code."""
        return getattr(error, "result", 0) & 0xFF in STATEMENT_CODES

    def on_commit(self, callback: Callable[[], None]) -> Callable[[], object]:
        """Tell of commits."""
        return subscribe(self._listeners, callback)

    def _committing(self) -> bool:
        for listener in tuple(self._listeners):
            listener()
        return False  # that is: do commit

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


def _as_it_is(_cursor: object, row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row
