"""The SQLite library under a persister: what each must do, and Python's own.

Another library is another driver: a class like those in ``apsw.py`` or ``libsql.py``. All calls
come from one thread at a time, not always the same.
"""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from weft._support.files import FileIdentity
from weft._support.owner import Owner
from weft.persisters.sqlite.write_ahead_log import WriteAheadLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "SEEN",
    "STATEMENT_CODES",
    "SqliteDriver",
    "StdlibDriver",
    "speaks_of_database",
    "speaks_of_statement",
]

_BUSY_SECONDS = 5.0
# TinyBase's: what others committed, what changed the schema, what this connection changed.
SEEN = """
    SELECT d.data_version, s.schema_version, total_changes()
    FROM pragma_data_version d, pragma_schema_version s
"""
# Result codes (https://sqlite.org/rescode.html): SQLITE_ERROR, of a statement; SQLITE_PERM; SQLITE_AUTH.
STATEMENT_CODES = frozenset({1, 3, 23})
# For libraries that give no codes: what sqlite3's parser and Turso's say of a statement.
_OF_STATEMENT = re.compile(
    r"no such (table|column|function|module|index)|has no column|cannot (modify|insert into|update|add|drop)"
    r"|is a view|missing datatype|not authorized|error in (table|view|trigger|index)|parse error"
    r"|unknown (database|datatype|type)|syntax error|duplicate column|may not be|foreign key mismatch",
    re.IGNORECASE,
)
# Likewise of the database: it is busy, full, damaged, closed. What a trigger raises may say anything else.
_OF_DATABASE = re.compile(
    r"(the )?(database|disk|file|transaction|locking|conflict|write-write|page cache|i/o|corrupt"
    r"|internal error|runtime error|resource|query|interrupt|unknown operation|string or blob"
    r"|bad parameter|not an error"
    r"|sql logic error|column index|hrana|incomplete input)|(out of|cannot|unable to|attempt to|error:) ",
    re.IGNORECASE,
)


def speaks_of_statement(text: str) -> bool:
    """Whether an error's text speaks of the statement, and not of the database."""
    return _OF_STATEMENT.search(text) is not None


def speaks_of_database(text: str) -> bool:
    """Whether an error's text begins as those that speak of the database, and not of what is written."""
    return _OF_DATABASE.match(text) is not None


