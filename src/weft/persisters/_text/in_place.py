"""Writing a file in place, for one that cannot be replaced: a mount point, a directory not to be written.

A crash in the middle of a write leaves a file that is half old and half new: this is the price. What goes
wrong without a crash, a full disk say, is undone. Writers and readers of weft's take turns by a lock on the
file itself, and writers by that on its directory too, as those that replace files do.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from weft.persisters._text.atomic_file import (
    FileVersion,
    file_version,
    lock,
    locked_folder,
    version_of_status,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["overwrite_file", "read_locked"]

_BINARY = getattr(os, "O_BINARY", 0)


def read_locked(path: str) -> tuple[bytes | None, FileVersion]:
    """Read a file and its version while nobody of weft's writes it in place.

    Raises:
        OSError: It is there and cannot be read, or its directory is not there.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - text in, text out
            lock(file.fileno(), shared=True)
            version = version_of_status(os.fstat(file.fileno()))
            return file.read(), version
    except FileNotFoundError:
        return None, file_version(path)  # which raises where the directory is missing


def overwrite_file(path: str, data: bytes, agreed: Callable[[FileVersion], bool]) -> FileVersion:
    """Write a file in place, or make it; arguments and result as those of ``replace_file``.

    Raises:
        OSError: The old content is there, unless putting it back failed too.
    """
    path = os.path.realpath(path)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # one that may not be looked into: the file's lock will do
            stack.enter_context(locked_folder(os.path.dirname(path)))  # noqa: PTH120 - as above
        try:
            handle = os.open(path, os.O_RDWR | _BINARY)
        except FileNotFoundError:
            if not agreed(None):
                return None
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
            stack.callback(os.close, handle)
            lock(handle)
            before = None
        else:
            stack.callback(os.close, handle)
            lock(handle)
            before = os.fstat(handle)
            if not agreed(version_of_status(before)):
                return None
        _overwrite(handle, data)
        after = os.fstat(handle)
        if before is not None and after.st_mtime_ns <= before.st_mtime_ns:
            # Two writes within one tick of the file system's clock: versions must differ all the same.
            with contextlib.suppress(OSError):  # the file may be another user's
                os.utime(handle, ns=(after.st_atime_ns, before.st_mtime_ns + 1))
            after = os.fstat(handle)
        return version_of_status(after)


def _overwrite(handle: int, data: bytes) -> None:
    with open(handle, "r+b", buffering=0, closefd=False) as file:
        old = file.read()
        try:
            _write(file.fileno(), data)
        except OSError:
            with contextlib.suppress(OSError):
                _write(file.fileno(), old)
            raise


def _write(handle: int, data: bytes) -> None:
    os.lseek(handle, 0, os.SEEK_SET)
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
    os.ftruncate(handle, len(data))
    os.fsync(handle)
