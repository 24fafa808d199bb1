"""Whether a file that is open is still the one at its path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

__all__ = ["FileIdentity"]


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Which file stood at a path: two are equal where it is the same file, whatever is in it.

    Take it right after the file was opened, and ask :meth:`loss` before what was written is confirmed: who
    removes or replaces an open file leaves its user one that has no name, which nobody will read again. As
    long as the file is open, no other gets its inode.

    Attributes:
        path: Where, made absolute.
        device: Device of the file system.
        inode: Number of the file on it.
    """

    path: str
    device: int
    inode: int

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Self | None:
        """Look which file is there, symbolic links followed; ``None`` where there is none.

        Raises:
            OSError: The directory may not be looked into, and the like.
        """
        absolute = os.path.abspath(os.fspath(path))  # noqa: PTH100 - the working directory may change
        try:
            status = os.stat(absolute)  # noqa: PTH116 - text in, text out
        except (FileNotFoundError, NotADirectoryError):
            return None
        return cls(absolute, status.st_dev, status.st_ino)

    def loss(self) -> str | None:
        """Say what became of the file, for a sentence that begins with its path; ``None`` if it is there."""
        try:
            now = self.of(self.path)
        except OSError as error:
            return f"cannot be seen any more ({error.strerror})"
        if now is None:
            return "was removed while it was open"
        return None if now == self else "was replaced by another file while it was open"
