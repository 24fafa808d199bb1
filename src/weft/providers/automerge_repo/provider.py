"""A client for any automerge-repo server: documents that are in sync while the provider is open.

Protocol: automerge-repo 2.5's, version 1, over websockets (:mod:`weft.protocols.automerge_repo`).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from weft._support.arguments import wrong_kind
from weft.documents.automerge import AutomergeDocument
from weft.errors import LocalProtocolError
from weft.limits import DEFAULT_LIMITS, Limits
from weft.protocols.automerge_repo import encode_document_id, parse_document_url
from weft.providers._core.provider import WebsocketProvider
from weft.providers.address import check_server
from weft.providers.automerge_repo.adapter import RepoAdapter
from weft.providers.automerge_repo.handle import DocHandle
from weft.providers.automerge_repo.kept import Kept
from weft.providers.replica.automerge import AutomergeContent
from weft.providers.replica.replica import Replica

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from weft.providers._core.provider import ConnectionOptions
    from weft.providers.automerge_repo.document import EphemeralListener

__all__ = ["AutomergeWebsocketProvider"]


class AutomergeWebsocketProvider(WebsocketProvider[RepoAdapter]):
    """Keeps Automerge documents in sync with an automerge-repo server, all over one connection.

    ::

        async with AutomergeWebsocketProvider(document, "ws://localhost:3030") as provider:
            print(provider.document_url)  # for others to find it
            store.set_cell("pets", "fido", "species", "dog")
            await provider.flush()  # the server has it
            other = provider.add(AutomergeDocument(), "automerge:2j9knp...")
            await other.wait_synced()

    It connects in the background and comes again after every interruption: see :class:`WebsocketProvider`.
    No transaction of a document may be held open while the event loop runs.
    """

    def __init__(
        self,
        document: AutomergeDocument | Replica,
        url: str,
        document_url: str | None = None,
        *,
        peer_id: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
        **options: Unpack[ConnectionOptions],
    ) -> None:
        """Describe the connection; nothing is opened yet.

        Args:
            document: The document; :meth:`add` takes more of them. A :class:`Replica` that is open: its
                document, under its URL; nothing of it is sent then before it is on disk, and the replica
                knows what the server has confirmed.
            url: The server, ``ws://`` or ``wss://``, without query.
            document_url: Which document it is: an ``automerge:`` URL, or the id in it. ``None`` draws a new
                id: the document is one that nobody else has so far.
            peer_id: The name of this peer, different from every other's; drawn at random by default.
            limits: ``max_message`` bounds what is received, beside the documents' own limits, and
                ``max_ephemeral`` what is broadcast. What waits to be sent waits in the documents.
            options: See :class:`ConnectionOptions`.

        Raises:
            ValueError: One of the URLs cannot be used.
            LocalProtocolError: A transaction of the document is open, or the replica is not, or is no
                Automerge document's.
        """
        super().__init__(check_server(url), limits, **options)
        self._use(
            RepoAdapter(
                peer_id=f"weft-{secrets.token_hex(8)}" if peer_id is None else peer_id,
                session_id=secrets.token_hex(8),
                limits=limits,
                clock=self._clock,
                tracker=self._tracker,
                dial=self._dial,
            )
        )
        self._durable = self._adapter.durable
        self._handle = self.add(document, document_url)
        self.expects_connect = True

    @property
    def peer_id(self) -> str:
        """The name of this peer, which others see beside what it broadcasts."""
        return self._adapter.session.peer_id

    @property
    def handle(self) -> DocHandle:
        """The first document's handle."""
        return self._handle

    @property
    def document(self) -> AutomergeDocument:
        """The first document."""
        return self._handle.document

    @property
    def document_url(self) -> str:
        """The first document's URL, under which others find it."""
        return self._handle.url

    def add(self, document: AutomergeDocument | Replica, document_url: str | None = None) -> DocHandle:
        """Keep another document in sync over the same connection; ``close()`` of what is returned ends it.

        Args:
            document: The document.
            document_url: As for the class.

        Raises:
            ValueError: The URL is none, or that document was added before.
            LocalProtocolError: A transaction of the document is open.
        """
        if isinstance(document, Replica):
            return self._add_kept(document, document_url)
        if not isinstance(document, AutomergeDocument):
            raise wrong_kind("a weft.AutomergeDocument", document)
        if document_url is not None and not isinstance(document_url, str):
            raise wrong_kind("an automerge: URL, as str,", document_url)
        if document_url is None:
            document_id = encode_document_id(secrets.token_bytes(16))
        else:
            document_id = parse_document_url(document_url)
        shared = self._adapter.add(document_id, document, is_new=document_url is None)
        return DocHandle(self._adapter, shared)

    def _add_kept(self, replica: Replica, document_url: str | None) -> DocHandle:
        content = replica.content
        if not isinstance(content, AutomergeContent):
            raise LocalProtocolError(f"{replica!r} is no Automerge document's, as this server has them")
        document_id = parse_document_url(replica.url)
        if document_url is not None and parse_document_url(document_url) != document_id:
            raise ValueError(f"the replica's document is {replica.url}, not {document_url}")
        kept = Kept(replica, content, document_id, self._adapter.session)
        shared = self._adapter.add(document_id, content.doc, is_new=replica.is_new, kept=kept)
        return DocHandle(self._adapter, shared)

    def broadcast(self, message: object) -> bool:
        """Say something about the first document that is not kept: see :meth:`DocHandle.broadcast`."""
        return self._handle.broadcast(message)

    def add_ephemeral_listener(self, listener: EphemeralListener) -> Callable[[], None]:
        """Hear what others say about the first document: see :meth:`DocHandle.add_ephemeral_listener`."""
        return self._handle.add_ephemeral_listener(listener)
