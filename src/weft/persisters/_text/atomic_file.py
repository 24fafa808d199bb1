"""Replacing a file so that after a crash at any instant the old or the new content is there, whole.

Temporary file in the same directory, fsync, rename, fsync of the directory. Writers of weft's in several
processes take turns by a lock on the directory, which leaves no file behind and ends with its process;
where the system has no such lock, the last one wins.

A file that cannot be replaced is written in place where that is asked for: ``in_place.py``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from typing import TYPE_CHECKING

_locking: ModuleType | None
try:
    import fcntl as _locking
except ImportError:  # Windows
    _locking = None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

__all__ = [
    "CannotReplaceError",
    "FileVersion",
    "file_version",
    "lock",
    "locked_folder",
    "read_file",
    "replace_file",
    "version_of_status",
]

FileVersion = tuple[int, int, int, int] | None
"""Device, inode, size, time of change in nanoseconds; ``None`` for a file that is not there."""

_MARK = ".weft-"
_SUFFIX = ".tmp"
# A mount point, a directory that may not be written, a file system that is read-only but for this file.
_IRREPLACEABLE = {errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS, errno.EXDEV}


class CannotReplaceError(OSError):
    """A file may be written, but the system does not let another take its place. Nothing was changed."""


def version_of_status(status: os.stat_result) -> FileVersion:
    """Give the version of a file that was looked at."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def file_version(path: str) -> FileVersion:
    """Look which version a file has.

    Raises:
        OSError: It cannot be seen, or its directory is not there.
    """
    try:
        return version_of_status(os.stat(path))  # noqa: PTH116 - text in, text out
    except FileNotFoundError:
        _check_folder(path)
        return None


def read_file(path: str) -> tuple[bytes | None, FileVersion]:
    """Read a file and the version read.

    Raises:
        OSError: It is there and cannot be read, or its directory is not there.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            # Of the open file: whoever replaces the path meanwhile makes another one.
            before = version_of_status(os.fstat(file.fileno()))
            data = file.read()
            # One that is written in place while we read has changed, and is read again at the next look.
            return data, before
    except FileNotFoundError:
        _check_folder(path)
        return None, None


def _check_folder(path: str) -> None:
    """Tell a file that is not there from a place that is not there: a disk not mounted is no empty file."""
    os.stat(os.path.dirname(os.path.realpath(path)))  # noqa: PTH116, PTH120 - as above


def replace_file(path: str, data: bytes, agreed: Callable[[FileVersion], bool]) -> FileVersion:
    """Replace a file, following symbolic links and keeping its mode and, where allowed, its owner.

    Args:
        path: Where; the directory must be there.
        data: The new content.
        agreed: Asked with the present version, under the lock; a false answer writes nothing.

    Returns:
        The new version, or ``None`` if not agreed.

    Raises:
        CannotReplaceError: It is there and may be written, and cannot be replaced.
        OSError: The old content is there, and nothing else.
    """
    path = os.path.realpath(path)
    try:
        return _replace(path, data, agreed)
    except OSError as error:
        if error.errno not in _IRREPLACEABLE or not _is_writable(path):
            raise
        in_the_way = path if error.errno == errno.EBUSY else os.path.dirname(path)  # noqa: PTH120 - as above
        raise CannotReplaceError(error.errno, error.strerror, in_the_way) from error


def _is_writable(path: str) -> bool:
    as_whom = {"effective_ids": True} if os.access in os.supports_effective_ids else {}
    return os.path.isfile(path) and os.access(path, os.W_OK, **as_whom)  # noqa: PTH113 - as above


def _replace(path: str, data: bytes, agreed: Callable[[FileVersion], bool]) -> FileVersion:
    folder, name = os.path.split(path)
    with locked_folder(folder):
        _sweep(folder, name)
        try:
            old = os.stat(path)  # noqa: PTH116 - as above
        except FileNotFoundError:
            old = None
        if not agreed(None if old is None else version_of_status(old)):
            return None
        temporary = os.path.join(folder, f".{name}{_MARK}{secrets.token_hex(8)}{_SUFFIX}")  # noqa: PTH118
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        try:
            try:
                if old is not None:
                    _dress(handle, old)
                view = memoryview(data)
                while view:
                    view = view[os.write(handle, view) :]
                os.fsync(handle)
                new = os.fstat(handle)
            finally:
                os.close(handle)
            os.replace(temporary, path)  # noqa: PTH105 - as above
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)  # noqa: PTH108 - as above
            raise
        _sync_folder(folder)
        return version_of_status(new)


def _dress(handle: int, old: os.stat_result) -> None:
    """Give a new file the old one's owner and mode."""
    if hasattr(os, "fchown"):
        with contextlib.suppress(PermissionError):
            os.fchown(handle, old.st_uid, old.st_gid)
    if hasattr(os, "fchmod"):
        os.fchmod(handle, stat.S_IMODE(old.st_mode))


def _sync_folder(folder: str) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lock(handle: int, *, shared: bool = False) -> None:
    """Lock what is open until it is closed, where the system can."""
    if _locking is not None:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            _locking.flock(handle, _locking.LOCK_SH if shared else _locking.LOCK_EX)


@contextlib.contextmanager
def locked_folder(folder: str) -> Iterator[None]:
    """Keep other writers of weft's in this directory waiting for the block."""
    if _locking is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        lock(handle)
        yield
    finally:
        os.close(handle)


def _sweep(folder: str, name: str) -> None:
    """Remove what writers that were killed left; whoever is alive holds the lock, and that is us."""
    if _locking is None:
        return
    start = f".{name}{_MARK}"
    with os.scandir(folder) as entries:
        left = [
            entry.path for entry in entries if entry.name.startswith(start) and entry.name.endswith(_SUFFIX)
        ]
    for path in left:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 - as above
