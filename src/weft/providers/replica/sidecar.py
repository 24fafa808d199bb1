"""The file beside a replica's that says which file it is: without it, a copy would pass for the original.

What writes under one client id must be one: two that write different things under one id never agree. A copy
of the file, and the file as it was some time ago, have the id too. So here stand, where copying the file does
not bring them: the device and inode of the file, a random token, the number of the session, and the number of
the last row, which is written after each commit without being synced: the end of the process does not take
it, and after a loss of power it is too low, which proves less and breaks nothing.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft._support.files import FileIdentity

__all__ = ["Sidecar", "encode_proof", "is_proof"]

_MAGIC = b"weft-id1"
_FORM = struct.Struct(">8sQQ16sQ")
_LAST = struct.Struct(">Q")


def encode_proof(identity: FileIdentity, token: str, session: int, last: int) -> bytes:
    """What stands beside the file: which file it is, the token and session in it, and its last row."""
    return _FORM.pack(_MAGIC, identity.device, identity.inode, bytes.fromhex(token), session) + _LAST.pack(
        last
    )


def is_proof(data: bytes, identity: FileIdentity, token: str, session: int, last: int) -> bool:
    """Whether what stands beside a file says that it is the one written here last, and as it was left."""
    if len(data) != _FORM.size + _LAST.size or not token:
        return False
    expected = encode_proof(identity, token, session, 0)[: _FORM.size]
    return data.startswith(expected) and _LAST.unpack_from(data, _FORM.size)[0] <= last


class Sidecar:
    """The file with the ending ``-id``. Used by one thread.

    Args:
        path: The replica's file, made absolute.
    """

    def __init__(self, path: str) -> None:
        self.path = f"{path}-id"
        self._descriptor: int | None = None

    def proves(self, identity: FileIdentity, token: str, session: int, last: int) -> bool:
        """Whether the file is the one that was written here last, and as it was left.

        Args:
            identity: Of the file.
            token: In the file.
            session: In the file.
            last: Number of its last row.
        """
        try:
            data = Path(self.path).read_bytes()
        except OSError:
            return False
        return is_proof(data, identity, token, session, last)

    def write(self, identity: FileIdentity, token: str, session: int, last: int) -> None:
        """Write it anew; it stays open for :meth:`note`.

        Raises:
            OSError: It cannot be written.
        """
        self.close()
        new = f"{self.path}-new"
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        try:
            os.write(descriptor, encode_proof(identity, token, session, last))
            os.fsync(descriptor)
            Path(new).replace(self.path)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def note(self, last: int) -> None:
        """Write the number of the last row.

        Raises:
            OSError: It cannot be written.
        """
        if self._descriptor is not None:
            os.lseek(self._descriptor, _FORM.size, os.SEEK_SET)
            os.write(self._descriptor, _LAST.pack(last))

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
