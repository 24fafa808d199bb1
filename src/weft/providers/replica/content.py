"""What the documents of replicas have in common: they are heard until they are closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.documents import Compactor
    from weft.documents.owned import Owned
    from weft.providers.replica.meta import Meta
    from weft.providers.replica.pending import Pending

__all__ = ["ReplicaContent"]


class ReplicaContent(ABC):
    """The document of a replica, and what the server has of it.

    Args:
        append: Writes what was heard to the file, given whether it is an own one; gives the row's number.
        changed: Called when what :meth:`note` says has changed, with whether nothing may be sent before that
            is on disk.

    Attributes:
        is_taken: Whether somebody else writes under the author's id, so that the replica is to be opened
            again.
        idle_rows: Rows below which compaction is not worth its commit when the replica is closed.
    """

    is_taken: bool = False
    idle_rows: int = 50

    def __init__(self, append: Callable[[bytes, bool], int], changed: Callable[[bool], None]) -> None:
        self._append = append
        self._changed = changed
        self._server: object = None  # the session with the server, while it is connected
        self._heard_document: Owned | None = None
        self._unsubscribe: Callable[[], None] | None = None

    def _hear(self, document: Owned, unsubscribe: Callable[[], None]) -> None:
        self._heard_document, self._unsubscribe = document, unsubscribe

    def close(self, what: str, reason: str) -> None:
        """Hear no more, and let nobody write what would be kept nowhere."""
        if self._unsubscribe is not None and self._heard_document is not None:
            self._unsubscribe()
            self._unsubscribe = None
            self._heard_document.close(what, reason)

    def _is_own(self, origin: object) -> bool:
        """Whether what was heard was not brought by the server."""
        return origin is None or origin is not self._server

    @abstractmethod
    def pending(self) -> Pending:
        """What the server has not confirmed."""

    @abstractmethod
    def pending_content(self) -> bytes:
        """The same as bytes."""

    @abstractmethod
    def note(self, meta: Meta) -> Meta:
        """What is to stand in the file of it."""

    @abstractmethod
    def compactor(self, last: int) -> Compactor:
        """What makes one row of those up to a number, on another thread; then comes :meth:`compacted`."""

    def compacted(self) -> None:  # noqa: B027 - what there is to do, if anything
        """The rows in the file have been replaced."""
