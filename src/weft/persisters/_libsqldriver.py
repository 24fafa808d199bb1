"""SQLite through ``libsql``: a local file, or a libSQL server (``sqld``, Turso) by its URL."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import libsql  # type: ignore[import-untyped]

from weft.persisters._sqlitedriver import SEEN, SqliteDriver

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LibsqlDriver"]

# A server forgets a connection that was silent for ten seconds, and counts changes anew on the next.
_SILENCE_SECONDS = 5.0
# The package holds the interpreter while it waits for a server: two transactions of one process would wait
# for each other until the server gives up, so all persisters on one server take turns.
_QUEUES: dict[str, object] = {}


class LibsqlDriver(SqliteDriver):
    """A connection of ``libsql``.

    ::

        driver = LibsqlDriver("http://127.0.0.1:8080")
        persister = SqliteTablesPersister(store, driver, config)

    Changes of others are found by looking, locally and on a server alike. On a server, own saves look like
    others', so that auto-load reads once more after each; so it does where looks are more than five seconds
    apart. Embedded replicas are not offered: the package's do not work with every server.

    Args:
        database: Path, or URL of a server (``http:``, ``https:``, ``libsql:``, ``ws:``, ``wss:``).
        auth_token: For the server.
    """

    # The package raises nothing more telling; what it has no value for is a TypeError.
    errors = (libsql.Error, ValueError, TypeError, OverflowError)

    def __init__(self, database: str | os.PathLike[str], *, auth_token: str | None = None) -> None:
        self.name = os.fspath(database)
        self.looks_apart = "://" in self.name or self.name.startswith("libsql:")
        self._auth_token = auth_token
        self._connection: Any = None
        self._watcher: Any = None  # never in a transaction: a server begins to count anew after each
        self._looked = 0.0
        self._silences = 0

    @property
    def queue(self) -> object:
        """All that use one server take turns."""
        return _QUEUES.setdefault(self.name, object()) if self.looks_apart else self

    def open(self) -> None:
        """Connect."""
        if self._connection is None:
            self._connection = self._connect()
            if self.looks_apart:
                self._watcher = self._connect()

    def _connect(self) -> Any:
        options = {} if self._auth_token is None else {"auth_token": self._auth_token}
        return libsql.connect(self.name, isolation_level=None, **options)

    def close(self) -> None:
        """Disconnect."""
        connections = self._connection, self._watcher
        self._connection = self._watcher = None
        for connection in connections:
            if connection is not None:
                connection.close()

    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Run one statement."""
        return self._opened.execute(sql, _checked(params)).fetchall() or []

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement many times."""
        self._opened.executemany(sql, [_checked(row) for row in rows])

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return bool(self._opened.in_transaction)

    def seen(self) -> tuple[object, ...]:
        """Look whether somebody wrote."""
        if not self.looks_apart:
            return super().seen()
        now = time.monotonic()
        self._silences += now - self._looked > _SILENCE_SECONDS
        self._looked = now
        return (self._silences, *self._watcher.execute(SEEN).fetchall()[0])

    @property
    def _opened(self) -> Any:
        if self._connection is None:
            raise ValueError("the database is closed")
        return self._connection


def _checked(params: Sequence[Any]) -> tuple[Any, ...]:
    """Refuse what the package would change without a word: it cuts text off at a NUL."""
    for param in params:
        if isinstance(param, str) and "\0" in param:
            raise ValueError(f"libsql cannot keep a NUL character: {param!r:.100}")
    return tuple(params)
