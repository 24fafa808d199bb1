"""A client for any y-websocket server: one document and one room, in sync while the provider is open.

Protocol: y-protocols 1.0.7 as y-websocket 3 speaks it (:mod:`weft.protocols.ysync`).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from weft._support.arguments import wrong_kind
from weft.documents.yjs import YDocument
from weft.errors import LocalProtocolError
from weft.limits import DEFAULT_LIMITS, Limits
from weft.protocols.awareness import Awareness
from weft.providers._core.provider import WebsocketProvider
from weft.providers.address import check_url, names_room
from weft.providers.replica.replica import Replica
from weft.providers.replica.yjs import YjsContent
from weft.providers.ysync.adapter import YSyncAdapter
from weft.providers.ysync.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from pycrdt import Doc

    from weft.providers._core.provider import ConnectionOptions

__all__ = ["YWebsocketProvider"]


class YWebsocketProvider(WebsocketProvider[YSyncAdapter]):
    """Keeps a document in sync with a room on a y-websocket server.

    ::

        async with YWebsocketProvider(doc, "ws://localhost:1234", "room") as provider:
            await provider.wait_synced()  # the document has what the server had
            store.set_cell("pets", "fido", "species", "dog")
            await provider.flush()  # the server has it

    It connects in the background and comes again after every interruption: see :class:`WebsocketProvider`.
    """

    def __init__(
        self,
        doc: Doc[Any] | YDocument | Replica,
        url: str,
        room: str,
        *,
        awareness: bool | Awareness = True,
        limits: Limits = DEFAULT_LIMITS,
        **options: Unpack[ConnectionOptions],
    ) -> None:
        """Describe the connection; nothing is opened yet.

        Args:
            doc: The document. Give it a 32-bit client id (``weft.documents.create_doc``): pycrdt's own are
                larger than those of JavaScript peers and win every concurrent write. A :class:`Replica` that
                is open: its document; nothing of it is sent then before it is on disk, and the replica knows
                what the server has confirmed.
            url: Base of the server, ``ws://`` or ``wss://``, without query.
            room: The room's name, put behind the base as JavaScript clients do. A base that ends with it is
                warned of: most likely the room is named twice.
            awareness: Whether to take part in awareness, or one's own ``Awareness``; providers may share it.
            limits: ``max_message`` bounds what is received, ``max_outbound`` what waits to be sent.
            options: See :class:`ConnectionOptions`.

        Raises:
            ValueError: The URL or the room cannot be used.
            LocalProtocolError: The replica is not open, or is no Yjs document's.
            ReplicaRoomError: It belongs to another room, and may not be merged with this one.
        """
        replica = doc if isinstance(doc, Replica) else None
        content = None if replica is None else replica.content
        if content is not None and not isinstance(content, YjsContent):
            raise LocalProtocolError(f"{replica!r} is no Yjs document's, and this server has Yjs rooms")
        document = content.document if content is not None else YDocument.of(doc)  # type: ignore[arg-type]
        super().__init__(check_url(url, room), limits, **options)
        if names_room(url, room):
            warnings.warn(
                f"{url!r} ends with the room's name, and the room is put behind it: this joins "
                f"{self._address!r}. If that is not meant, leave the room out of the URL",
                UserWarning,
                stacklevel=2,
            )
        if not isinstance(awareness, bool | Awareness):
            raise wrong_kind("a bool or a weft.protocols.awareness.Awareness", awareness)
        self._doc = document.doc  # the YDocument holds it weakly
        if awareness is True:
            awareness = Awareness(self._doc.client_id, limits=limits)
        self._awareness = awareness or None
        kept = None
        if replica is not None and content is not None:
            name = unquote(urlsplit(self._address).path.removeprefix("/"))  # however URL and room are divided
            replica.check_room(name)
            kept = Kept(replica, content, name)
        self._use(
            YSyncAdapter(
                document,
                awareness=self._awareness,
                limits=limits,
                clock=self._clock,
                tracker=self._tracker,
                dial=self._dial,
                kept=kept,
            )
        )
        if replica is not None:
            self._durable = replica.durable
        self.expects_connect = True

    @property
    def doc(self) -> Doc[Any]:
        """The document."""
        return self._doc

    @property
    def awareness(self) -> Awareness | None:
        """Who is in the room, or ``None`` when the provider takes no part in awareness."""
        return self._awareness

    def set_local_state(self, state: Mapping[str, Any] | None) -> None:
        """Tell the others in the room about oneself; ``None`` takes it back.

        Args:
            state: What JSON can say, at most ``limits.max_awareness_state`` bytes of it.

        Raises:
            TypeError, ValueError: It cannot be said in JSON, or is too large. Nothing changed.
            LocalProtocolError: The provider takes no part in awareness.
        """
        self._own_awareness().set_local_state(state, self._clock.now())

    def set_local_field(self, name: str, value: object) -> None:
        """Set one entry of the local state: see :meth:`set_local_state`."""
        self._own_awareness().set_local_field(name, value, self._clock.now())

    def _own_awareness(self) -> Awareness:
        self._reconnect_loop.owner.check()
        if self._awareness is None:
            raise LocalProtocolError("this provider takes no part in awareness")
        return self._awareness
