"""One client that speaks as TinyBase does: a connection of one room, or one with a channel for each of many.

Wire format: TinyBase 10.0.1, ``createWsServer``: text frames, see :mod:`weft.protocols.tinybase`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from weft.errors import RemoteProtocolError, RoomDamagedError, RoomDeletedError
from weft.protocols.tinybase import ChannelFrame, Channels, Control, Fragments, close_code, text_of
from weft.server._core.batch import Batch
from weft.server._core.peer import close_code_for
from weft.server.asking_peer import AskingPeer
from weft.server.auth import Deny
from weft.server.names import check_room
from weft.server.tinybase.channel import Channel, RefusedChangesError
from weft.server.tinybase.room import MergeableRoom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weft.server._core.link import Link
    from weft.server.auth import Request
    from weft.server.tinybase.rooms import MergeableRooms

__all__ = ["TinyBasePeer"]

_log = logging.getLogger("weft.server")

_TRY_AGAIN_LATER = 1013  # RFC 6455, section 7.4.1, and its registry


class TinyBasePeer(AskingPeer[MergeableRoom]):
    """One client, with the rooms that it is in.

    Args:
        link: The client's connection.
        rooms: The server's rooms.
        request: What is known of the client; ``room`` is what it asks for, or its channels are below.
        has_channels: Whether it speaks of channels.
        released: Called once, when the client has gone or was let go.
    """

    def __init__(
        self,
        link: Link,
        rooms: MergeableRooms,
        request: Request,
        *,
        has_channels: bool,
        released: Callable[[], None],
    ) -> None:
        super().__init__(link, rooms, released=released)
        self.refused = rooms.refused
        self._request = request
        self._max_message = rooms.limits.max_message
        self._fragments = Fragments(self._max_message)
        self._protocol = Channels() if has_channels else None
        self._channels: dict[str, Channel] = {}

    @property
    def name(self) -> str:
        """How the logs call the client."""
        return f"{self._request.remote} with TinyBase in {self._request.room!r:.200}"

    def held(self) -> Iterator[tuple[int, int]]:
        """What waits in memory for it, also of what it has said."""
        yield 0, self._backlog + self._fragments.waiting
        yield from super().held()

    def refill(self) -> None:
        """The queue is empty: put in what was held back while it was full."""
        for channel in self._channels.values():
            channel.refill()

    def _join(self) -> None:
        """Nobody hears of it yet."""

    def _connected(self) -> None:
        if self._protocol is None:
            self._link.admit()
            self._begin("", self._request.room, None)

    def _receive(self, message: bytes) -> None:
        text = text_of(message, self._max_message)
        self._note_received(message)
        if self._protocol is None:
            self._take(self._channels[""], text)
            return
        frame, answer = self._protocol.receive(text)
        if isinstance(frame, ChannelFrame):
            self._take(self._channels[frame.channel], frame.frame)
        elif frame is None:
            if answer is not None:  # to its hello, most likely
                self._link.admit()
                self.queue.put_answer(Batch([answer.encode()]), 0)
        elif frame.control is Control.SUBSCRIBE:
            self._begin(str(frame.argument), self._room_of(str(frame.argument)), answer)
        else:
            self._drop(self._channels.pop(str(frame.argument)))

    def _take(self, channel: Channel, text: str) -> None:
        if channel.receive(text):
            self._link.note_questions(1)
        if self._fragments.waiting:
            self._link.note_held(len(text))
        if channel.room is not None:
            self._note_written(channel.room)

    def _room_of(self, channel: str) -> str:
        try:
            return check_room(f"{self._request.room}/{channel}" if self._request.room else channel)
        except ValueError as error:
            raise RemoteProtocolError(f"channel {channel!r:.100}: {error}") from error

    # Opening

    def _begin(self, name: str, room_name: str, answer: str | None) -> None:
        """Enter a room, if the client may; the answer is said when it is known that it may."""
        if not self._link.enter_room():
            self.end(_TRY_AGAIN_LATER, "tinybase:15:channels" if name else "too many rooms")
            return
        channel = Channel(self, name, room_name, self._fragments, self._max_message)
        self._channels[name] = channel
        channel.opening = self._begin_opening(self._open(channel, answer))

    async def _open(self, channel: Channel, answer: str | None) -> None:
        try:
            decision = await self._asked.decide(self._request, channel.room_name)
            if isinstance(decision, Deny):
                _log.info(
                    "%s may not enter room %.200r: %.200r", self.name, channel.room_name, decision.reason
                )
                self._deny(channel, decision.code, decision.reason)
                return
            if not self._link.identify(decision.user):
                self.end(_TRY_AGAIN_LATER, "too many connections of this user")
                return
            self._note_allowed()
            if answer is not None:  # at once, as TinyBase gives it a second
                self.queue.put_answer(Batch([answer.encode()]), 0)
            room = await channel.held.enter_async_context(self._asked.use(channel.room_name))
            channel.opened(room, read_only=decision.read_only)
            waiting, channel.waiting_frames = channel.waiting_frames, []
            for text in waiting:
                self._take(channel, text)
        except (RoomDeletedError, RoomDamagedError) as error:
            _log.error("%s cannot have room %.200r: %s", self.name, channel.room_name, error)
            self._deny(channel, *close_code_for(error))
        except Exception as error:  # noqa: BLE001 - what cannot be opened ends this client, and nobody else
            self.fail(error)

    def _deny(self, channel: Channel, code: int, reason: str) -> None:
        """End the client; where it has channels, only this one, which is not confirmed."""
        if self._protocol is None or code == _TRY_AGAIN_LATER:
            self.end(code, reason)
        elif self._channels.pop(channel.name, None) is not None:
            self._protocol.names.discard(channel.name)
            self._drop(channel)

    def _drop(self, channel: Channel) -> None:
        channel.left()
        self._link.leave_room()
        opening = channel.opening
        if opening is not None and opening is not asyncio.current_task():
            opening.cancel()
            self._asked.release((opening,), channel.held)
        else:
            self._asked.release((), channel.held)

    # What a peer does

    def _close_code(self, error: BaseException) -> tuple[int, str]:
        if isinstance(error, RefusedChangesError):
            return 1007, f"tinybase:14: {error}"
        if isinstance(error, RemoteProtocolError):  # MessageTooLargeError is one
            return close_code(error)
        return close_code_for(error)

    def _leave(self) -> None:
        super()._leave()
        for channel in self._channels.values():
            channel.left()
            self._asked.release(() if channel.opening is None else (channel.opening,), channel.held)
        self._channels.clear()
        self._fragments.clear()
