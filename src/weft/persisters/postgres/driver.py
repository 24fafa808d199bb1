"""The PostgreSQL library under a persister: what each must do.

Another library is another driver: a class like those in ``asyncpg.py`` and ``psycopg.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from weft._support.arguments import wrong_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CONNECT_SECONDS", "PING_SECONDS", "UNREADABLE_DSN", "PostgresDriver"]

CONNECT_SECONDS = 10.0
"""How long a server may take to let us in."""
PING_SECONDS = 5.0
"""How long a connection that listens is silent before it is asked whether it lives, and how long any may take
to say so."""
UNREADABLE_DSN = (
    "PostgreSQL: the DSN cannot be read; in a URL, characters such as / # % and @ of a password have to be"
    " percent-encoded"
)
"""Instead of the libraries' errors, which quote from the DSN, and so from a password."""


class PostgresDriver(ABC):
    """A connection of some PostgreSQL library, made with its first use, and anew when it was lost.

    Several persisters of one event loop may share a driver; they take turns. It disconnects when the last of
    them is closed, and connects for the next. Auto-load listens on one more connection.

    Args:
        dsn: Where, as the library takes it: ``postgresql://user@host/database``.
        listens: Whether auto-load listens to ``NOTIFY``. Otherwise it looks for changes again and again,
            makes no triggers, and prepares no statements: for PGlite's socket server, where all clients have
            one session, and for roles that may not make triggers.

    Attributes:
        errors: What the library raises; what the server refused has its code in ``sqlstate``.
    """

    errors: tuple[type[Exception], ...]
    _connection: Any = None

    def __init__(self, dsn: str, *, listens: bool = True) -> None:
        if not isinstance(dsn, str):
            raise wrong_kind('a DSN, such as "postgresql://user@host/database",', dsn)
        self._dsn = dsn
        self.listens = listens

    @abstractmethod
    async def open(self) -> bool:
        """Connect, unless that is done and was not lost; returns whether it connected."""

    @abstractmethod
    async def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Run one statement with ``$1``, ``$2`` for the parameters; returns its rows, if it gives any.

        Transactions are left to statements ``BEGIN`` and ``COMMIT``. When it was cancelled, the connection is
        closed next.
        """

    @abstractmethod
    async def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each of the rows of parameters."""

    @property
    @abstractmethod
    def pid(self) -> int:
        """The server's process behind the connection, by which others' notifications are told from ours."""

    @abstractmethod
    async def listen(
        self, channel: str, began: Callable[[], None], heard: Callable[[int, str], None]
    ) -> None:
        """Listen on a connection of its own, until that is lost, which raises, or until cancelled.

        Args:
            channel: What to listen to: letters and underscores.
            began: Called when from now on nothing is missed.
            heard: Called with the process that notified, and its payload.
        """

    @abstractmethod
    async def close(self) -> None:
        """Disconnect. A second call does nothing, and another use connects again."""
