"""Replacing a file so that after a crash at any instant the old or the new content is there, whole.

Temporary file in the same directory, fsync, rename, fsync of the directory. Writers of weft's in several
processes take turns by a lock on the directory, which leaves no file behind and ends with its process;
where the system has no such lock, the last one wins.
"""

from __future__ import annotations

import contextlib
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

__all__ = ["FileVersion", "file_version", "read_file", "replace_file"]

FileVersion = tuple[int, int, int, int] | None
"""Device, inode, size, time of change in nanoseconds; ``None`` for a file that is not there."""

_MARK = ".weft-"
_SUFFIX = ".tmp"


def _version(status: os.stat_result) -> FileVersion:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def file_version(path: str) -> FileVersion:
    """Look which version a file has.

    Raises:
        OSError: It cannot be seen, or its directory is not there.
    """
    try:
        return _version(os.stat(path))  # noqa: PTH116 - text in, text out
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
            before = _version(os.fstat(file.fileno()))
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
        OSError: The old content is there, and nothing else.
    """
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    with _locked(folder):
        _sweep(folder, name)
        try:
            old = os.stat(path)  # noqa: PTH116 - as above
        except FileNotFoundError:
            old = None
        if not agreed(None if old is None else _version(old)):
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
        return _version(new)


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


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    if _locking is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            _locking.flock(handle, _locking.LOCK_EX)
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
