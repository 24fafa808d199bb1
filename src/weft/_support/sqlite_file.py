"""A database file of weft's: opened, used in transactions, watched over, all on one thread.

An open file can be removed or replaced by another: SQLite goes on writing to a file without a name, every
commit succeeds, and all of it is gone with the process. So before anything is confirmed the file at the path
is compared with the one that is open, and so is its write-ahead log, where commits stand first.
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from weft._support.files import FileIdentity
from weft.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["STATE", "Schema", "SqliteFile"]

STATE = """
CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), is_open INTEGER NOT NULL)
"""
"""One row: whether somebody has the file open, or had it when its process ended."""


class Schema(NamedTuple):
    """What is kept in a file.

    Attributes:
        application_id: Marks the files (SQLite's ``application_id``).
        format: The newest format known (``user_version``); one without tables has 0.
        name: How errors and the log call one who has it open.
        make: Makes the tables, or makes those of an older format like them; in a transaction of the caller's.
        add: Adds what an older weft does not miss, :data:`STATE` with its row among it; likewise.
        damage: What is wrong with what must not be.
    """

    application_id: int
    format: int
    name: str
    make: Callable[[sqlite3.Connection, int], None]
    add: Callable[[sqlite3.Connection], None]
    damage: Callable[[sqlite3.Connection], str]


class SqliteFile:
    """One database file. Used by one thread.

    Args:
        path: The file.
        schema: What is in it.
        synchronous: SQLite's setting of that name.
        exclusive: Whether to lock it against other processes for as long as it is open.
        busy_timeout: Seconds to wait for another process that holds it.
    """

    def __init__(
        self, path: str, schema: Schema, *, synchronous: str, exclusive: bool, busy_timeout: float
    ) -> None:
        self.path = path
        self._schema = schema
        self._log = logging.getLogger(f"weft.{schema.name}")
        self.is_lost = False  # what was committed last may be in no file that will be read again
        self.damage = ""  # what is wrong with what must not be, as the schema finds it
        self._place = path  # made absolute when it is known to be a file's: the working directory may change
        self._mode = 0o600  # the file's permissions
        self._synchronous = synchronous
        self._exclusive = exclusive
        self._busy_timeout = busy_timeout
        self._db: sqlite3.Connection | None = None
        # Which file is open, and which is its write-ahead log; None where SQLite uses no such file.
        self._identity: FileIdentity | None = None
        self._log_identity: FileIdentity | None = None
        self._rescued = ""  # where the content of a file that was replaced has been put

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection.

        Raises:
            StorageError: The file is not open.
        """
        if self._db is None:
            raise StorageError(f"{self.path}: not open")
        return self._db

    @contextmanager
    def mapped(self) -> Iterator[sqlite3.Connection]:
        """The connection; what SQLite raises becomes a ``StorageError``."""
        try:
            yield self.connection
        except (sqlite3.Error, OverflowError) as error:
            held = getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
            reason = "another process is using it" if held else error
            raise StorageError(f"{self.path}: {reason}") from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection in a transaction, which is committed at the end, or rolled back by an error."""
        with self.mapped() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                # After some errors (a full disk among them) SQLite has rolled back by itself.
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, with one moment's view of the file for several reads."""
        with self.mapped() as db:
            db.execute("BEGIN")
            try:
                yield db
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    def open(self) -> None:
        """Open or create the file.

        Raises:
            StorageError: It cannot be opened, is not a file of weft's, is of a newer format, or another
                process holds it.
        """
        has_log = Path(f"{os.path.realpath(self._place)}-wal").exists()
        try:
            try:
                self._db = sqlite3.connect(self._place, timeout=self._busy_timeout, isolation_level=None)
            except sqlite3.Error as error:
                raise StorageError(f"{self.path}: {error}") from error
            self._prepare(has_log)
            self._note_identity()
        except BaseException as error:
            self.close()
            obstacle = _obstacle(self._place) if isinstance(error.__cause__, sqlite3.Error) else ""
            if obstacle:
                raise StorageError(f"{self.path}: {obstacle} ({error.__cause__})") from error
            raise

    def _note_identity(self) -> None:
        self._identity = FileIdentity.of(self._place)
        if self._identity is not None:
            self._place = self._identity.path
            self._mode = stat.S_IMODE(Path(self._place).stat().st_mode)
        # SQLite puts it beside the file itself, where the path is a link.
        self._log_identity = FileIdentity.of(f"{os.path.realpath(self._place)}-wal")

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.execute("UPDATE state SET is_open = 0")
            self._db.close()
            self._db = None
            if self._rescued and self._log_identity is not None and self._log_identity.loss() is None:
                # SQLite leaves it where the file has moved, and would play it back into the one there now.
                Path(self._log_identity.path).unlink(missing_ok=True)

    def verify(self) -> None:
        """Make sure that what was committed is in the file that will be read again.

        What was removed is written again: the open file has all of it, whatever it is called. What was
        replaced is left alone, because whoever did that may want what is there now, and what was in it is put
        into a file beside it, once.

        Raises:
            StorageError: The file was replaced, or could not be written again. Nothing may be confirmed.
        """
        if self._identity is None:
            return
        self.is_lost = True  # unless it turns out otherwise
        self._verify(self._identity)
        self.is_lost = False

    def verify_if_lost(self) -> None:
        """:meth:`verify` before writing again what could not be confirmed.

        It would be written to a file without a name, and be twice in the one that is kept.
        """
        if self.is_lost:
            self.verify()

    def _verify(self, identity: FileIdentity) -> None:
        loss = identity.loss()
        if loss is not None:
            try:
                is_gone = FileIdentity.of(self._place) is None
            except OSError:
                is_gone = False
            if not is_gone:
                raise StorageError(f"{self.path}: {loss}; {self._rescue()}")
            self._restore(loss)
        elif self._log_identity is not None and self._log_identity.loss() is not None:
            self._renew_log()

    def _prepare(self, has_log: bool) -> None:
        with self.mapped() as db:
            if self._exclusive:
                db.execute("PRAGMA locking_mode = EXCLUSIVE")
            application = db.execute("PRAGMA application_id").fetchone()[0]
            version = db.execute("PRAGMA user_version").fetchone()[0]
            tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            schema = self._schema
            if application != schema.application_id and (tables or application or version):
                raise StorageError(f"{self.path}: this database is not weft's, or holds something else of it")
            if version > schema.format:
                raise StorageError(
                    f"{self.path}: written by a newer weft (format {version}, known is {schema.format})"
                )
            had_log = db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(f"PRAGMA synchronous = {self._synchronous}")
            with self.transaction():  # takes the exclusive lock, or fails, even where nothing is to be made
                if version < schema.format:
                    schema.make(db, version)
                schema.add(db)
                was_open = db.execute("SELECT is_open FROM state").fetchone() == (1,)
                db.execute("UPDATE state SET is_open = 1")
            # Into the file itself: a copy without its log is to have the mark.
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")
            if was_open and had_log and not has_log:
                self._log.warning(
                    "%s was not closed by the %s that had it open last, and %s-wal is not beside it: "
                    "unless another program has brought it into the file, what was committed last is missing",
                    *(self.path, schema.name, self.path),
                )
            self.damage = schema.damage(db)

    def _copy(self) -> str:
        """Write all that was committed into a new file beside the path, and sync it."""
        copy = f"{self._place}-kept-{secrets.token_hex(4)}"
        with self.mapped() as db:
            db.execute("VACUUM INTO ?", (copy,))
        Path(copy).chmod(self._mode)
        _sync(copy)
        _sync_directory(copy)
        return copy

    def _restore(self, loss: str) -> None:
        try:
            copy = self._copy()
            # Closing removes the log by its name: it must not be taken for one of the new file.
            self.close()
            Path(f"{self._place}-wal").unlink(missing_ok=True)
            if Path(self._place).exists():
                raise StorageError(f"another file has come meanwhile; all of the old one is in {copy}")
            Path(copy).rename(self._place)
            _sync_directory(self._place)
            self.open()
        except (OSError, StorageError) as error:
            raise StorageError(f"{self.path}: {loss}, and could not be written again: {error}") from error
        self._log.error("%s %s; all that it held has been written again", self.path, loss)

    def _rescue(self) -> str:
        if not self._rescued:
            try:
                self._rescued = self._copy()
            except (OSError, StorageError) as error:
                return f"what it held could not be put into a file beside it: {error}"
        return (
            f"all that it held is in {self._rescued}. Stop the {self._schema.name}, put the file that is "
            "wanted in its place, and start it again"
        )

    def _renew_log(self) -> None:
        """The log was taken away: bring all that is in it into the file, and begin another one."""
        with self.mapped() as db:
            if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise StorageError(f"{self.path}-wal was removed, and another process is reading the file")
        self.close()
        self.open()
        self._log.error("%s-wal was removed while it was open; all that it held is in the file", self.path)


def _obstacle(place: str) -> str:
    """What keeps a file from being used, where SQLite only says that something does."""
    path, folder = Path(place), Path(place).absolute().parent
    if path.is_dir():
        return "it is a directory"
    if not folder.is_dir():
        return f"there is no directory {folder}"
    if not os.access(folder, os.W_OK):  # a file system that is read-only, too
        return f"{folder} cannot be written, where SQLite makes a log beside its file"
    if path.exists() and not os.access(path, os.W_OK):
        return "it cannot be written"
    return ""


def _sync(path: str) -> None:
    with Path(path).open("rb+") as file:
        os.fsync(file.fileno())


def _sync_directory(path: str) -> None:
    if os.name != "nt":  # a directory cannot be opened there, and a rename needs no more
        descriptor = os.open(Path(path).parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