class SqliteDriver(ABC):
    """A connection of some SQLite library, made with its first use.

    Attributes:
        name: How errors call the database.
        errors: What the library raises where the database refuses. ``ValueError`` is among them: it says that
            the driver is closed.
        refusals: Those of them that speak of the row written, and not of the database.
        owned: Whether the connection is made here, and so closed here.
        looks_apart: Whether :meth:`seen` looks from outside of the transaction, and so takes what this
            connection wrote for another's.
        file: The file that is open; ``None`` where it is none, or the library does not tell.
        log: Its write-ahead log, likewise.
        moves: How often that file, or log, was found to be gone and the one at its path opened instead.
    """

    name: str
    errors: tuple[type[Exception], ...]
    refusals: tuple[type[Exception], ...] = ()
    owned: bool = True
    looks_apart: bool = False
    file: FileIdentity | None = None
    log: WriteAheadLog | None = None
    moves: int = 0
    _connection: Any = None
    _owner: Owner | None = None

    def check_process(self) -> None:
        """Note the process at the first use, and be used in no other.

        Raises:
            WrongProcessError: SQLite allows no connection to be carried over a fork: files get damaged.
        """
        if self._owner is None:
            self._owner = Owner("the SQLite driver")
        self._owner.check_process()

    @abstractmethod
    def connect(self) -> Any:
        """Give a connection of the form of Python's database API.

        Transactions are left to statements ``BEGIN`` and ``COMMIT``.
        """

    def on_commit(self, callback: Callable[[], None]) -> Callable[[], object]:
        """Have a callback called, in any thread, when something is committed through this connection.

        For libraries that can tell. It must not raise, nor use the connection; the commit is over once the
        call that made it has returned.

        Returns:
            A function that ends this.
        """
        return lambda: None

    @property
    def queue(self) -> object:
        """Persisters whose drivers have the same take turns."""
        return self

    def open(self) -> None:
        """Connect, unless that is done."""
        if self._connection is None:
            self._connection = self.connect()
            self.file = None if self.looks_apart else self._identified()
            self.log = None if self.file is None else WriteAheadLog(self.execute, self.errors, self.file.path)

    def loss(self) -> str | None:
        """Say what became of the file that is open, or of its log; ``None`` where all is well.

        A log that is gone without another in its place is none: see :meth:`WriteAheadLog.renew`.
        """
        if self.file is None or self.log is None:
            return None
        if (loss := self.file.loss()) is not None:
            return f"{self.file.path} {loss}"
        if self._connection is not None and self.log.is_anothers():
            return f"{self.log.path} was replaced by another with content while it was open"
        return None

    def reopen(self) -> None:
        """Open what stands where the file stood, if that is another now."""
        if self.owned and self.loss() is not None:
            self.close()
            self.moves += 1
            self.open()

    def close(self) -> None:
        """Disconnect, if the connection was made here. A second call does nothing."""
        connection = self._connection
        if connection is not None and self.owned:
            try:
                if self.loss() is not None:
                    self.keep_log(connection)
            finally:
                self._connection = None
                connection.close()
        self._connection = None

    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Run one statement with ``?`` for each parameter; returns its rows, if it gives any."""
        rows: list[Sequence[Any]] = self._opened.execute(sql, params).fetchall()
        return rows

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each of the rows of parameters."""
        self._opened.executemany(sql, rows)

    def refuses_row(self, error: Exception) -> bool:
        """Whether the database refused what was written, by a constraint, a type, or a trigger."""
        return isinstance(error, self.refusals)

    def refuses_statement(self, error: Exception) -> bool:
        """Whether the database refused a statement that others may well follow.

        There is no such table or column, it is a view, the program may not. Not where the database is busy,
        full, damaged or closed.
        """
        return speaks_of_statement(str(error))

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._connection is not None and bool(self._connection.in_transaction)

    def seen(self) -> tuple[object, ...]:
        """What changes whenever somebody, this connection or another, writes."""
        (row,) = self.execute(SEEN)
        return tuple(row)

    def keep_log(self, connection: Any) -> None:  # noqa: B027 - not every library can
        """Have a connection leave the write-ahead log in place when it is closed, where the library can.

        It is deleted by its name, and where the database or the log was replaced it is another's log that has
        this name.
        """

    def _identified(self) -> FileIdentity | None:
        # By the path given, which may be a link, and otherwise as the library knows it.
        file = FileIdentity.of(self.name) if self.owned else None
        if file is None:
            try:
                paths = [row[2] for row in self.execute("PRAGMA database_list") if row[1] == "main"]
            except self.errors:
                paths = []
            file = FileIdentity.of(paths[0]) if paths and paths[0] else None
        return file

    @property
    def _opened(self) -> Any:
        if self._connection is None:
            raise ValueError("the database is closed")
        return self._connection


class StdlibDriver(SqliteDriver):
    """Python's own ``sqlite3``.

    Args:
        database: Path, opened here; or a connection made with ``check_same_thread=False``, left open.
    """

    errors = (sqlite3.Error, OverflowError, ValueError)
    refusals = (sqlite3.IntegrityError,)

    def __init__(self, database: str | os.PathLike[str] | sqlite3.Connection) -> None:
        self._database = database
        self.owned = not isinstance(database, sqlite3.Connection)
        self.name = (
            "the connection given" if isinstance(database, sqlite3.Connection) else os.fspath(database)
        )

    def connect(self) -> sqlite3.Connection:
        """Connect, or give the connection given."""
        if isinstance(self._database, sqlite3.Connection):
            return self._database
        return sqlite3.connect(
            self._database, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )

    def keep_log(self, connection: sqlite3.Connection) -> None:
        """Python can from 3.12 on."""
        if sys.version_info >= (3, 12):
            connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)

    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Run one statement, on a cursor of our own: rows as tuples and text as ``str``.

        A connection that was given may make something else of both.
        """
        connection: sqlite3.Connection = self._opened
        factory = connection.text_factory  # which is read with each row, and is not the cursor's
        connection.text_factory = str
        try:
            return sqlite3.Cursor(connection).execute(sql, params).fetchall()
        finally:
            connection.text_factory = factory

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each of the rows of parameters."""
        sqlite3.Cursor(self._opened).executemany(sql, rows)

    def refuses_statement(self, error: Exception) -> bool:
        """By SQLite's result code."""
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in STATEMENT_CODES
