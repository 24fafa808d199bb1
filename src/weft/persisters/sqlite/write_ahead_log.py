"""The write-ahead log of a database that is open: whether it is still the one at its path.

In WAL mode what was committed stands first in ``shop.db-wal``. Who removes that file alone leaves the
database in its place, and the connection a log without a name: every commit succeeds, and is gone with the
process.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from weft._support.files import FileIdentity
from weft.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["WriteAheadLog"]


class WriteAheadLog:
    """The log of one connection. Used where the connection is.

    Args:
        execute: Runs a statement on it, and gives its rows.
        errors: What that raises where the database refuses.
        database: Path of the database, absolute.

    Attributes:
        path: Where the log stands; SQLite puts it beside the file itself, and not beside a link to it.
    """

    def __init__(
        self,
        execute: Callable[[str], Sequence[Sequence[Any]]],
        errors: tuple[type[Exception], ...],
        database: str,
    ) -> None:
        self._execute = execute
        self._errors = errors
        self._database = os.path.realpath(database)
        self.path = f"{self._database}-wal"
        self._file: FileIdentity | None = None  # of the log that is open, once one is known to be
        self._index: FileIdentity | None = None  # what all connections on one log share; locks are in it, too
        self._told = False

    def note(self) -> None:
        """Look which log is open; in a transaction, once it has looked at the data: then there is one."""
        if self._file is not None or not self._is_used():
            return
        with suppress(OSError):
            # It may be gone already, where the connection was given: one that equals no other.
            self._file = FileIdentity.of(self.path) or FileIdentity(self.path, -1, -1)
            self._index = FileIdentity.of(f"{self._database}-shm")

    def loss(self) -> str | None:
        """Say what became of the log, for a sentence that begins with its path; ``None`` if it is there."""
        loss = None if self._file is None else self._file.loss()
        if loss is not None and not self._is_used():
            self._file = None  # the program has switched the connection that it gave to another journal
            return None
        return loss

    def is_anothers(self) -> bool:
        """Whether something was committed into another log at the path, which ours must not be mixed with."""
        if self.loss() is None:
            return False
        try:
            return os.stat(self.path).st_size > 0  # noqa: PTH116 - text in
        except OSError:
            return False

    def renew(self) -> str | None:
        """Bring all that a lost log holds into the database, and begin another if nobody else has the old.

        Returns:
            What to report; ``None`` where it was reported before.

        Raises:
            StorageError: It cannot be brought there now. What was committed last may be lost.
        """
        loss = self.loss()
        if loss is None:
            return None
        what = f"{self.path} {loss}"
        if self._begin_another():
            self._file, self._told = None, False
            return f"{what}; all that it held is in the database"
        # Others have the old log open. They go on with it, and so must we: one index for two logs is damage.
        # And without that index, in which the locks are, nobody would wait while the database is written.
        if self._index is not None and self._index.loss() is not None:
            raise StorageError(
                f"{what}, with its -shm, while several connections use the database: what was saved since it"
                " was opened may be lost; close all but this one, and save again"
            )
        if self._execute("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]:
            raise StorageError(
                f"{what}, and as another connection is using the database what it holds could not be brought"
                " there: it may be lost; end what reads or writes the database, and save again"
            )
        if self._told:
            return None
        self._told = True
        return (
            f"{what}; all that it held is in the database, and each save goes there until all connections to"
            " it were closed"
        )

    def _begin_another(self) -> bool:
        # Leaving WAL mode takes a lock that nobody gets beside another connection, whatever log that has.
        try:
            if self._execute("PRAGMA journal_mode=DELETE")[0][0] != "delete":
                return False  # Turso's engine knows no other mode, and keeps others out of the file
        except self._errors:
            return False
        with suppress(*self._errors):  # somebody was quicker and uses the database as it is now
            self._execute("PRAGMA journal_mode=WAL")
        return True

    def _is_used(self) -> bool:
        return bool(self._execute("PRAGMA journal_mode")[0][0] == "wal")
