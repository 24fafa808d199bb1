"""One client in one room: a connection without channels, or one channel of a connection that has some."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from weft.errors import RemoteProtocolError
from weft.protocols.tinybase import (
    STORE,
    FrameReader,
    MessageType,
    Refused,
    SendMessage,
    TinyBaseSession,
    channel_frame,
    encode_message,
)
from weft.server.tinybase.answers import ROOM_FOR_HEADS, cut_answer
from weft.server.tinybase.room import frames_of_text, is_too_large, new_id

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from weft.protocols.tinybase import Effect, Fragments, Message
    from weft.server._core.batch import Batch
    from weft.server._core.refused import RefusedCounts
    from weft.server._core.send_queue import AcknowledgedQueue
    from weft.server.tinybase.room import MergeableRoom

__all__ = ["Channel", "ChannelOwner", "RefusedChangesError"]

_log = logging.getLogger("weft.server")

_CLIENT = ""  # how the session calls its one client
_BRINGS = {MessageType.RESPONSE, MessageType.CONTENT_HASHES, MessageType.CONTENT_DIFF}


class RefusedChangesError(RemoteProtocolError):
    """The document does not take what a client has, of which nothing was taken."""


class ChannelOwner(Protocol):
    """The connection of a channel.

    Attributes:
        queue: What leaves to the client.
        refused: What is refused by which bound.
    """

    queue: AcknowledgedQueue
    refused: RefusedCounts

    @property
    def name(self) -> str:
        """How the logs call the client."""

    def end(self, code: int, reason: str) -> None:
        """Let the client go."""

    def fail(self, error: BaseException) -> None:
        """Let the client go for what went wrong with it."""


class Channel:
    """One client in one room.

    Args:
        owner: Its connection.
        name: The channel's name; empty on a connection without channels.
        room_name: Which room it asks for.
        fragments: Where the connection's parts of messages wait.
        max_message: Bytes of a message.

    Attributes:
        queue: What leaves to the connection.
        prefix: What stands before each frame for the client.
        held: What holds the room open.
        opening: The task that enters the room.
        room: The room; ``None`` until it is open.
        waiting_frames: What has come until then.
    """

    def __init__(
        self, owner: ChannelOwner, name: str, room_name: str, fragments: Fragments, max_message: int
    ) -> None:
        self.name = name
        self.room_name = room_name
        self.prefix = channel_frame(name, "") if name else ""
        self.held = AsyncExitStack()
        self.opening: asyncio.Task[None] | None = None
        self.room: MergeableRoom | None = None
        self.waiting_frames: list[str] = []
        self.queue = owner.queue
        self._owner = owner
        self._reader = FrameReader(max_message, fragments=fragments, channel=name)
        self._session: TinyBaseSession | None = None
        self._is_read_only = False
        self._is_behind = False
        self._lacks = False  # something was left out of what the client has been told
        self._has_refused = False  # once is news

    # As the room sees it

    @property
    def origin(self) -> object:
        """Of what it has brought, compared by identity."""
        return self._session

    @property
    def waiting(self) -> int:
        """Bytes that have not left to the connection yet."""
        return self.queue.size

    def end(self, code: int, reason: str) -> None:
        """Let the client go."""
        self._owner.end(code, reason)

    def tell(self, batch: Batch) -> None:
        """Send what others have changed; to who is behind, later that there is something."""
        if self._is_behind:
            return
        try:
            if not self.queue.put(batch) and self.queue.is_full:
                self._is_behind = True
                self._owner.refused.count("max_outbound")
                _log.info("%s reads slowly; it will ask for what it misses", self._owner.name)
        except Exception as error:  # noqa: BLE001 - one connection's fault ends that connection
            self._owner.fail(error)

    def leave_out(self) -> None:
        """Others have changed more than fits into a message: have the client come for it, in a moment."""
        self._lacks = True

    def tick(self, now: float) -> None:
        """Let time pass."""
        try:
            if self._session is not None:
                self._perform(self._session.tick(now))
                if self._lacks and self.queue.size == 0:
                    self._lacks = False
                    self._perform(self._session.announce())
        except Exception as error:  # noqa: BLE001 - as above
            self._owner.fail(error)

    # As the connection sees it

    def opened(self, room: MergeableRoom, *, read_only: bool) -> None:
        """Be in the room from now on."""
        self.room = room
        self._is_read_only = read_only
        self._session = TinyBaseSession(room.document, role="server", new_id=new_id)
        self._session.connected(room.clock())
        room.clients.add(self)

    def receive(self, text: str) -> bool:
        """Take in one frame; whether it asks for something.

        Raises:
            RemoteProtocolError: It is malformed, or brings what the document does not take.
        """
        room, session = self.room, self._session
        if room is None or session is None:
            self.waiting_frames.append(text)
            return False
        frame = self._reader.receive(text, room.clock())
        if frame is None or frame.address not in {"", STORE}:
            # Nobody is told of other clients, so nobody speaks to one.
            return False
        message = frame.message
        if self._is_read_only and message.type in _BRINGS:
            self._refuse(message)
            if (
                message.type is MessageType.CONTENT_HASHES
                and message.body != room.document.get_content_hashes()
            ):
                self._perform(session.announce())  # as the session does, which asks a reader nothing
            return False
        self._perform(session.receive(_CLIENT, message, room.clock()), message.type)
        return message.type not in {MessageType.RESPONSE, MessageType.CONTENT_DIFF}

    def refill(self) -> None:
        """Everything has left: who was told nothing meanwhile is told that there is something."""
        if self._is_behind and self._session is not None:
            self._is_behind = False
            self._perform(self._session.announce())

    def left(self) -> None:
        """Be in the room no more."""
        if self.room is not None and self._session is not None:
            self.room.clients.discard(self)
            self._session.disconnected()
            self._session = None

    def _refuse(self, message: Message) -> None:
        """Take nothing of who may only read; its protocol has no word for that."""
        if message.type is MessageType.CONTENT_DIFF and not self._has_refused:
            self._has_refused = True
            _log.warning(
                "%s may only read room %.200r: what it writes is not taken, and stays with it alone",
                *(self._owner.name, self.room_name),
            )

    def _perform(self, effects: Sequence[Effect], question: MessageType | None = None) -> None:
        for effect in effects:
            if isinstance(effect, SendMessage):
                self._send(effect.message, question)
            elif isinstance(effect, Refused):
                raise RefusedChangesError(str(effect.error))

    def _send(self, message: Message, question: MessageType | None) -> None:
        if self.room is None:
            return
        limits, text = self.room.limits, encode_message(message)
        if question is not None and is_too_large(text, limits):
            self._lacks = True
            body = cut_answer(question, message.body, limits.max_message - ROOM_FOR_HEADS)
            text = encode_message(replace(message, body=body))
        batch = frames_of_text(self.prefix, text, limits)
        # Whatever it is counts as an answer: of who does not read what it is sent, no more is read.
        ticket = self.room.log.ticket if message.type is MessageType.RESPONSE else 0
        self.queue.put_answer(batch, ticket)
