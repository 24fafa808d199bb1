"""A replica's Automerge document: filled from the rows, and heard by the file.

Its changes are named by their hashes, so there is nothing to keep beside them: what the server has confirmed
is what the heads that it announced last stand for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.documents.automerge import AutomergeDocument
from weft.documents.automerge.log import LogRows
from weft.providers.replica.content import ReplicaContent
from weft.providers.replica.meta import replace
from weft.providers.replica.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft.documents import Compactor
    from weft.documents.automerge import DocumentEvent
    from weft.limits import Limits
    from weft.providers.replica.file import Row
    from weft.providers.replica.meta import Meta

__all__ = ["AutomergeContent"]

_HASH = 32  # bytes


class AutomergeContent(ReplicaContent):
    """The document of a replica, and what the server has of it.

    Args:
        rows: Of the file.
        meta: Of the file.
        append: As of the base class; ``changed`` likewise.
        limits: Bounds of what is received.

    Raises:
        RemoteProtocolError: The rows are no document.
    """

    idle_rows = 2  # of changes a document is made ten times as slowly as of a saved one

    def __init__(
        self,
        rows: Sequence[Row],
        meta: Meta,
        *,
        append: Callable[[bytes, bool], int],
        changed: Callable[[bool], None],
        limits: Limits,
    ) -> None:
        super().__init__(append, changed)
        data = [row.data for row in rows]
        self.doc = AutomergeDocument.from_rows(data, actor=bytes.fromhex(meta.author), limits=limits)
        self._rows = LogRows(self.doc, data)
        heads = meta.confirmed
        self._confirmed = tuple(heads[at : at + _HASH] for at in range(0, len(heads), _HASH))
        self._pending: tuple[object, Pending] = (None, Pending())  # and the heads of both sides that it is of
        self._hear(self.doc, self.doc.subscribe(self._heard))

    def _heard(self, event: DocumentEvent) -> None:
        data = b"".join(event.changes)
        self._append(data, self._is_own(event.origin))
        self._rows.note(data)

    def connected(self, session: object) -> None:
        """A connection to the server begins."""
        self._server = session

    def announced(self, heads: tuple[bytes, ...]) -> bool:
        """The server says what it has: what it had confirmed, and has lost, is pending again.

        Returns:
            Whether all of that is here; otherwise it is about to come.
        """
        if not self.doc.includes(heads):
            return False
        if heads != self._confirmed:
            self._confirmed = heads
            self._changed(False)
        return True

    def pending(self) -> Pending:
        """What the server has not confirmed."""
        key = (self.doc.heads, self._confirmed)
        if self._pending[0] != key:
            changes = self.doc.changes_since(self._confirmed) if key[0] != key[1] else []
            self._pending = key, Pending(len(changes), sum(map(len, changes)))
        return self._pending[1]

    def pending_content(self) -> bytes:
        """The same as chunks of changes, one behind the other."""
        return b"".join(self.doc.changes_since(self._confirmed)) if self.pending() else b""

    def note(self, meta: Meta) -> Meta:
        """What is to stand in the file of it."""
        return replace(meta, confirmed=b"".join(self._confirmed))

    def compactor(self, last: int) -> Compactor:
        """What makes one row of those that the document has."""
        del last  # it knows the rows by what is in them
        return self._rows.compactor()
