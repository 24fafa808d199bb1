"""A replica's file: one document's updates in their order, and what is known of them.

Format: SQLite (``application_id`` "weFr"), a table ``updates`` of numbered rows, each with a checksum and
whether it was written here, a table ``meta`` of one row (:mod:`weft.providers.replica.meta`), and a table
``beside`` of what a program keeps beside the document, by name and each with a checksum.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from weft._support.files import FileIdentity
from weft._support.sqlite_file import STATE, Schema, SqliteFile
from weft.errors import ReplicaInUseError, StorageError
from weft.providers.replica.meta import Meta, decode_meta, encode_meta
from weft.providers.replica.sidecar import Sidecar

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["ReplicaFile", "Row"]

_APPLICATION_ID = 0x77654672  # "weFr"
_FORMAT = 1
_TABLES = """
CREATE TABLE updates (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  own INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  data BLOB NOT NULL
);
CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), crc INTEGER NOT NULL, data TEXT NOT NULL)
"""
_BESIDE = """
CREATE TABLE IF NOT EXISTS beside (name TEXT PRIMARY KEY, crc INTEGER NOT NULL, data BLOB NOT NULL)
"""
_INSERT = "INSERT OR REPLACE INTO updates (seq, own, crc, data) VALUES (?, ?, ?, ?)"
_BUSY_S = 0.5  # for which another process may hold the file, such as one that is about to end


class Row(NamedTuple):
    """One update.

    Attributes:
        number: From 1 on.
        is_own: Whether the server did not bring it.
        data: Its bytes.
    """

    number: int
    is_own: bool
    data: bytes


def _make(db: sqlite3.Connection, version: int) -> None:
    del version  # there is one so far
    for statement in _TABLES.split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {_FORMAT}")


def _add(db: sqlite3.Connection) -> None:
    db.execute(STATE)
    db.execute(_BESIDE)
    db.execute("INSERT OR IGNORE INTO state VALUES (1, 0)")


_SCHEMA = Schema(_APPLICATION_ID, _FORMAT, "replica", _make, _add, lambda _: "")


class ReplicaFile:
    """The file, open for one process alone. Used by one thread.

    Args:
        path: Where.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.beside: dict[str, bytes] = {}  # as it was when the file was opened
        self._file = SqliteFile(path, _SCHEMA, synchronous="FULL", exclusive=True, busy_timeout=_BUSY_S)
        self._sidecar: Sidecar | None = None
        self._identity: FileIdentity | None = None
        self._meta: Meta | None = None
        self._last = 0
        self._is_open = False

    def open(self) -> tuple[list[Row], Meta | None, bool]:
        """Open or create it.

        Returns:
            Its rows in their order; what it says of itself, unless it is new; and whether it is certain that
            no other file has the same author.

        Raises:
            ReplicaInUseError: It is open already.
            StorageError: It cannot be opened, is another kind of file or of a newer format, or is damaged. It
                is as it was.
        """
        try:
            self._file.open()
        except StorageError as error:
            if getattr(error.__cause__, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                raise ReplicaInUseError(self.path) from error
            raise
        try:
            found = self._read()
        except BaseException:
            self._file.close()
            raise
        self._is_open = True
        return found

    def _read(self) -> tuple[list[Row], Meta | None, bool]:
        with self._file.reading() as db:
            stored = db.execute(
                "SELECT seq, own, crc, CAST(data AS BLOB) FROM updates ORDER BY seq"
            ).fetchall()
            found = db.execute("SELECT crc, data FROM meta").fetchone()
            beside = db.execute("SELECT name, crc, CAST(data AS BLOB) FROM beside").fetchall()
            last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'updates'").fetchone()
        faults = [str(seq) for seq, _, crc, data in stored if zlib.crc32(data) != crc]
        if faults:
            raise StorageError(
                f"{self.path}: {len(faults)} of {len(stored)} rows do not match their checksums "
                f"({', '.join(faults[:10])}): the file is damaged, and was left as it is. Restore a "
                "copy of it, or move it away: what the server has comes from there again"
            )
        # What is damaged of this is none of the document's.
        self.beside = {name: data for name, crc, data in beside if zlib.crc32(data) == crc}
        if found is None and stored:
            raise StorageError(f"{self.path}: what it says of itself is missing: the file is damaged")
        try:
            meta = None if found is None else decode_meta(*found)
        except ValueError as error:
            raise StorageError(f"{self.path}: {error}: the file is damaged") from error
        rows = [Row(seq, bool(own), data) for seq, own, _, data in stored]
        self._last = max(last[0] if last else 0, rows[-1].number if rows else 0)
        identity = self._identity = FileIdentity.of(self.path)
        if identity is None:
            raise StorageError(f"{self.path}: it was removed while it was opened")
        self._sidecar = Sidecar(identity.path)
        is_proved = meta is not None and self._sidecar.proves(identity, meta.token, meta.session, self._last)
        return rows, meta, is_proved

    @property
    def last(self) -> int:
        """Number of the last row there ever was."""
        return self._last

    def begin(self, meta: Meta) -> None:
        """Begin a session, which no copy of the file made before can pass for.

        Raises:
            StorageError: It could not be written.
        """
        self.write((), meta)
        self._write_sidecar(meta)

    def write(
        self,
        rows: Sequence[Row],
        meta: Meta | None = None,
        beside: Mapping[str, bytes | None] | None = None,
    ) -> None:
        """Write rows and what is known of them in one transaction, synced; and what is kept beside them.

        Raises:
            StorageError: It failed, or the file is not the one at its path any more. Nothing may be said to
                be on disk.
        """
        self._file.verify_if_lost()
        with self._file.transaction() as db:
            db.executemany(
                _INSERT, [(row.number, row.is_own, zlib.crc32(row.data), row.data) for row in rows]
            )
            if meta is not None:
                db.execute("INSERT OR REPLACE INTO meta VALUES (1, ?, ?)", encode_meta(meta))
            for name, data in (beside or {}).items():
                if data is None:
                    db.execute("DELETE FROM beside WHERE name = ?", (name,))
                else:
                    db.execute(
                        "INSERT OR REPLACE INTO beside VALUES (?, ?, ?)", (name, zlib.crc32(data), data)
                    )
        if rows:
            self._last = rows[-1].number
        self._note(meta)

    def replace(self, snapshot: bytes, last: int, kept: Collection[int], meta: Meta) -> None:
        """Replace the rows up to a number, but for some, not all, by one, in one transaction.

        Raises:
            StorageError: As for :meth:`write`.
        """
        self._file.verify_if_lost()
        with self._file.transaction() as db:
            numbers = db.execute("SELECT seq FROM updates WHERE seq <= ?", (last,)).fetchall()
            gone = [(number,) for (number,) in numbers if number not in kept]
            db.executemany("DELETE FROM updates WHERE seq = ?", gone)
            db.execute(_INSERT, (gone[-1][0], False, zlib.crc32(snapshot), snapshot))
            db.execute("INSERT OR REPLACE INTO meta VALUES (1, ?, ?)", encode_meta(meta))
        self._note(meta)

    def _note(self, meta: Meta | None) -> None:
        self._file.verify()
        if meta is not None:
            self._meta = meta
        if self._sidecar is not None:
            with suppress(OSError):  # it proves less then, and the next session has another author
                self._sidecar.note(self._last)

    def rows_up_to(self, last: int) -> list[tuple[int, bytes]]:
        """Numbers and bytes of the rows up to a number.

        Raises:
            StorageError: They cannot be read.
        """
        with self._file.reading() as db:
            return db.execute(
                "SELECT seq, CAST(data AS BLOB) FROM updates WHERE seq <= ? ORDER BY seq", (last,)
            ).fetchall()

    def close(self) -> None:
        """Close it, if it is open.

        Raises:
            StorageError: The file is not the one at its path any more.
        """
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._file.verify()
            if self._meta is not None and FileIdentity.of(self.path) != self._identity:
                self._write_sidecar(self._meta)  # the file was removed, and has been written again
        finally:
            self._file.close()
            if self._sidecar is not None:
                self._sidecar.close()

    def _write_sidecar(self, meta: Meta) -> None:
        self._identity = FileIdentity.of(self.path)
        if self._sidecar is None or self._identity is None:
            return
        try:
            self._sidecar.write(self._identity, meta.token, meta.session, self._last)
        except OSError as error:
            raise StorageError(f"{self._sidecar.path}: {error.strerror}") from error
