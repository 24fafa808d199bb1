"""What a provider tells the replica of a document: what the server has said to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.protocols.automerge_repo import RepoSession
    from weft.providers.replica.automerge import AutomergeContent
    from weft.providers.replica.replica import Replica

__all__ = ["Kept"]


class Kept:
    """A replica, as the session of its document sees it.

    Args:
        replica: The replica.
        content: Its document.
        document_id: Of it.
        session: With the server.
    """

    def __init__(
        self, replica: Replica, content: AutomergeContent, document_id: str, session: RepoSession
    ) -> None:
        self.content = content
        self._replica = replica
        self._document_id = document_id
        self._session = session
        self._heads: tuple[bytes, ...] | None = None

    def attach(self) -> None:
        """Raises ``LocalProtocolError`` where another provider has the replica."""
        self._replica.attach(self)
        self.content.connected(self._session)

    def detach(self) -> None:
        """Let another provider have it."""
        self._replica.detach(self)

    def heard(self) -> None:
        """A message has come."""
        heads = self._session.announced(self._document_id)
        if heads is not None and heads != self._heads and self.content.announced(heads):
            self._heads = heads
            if not self.content.pending():
                self._replica.note_synced()

    async def durable(self) -> None:
        """See ``Replica.durable``."""
        await self._replica.durable()
