"""One document of an automerge-repo provider, as its owner sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from weft._support.callbacks import subscribe
from weft.errors import LocalProtocolError, RemoteProtocolError
from weft.protocols.automerge_repo import decode, encode
from weft.providers.automerge_repo.presence import Presence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from weft.documents.automerge import AutomergeDocument
    from weft.providers.automerge_repo.adapter import RepoAdapter
    from weft.providers.automerge_repo.document import EphemeralListener, SharedDocument

__all__ = ["DocHandle"]


class DocHandle:
    """A document in a provider's care; made by ``AutomergeWebsocketProvider.add``."""

    def __init__(self, adapter: RepoAdapter, shared: SharedDocument) -> None:
        self._adapter = adapter
        self._shared = shared

    @property
    def document(self) -> AutomergeDocument:
        """The document."""
        return self._shared.document

    @property
    def document_id(self) -> str:
        """Its id."""
        return self._shared.document_id

    @property
    def url(self) -> str:
        """Its URL, under which others find it: ``automerge:`` and the id."""
        return self._shared.url

    @property
    def synced(self) -> bool:
        """Whether what the server had of it has been received on the present connection."""
        return self._shared.synced

    @property
    def unavailable(self) -> bool:
        """Whether the server said that nobody has it, and has not brought it since."""
        return self._shared.unavailable

    async def wait_synced(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it raises our own error
        """Like the provider's ``wait_synced``, for this document alone.

        A document that nobody has is waited for: somebody may bring it. That the server has not got it is
        reported, and stands in the message of the ``SyncTimeoutError``.
        """
        await self._adapter.wait_one_synced(self._shared, timeout)

    async def flush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it raises our own error
        """Like the provider's ``flush``, for this document alone."""
        await self._adapter.flush_one(self._shared, timeout)

    def broadcast(self, message: object) -> bool:
        """Say something to everybody who has the document open; it is not kept.

        Args:
            message: What JSON can say, and bytes; at most ``limits.max_ephemeral`` bytes of CBOR.

        Returns:
            Whether it was given to the connection. Without one, or when that is too slow, it is lost.

        Raises:
            TypeError, ValueError: It is something else, or too large.
            ProviderClosedError: The document was removed.
        """
        return self._adapter.broadcast(self._shared, self._encode(message))

    def add_ephemeral_listener(self, listener: EphemeralListener) -> Callable[[], None]:
        """Call ``listener(message, peer_id)`` with what others broadcast about the document.

        Returns:
            A function that ends it.
        """
        return subscribe(self._shared.listeners, listener)

    def presence(self, state: Mapping[str, object] | None = None) -> Presence:
        """Take part in presence: tell the others who have the document open about oneself, and hear of them.

        It is what automerge-repo's ``Presence`` is in JavaScript, and speaks with it. ``close()`` ends it.

        Args:
            state: What to tell, channel by channel.

        Raises:
            TypeError, ValueError: It cannot be broadcast.
            LocalProtocolError: The document has its presence already.
        """
        adapter, shared = self._adapter, self._shared
        if shared.presence is not None and shared.presence.is_present:
            raise LocalProtocolError(f"{shared.url} has its presence already")
        shared.presence = Presence(
            state or {},
            check=self._encode,
            say=self.broadcast,
            rearm=adapter.wake,
            clock=adapter.clock,
            limits=adapter.limits,
            report=adapter.tracker.report,
        )
        if shared.synced:
            shared.presence.announce()
        return shared.presence

    def close(self) -> None:
        """Take the document out of the provider's care; the end of a ``with`` block does so too.

        What was written is sent, but not waited for: call :meth:`flush` before, if that matters. Calling it
        again does nothing.
        """
        self._adapter.remove(self._shared)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "synced" if self.synced else "unavailable" if self.unavailable else "not synced"
        return f"<DocHandle {self.url} {state}>"

    def _encode(self, message: object) -> bytes:
        self._adapter.reconnect_loop.owner.check()  # before one's own state is another than what is told
        data = encode(message)
        if len(data) > self._adapter.limits.max_ephemeral:
            raise ValueError(f"an ephemeral message of {len(data)} bytes is too large")
        try:
            decode(data)
        except RemoteProtocolError as error:
            raise ValueError(f"other peers could not read it: {error}") from error
        return data
