"""What an Automerge document is restored from when a panic poisons it, or what was received is refused.

An older fork, and what came since: a fork for each message would cost half as much again as the message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.automerge.sync_message import make_sync_message
from weft.documents.automerge.binding import SyncState, contained, decode_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.documents.automerge.binding import CoreDocument

__all__ = ["RestorePoint"]

_MAX_LOG = 256  # chunks since the last fork
_MAX_LOG_SIZE = 256 * 1024  # bytes of them


class RestorePoint:
    """A fork of a document and the changes that the document has beside it."""

    __slots__ = ("_core", "_log", "_size")

    def __init__(self, core: CoreDocument) -> None:
        self._core = core.fork()
        self._log: list[bytes] = []
        self._size = 0

    def add(self, chunks: Sequence[bytes]) -> None:
        """Note what the document has taken in."""
        self._log += chunks
        self._size += sum(map(len, chunks))

    def trim(self, core: CoreDocument) -> None:
        """Fork the document again if much has come since."""
        if len(self._log) > _MAX_LOG or self._size > _MAX_LOG_SIZE:
            self._core = core.fork()
            self._log.clear()
            self._size = 0

    def rebuild(self, actor: bytes) -> CoreDocument:
        """Make the document anew, with all that was noted.

        Raises:
            RemoteProtocolError: The binding does not take it any more.
        """
        core = self._core.fork()
        core.set_actor(actor)
        with contained("restore the document"):
            core.receive_sync_message(SyncState(), decode_message(make_sync_message((), self._log)))
        return core
