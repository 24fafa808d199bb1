"""SQLite through ``libsql``: a local file, or a libSQL server (``sqld``, Turso) by its URL."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import libsql  # type: ignore[import-untyped]

from weft._support.arguments import path_of
from weft._support.urls import shown_url
from weft.persisters.sqlite.driver import SEEN, SqliteDriver, speaks_of_database, speaks_of_statement

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

__all__ = ["LibsqlDriver"]

# A server forgets a connection that was silent for ten seconds, and counts changes anew on the next.
_SILENCE_SECONDS = 5.0
_URL = re.compile(r"(?:libsql|https?|wss?):")
_NUL = "libsql cannot keep a NUL character"
# The code is a server's, for what its triggers raise.
_REFUSALS = ("constraint failed", "datatype mismatch", _NUL, 'code: "SQLITE_CONSTRAINT')
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
        is_url = isinstance(database, str) and _URL.match(database)
        self._database = str(database) if is_url else path_of(database, "a path or the URL of a server")
        self.name = shown_url(self._database)
        self.looks_apart = "://" in self._database or self._database.startswith("libsql:")
        self._auth_token = auth_token
        self._watcher: Any = None  # never in a transaction: a server begins to count anew after each
        self._looked = 0.0
        self._silences = 0  # as many times the counters have begun anew

    @property
    def queue(self) -> object:
        """All that use one server take turns."""
        return _QUEUES.setdefault(self._database, object()) if self.looks_apart else self

    def connect(self) -> Any:
        """Connect."""
        options = {} if self._auth_token is None else {"auth_token": self._auth_token}
        return libsql.connect(self._database, isolation_level=None, **options)

    def open(self) -> None:
        """Connect, to a server twice."""
        super().open()
        if self.looks_apart and self._watcher is None:
            self._watcher = self.connect()

    def close(self) -> None:
        """Disconnect."""
        super().close()
        self._silences += 1  # the next connection counts anew
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.close()

    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Run one statement."""
        with self._lost_with():
            return self._opened.execute(sql, _checked(params)).fetchall() or []

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement many times."""
        with self._lost_with():
            super().executemany(sql, [_checked(row) for row in rows])

    def refuses_row(self, error: Exception) -> bool:
        """The package tells by its text alone."""
        text = str(error)
        if any(reason in text for reason in _REFUSALS):
            return True
        # What a trigger raises is given as it is.
        return type(error) is ValueError and not (speaks_of_database(text) or speaks_of_statement(text))

    def seen(self) -> tuple[object, ...]:
        """Look whether somebody wrote."""
        if not self.looks_apart:
            return super().seen()
        now = time.monotonic()
        self._silences += now - self._looked > _SILENCE_SECONDS
        self._looked = now
        with self._lost_with():
            return (self._silences, *self._watcher.execute(SEEN).fetchall()[0])

    @contextmanager
    def _lost_with(self) -> Iterator[None]:
        """Disconnect where the server is away or knows nothing of us any more: the next use connects anew.

        The package goes on with what the server gave it before, which one that was started again refuses.
        """
        try:
            yield
        except self.errors as error:
            # A "stream error" is the database's answer; all others of the protocol mean that there is none.
            if str(error).startswith("Hrana") and "stream error" not in str(error):
                self.close()
            raise


def _checked(params: Sequence[Any]) -> tuple[Any, ...]:
    """Refuse what the package would change without a word: it cuts text off at a NUL."""
    for param in params:
        if isinstance(param, str) and "\0" in param:
            raise ValueError(f"{_NUL}: {param!r:.100}")
    return tuple(params)
