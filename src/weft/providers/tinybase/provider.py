"""A client for any of TinyBase's servers: mergeable documents that are in sync while the provider is open.

Protocol: TinyBase's websocket synchronizer, 10.0.1 and down to 5.4 (:mod:`weft.protocols.tinybase`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from weft._support.arguments import check_seconds, wrong_kind
from weft.errors import LocalProtocolError
from weft.limits import DEFAULT_LIMITS, Limits
from weft.protocols.tinybase import SUBPROTOCOL, check_channel
from weft.providers._core.provider import WebsocketProvider
from weft.providers.address import check_server
from weft.providers.replica.replica import Replica
from weft.providers.tinybase.adapter import TinyBaseAdapter
from weft.providers.tinybase.document import document_of
from weft.providers.tinybase.kept import Kept

if TYPE_CHECKING:
    from typing import Unpack

    from weft.documents.mergeable import MergeableDocument
    from weft.providers._core.provider import ConnectionOptions
    from weft.providers.tinybase.document import HasDocument, SharedDocument

__all__ = ["TinyBaseChannel", "TinyBaseProvider"]


class TinyBaseProvider(WebsocketProvider[TinyBaseAdapter]):
    """Keeps a ``MergeableStore`` in sync with a room on one of TinyBase's servers, or weft's.

    ::

        store = MergeableStore()
        async with TinyBaseProvider(store, "ws://localhost:8048/pets") as provider:
            await provider.wait_synced()  # the Store has what the server had
            store.set_cell("pets", "fido", "species", "dog")
            await provider.flush()  # the server's own store has it

    It connects in the background and comes again after every interruption: see :class:`WebsocketProvider`.
    A server that only relays (``createWsServerSimple``, or ``createWsServer`` without a persister) has no
    store of its own. There :meth:`wait_synced` waits for another client, or until it is clear that nobody has
    anything, and :meth:`flush` raises a :class:`~weft.errors.ProviderError`.
    """

    def __init__(
        self,
        document: MergeableDocument | HasDocument | Replica,
        url: str,
        channel: str | None = None,
        *,
        fragment_size: int | None = None,
        request_timeout: float = 1.0,
        limits: Limits = DEFAULT_LIMITS,
        **options: Unpack[ConnectionOptions],
    ) -> None:
        """Describe the connection; nothing is opened yet.

        Args:
            document: A ``MergeableStore``, or its document. A :class:`Replica` that is open: its document;
                nothing of it is sent then before it is on disk, and the replica knows what the server has
                confirmed.
            url: The room: ``ws://`` or ``wss://``, a host and the room's path, as JavaScript's clients write
                it. TinyBase's servers take the path as it stands, not decoded.
            channel: Use channels, which TinyBase has from 9.3 on: the room is ``url``, a slash and this, and
                :meth:`add` has further ones over the same websocket.
            fragment_size: Bytes of the parts in which messages are sent; whole by default, and in parts where
                the server takes no large ones. TinyBase reads parts from 9.0 on.
            request_timeout: Seconds that everybody has to answer who is there; TinyBase's default. The
                server's store has ten times that, before it is taken for missing.
            limits: ``max_message`` bounds what is received, ``max_outbound`` what waits to be sent.
            options: See :class:`ConnectionOptions`.

        Raises:
            TypeError: The document is none.
            ValueError: The URL, the channel or a number cannot be used.
            LocalProtocolError: The replica is not open, or is another kind of document's.
            ReplicaRoomError: It belongs to another room, and may not be merged with this one.
        """
        if isinstance(document, str) and not isinstance(url, str):
            raise wrong_kind("the document first, and then the URL:", document)
        check_seconds("request_timeout", request_timeout)
        if fragment_size is not None and (type(fragment_size) is not int or fragment_size < 1):
            raise ValueError(f"fragment_size is a number of bytes, not {fragment_size!r}")
        if channel is not None:
            check_channel(channel)
            if options.get("subprotocols") is not None:
                raise ValueError("channels have a subprotocol of their own: give channel or subprotocols")
            options["subprotocols"] = [SUBPROTOCOL]
        address = check_server(url)
        super().__init__(address if channel is None else address.rstrip("/"), limits, **options)
        self._use(
            TinyBaseAdapter(
                has_channels=channel is not None,
                fragment_size=fragment_size,
                request_timeout=request_timeout,
                address=address,
                limits=limits,
                clock=self._clock,
                tracker=self._tracker,
                dial=self._dial,
            )
        )
        self._durable = self._adapter.durable
        self._document = self._add(document, channel).document
        self.expects_connect = True

    def _add(self, given: MergeableDocument | HasDocument | Replica, channel: str | None) -> SharedDocument:
        if not isinstance(given, Replica):
            return self._adapter.add(document_of(given), channel or "")
        kept = Kept(given, self._address, channel)
        return self._adapter.add(kept.content.doc, channel or "", kept)

    @property
    def document(self) -> MergeableDocument:
        """The first document."""
        return self._document

    def add(self, document: MergeableDocument | HasDocument | Replica, channel: str) -> TinyBaseChannel:
        """Keep another document in sync over the same websocket, in a channel of its own.

        Args:
            document: As for the class.
            channel: The channel, below the URL of this provider.

        Returns:
            A handle of it; its ``close()`` ends it.

        Raises:
            LocalProtocolError: The provider was made without a channel, or has a hundred.
            TypeError, ValueError: The document or the channel cannot be used, or the provider has the channel
                already.
            WrongThreadError: It runs in another thread.
        """
        self._reconnect_loop.owner.check()
        if not self._adapter.has_channels:
            raise LocalProtocolError("this provider has no channels: give one to the class")
        return TinyBaseChannel(self._adapter, self._add(document, check_channel(channel)))


class TinyBaseChannel:
    """A document in a channel of a provider; made by :meth:`TinyBaseProvider.add`."""

    def __init__(self, adapter: TinyBaseAdapter, shared: SharedDocument) -> None:
        self._adapter = adapter
        self._shared = shared

    @property
    def channel(self) -> str:
        """The name of the channel."""
        return self._shared.channel

    @property
    def document(self) -> MergeableDocument:
        """The document."""
        return self._shared.document

    @property
    def synced(self) -> bool:
        """Whether the server's state has been received on the present connection."""
        return self._shared.synced

    @property
    def unconfirmed(self) -> int:
        """How many writes of the document the server has not confirmed."""
        return self._shared.confirmations.unconfirmed

    async def wait_synced(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it raises our own error
        """Like the provider's ``wait_synced``, for this document alone."""
        await self._adapter.wait_one_synced(self._shared, timeout)

    async def flush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it raises our own error
        """Like the provider's ``flush``, for this document alone."""
        await self._adapter.flush_one(self._shared, timeout)

    def close(self) -> None:
        """Leave the channel; the end of a ``with`` block does so too.

        What was written is sent, but not waited for: call :meth:`flush` before, if that matters. Calling it
        again does nothing.
        """
        self._adapter.remove(self._shared)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<TinyBaseChannel {self.channel} {'synced' if self.synced else 'not synced'}>"
