"""One websocket after its handshake, as the server's core sees it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from weft.server.fronts.early import TOO_MUCH, EarlyMessages
from weft.server.fronts.frames import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    FrameError,
    FrameReader,
    close_frame,
    control_frame,
    read_close,
)
from weft.server.fronts.link_rates import LinkRates
from weft.server.fronts.socket_writer import SocketWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from websockets.extensions import Extension

    from weft.server._core.accounts import Account
    from weft.server._core.batch import Batch
    from weft.server._core.link import Receiver
    from weft.server.fronts.link_owner import LinkOwner

__all__ = ["WebsocketLink"]

_POLICY, _TOO_LARGE, _TRY_AGAIN_LATER = 1008, 1009, 1013  # RFC 6455, section 7.4.1, and its registry
_OPEN, _CLOSING, _CLOSED = range(3)
# Who has reading paused: the receiver, the budget of a turn, that there is no receiver yet, or a rate.
_HELD, _OVER_BUDGET, _EARLY, _OVER_RATE = 1, 2, 4, 8


class WebsocketLink(asyncio.BufferedProtocol):
    """A :class:`weft.server._core.link.Link` on a websocket.

    Args:
        transport: The connection after its handshake; this becomes its protocol.
        owner: What it shares with others.
        extensions: What was agreed on.
        name: How the log calls the client.
        account: Of its address, which has counted the connection.
        admit_by: When, on the event loop's clock, the client has to be admitted at the latest. Until then it
            may send little. ``None`` for one that is.

    Attributes:
        sent_close: Code and phrase of the close frame that was sent, once it was.
    """

    __slots__ = (
        "_admit_by", "_came", "_early", "_has_ended", "_has_pinged", "_is_finishing",
        "_is_gone", "_owner", "_pong", "_rates", "_reader", "_receiver", "_state", "_stops", "_transport",
        "_within_since", "_writer", "sent_close", "slot",
    )  # fmt: skip

    def __init__(
        self,
        transport: asyncio.Transport,
        owner: LinkOwner[WebsocketLink],
        *,
        extensions: Sequence[Extension] = (),
        name: str = "a client",
        account: Account | None = None,
        admit_by: float | None = None,
    ) -> None:
        self.slot = 0
        self.sent_close: tuple[int, str] | None = None
        self._transport = transport
        self._owner = owner
        self._rates = LinkRates(owner.limits, owner.refused, name, account)
        self._came = 0  # bytes that were not counted yet
        self._early = EarlyMessages(owner.limits)
        self._admit_by = admit_by
        max_message = owner.max_message if admit_by is None else owner.limits.max_early_bytes
        self._reader = FrameReader(max_message=max_message, extensions=extensions)
        self._within_since = 0.0  # when the message began of which only a part is here; 0 if there is none
        self._receiver: Receiver | None = None
        self._state = _OPEN
        self._stops = 0  # why reading is paused
        self._writer = SocketWriter(transport, owner.budget.note, extensions)
        self._is_finishing = False  # nothing more is sent, nor read
        self._is_gone = False  # and its owner knows
        self._has_ended = False  # the client has said its last
        self._pong: bytes | None = None  # the answer to a ping that found no room
        self._has_pinged = False  # and no pong has come yet
        # Told of every byte that the socket does not take: what is behind has a queue above.
        transport.set_write_buffer_limits(high=1, low=0)
        transport.set_protocol(self)
        transport.resume_reading()
        self._watch(owner.limits.ping_interval if admit_by is None else admit_by - _now())

    # As the core sees it

    @property
    def is_clear(self) -> bool:
        """Whether the socket has taken everything that was written."""
        return self._writer.is_clear

    def attach(self, receiver: Receiver) -> None:
        """Say who is told from now on. What has come meanwhile is told in the next turn."""
        self._receiver = receiver
        self._stop(_EARLY)
        asyncio.get_running_loop().call_soon(self._begin, receiver)

    def on_first(self, told: Callable[[bool], None]) -> None:
        """Have somebody told, once, whether the client's first message is a text; who is attached gets it."""
        self._early.on_first(told)

    def speak_text(self) -> None:
        """Take texts, which are ignored where the client's first message is none, and send them."""
        self._early.takes_text = True
        self._writer.kind = TEXT

    def admit(self) -> None:
        """The client has said who it is, and may send what anybody may from now on."""
        if self._admit_by is not None and self._state == _OPEN:
            self._admit_by = None
            self._reader.max_message = self._owner.max_message
            self._watch(self._owner.limits.ping_interval)

    def feed(self, data: bytes) -> None:
        """Take in what came together with the handshake."""
        if data:
            self._came += len(data)
            self._reader.feed(data)
            self._work()

    def write(self, batch: Batch) -> bool:
        """Hand messages to the socket; whether it has taken them. Does nothing once the connection closes."""
        if self._state != _OPEN:
            return True
        self._writer.write(batch)
        return self.is_clear

    def waiting(self) -> int:
        """Bytes written that the operating system has not taken yet."""
        return self._writer.waiting()

    def note_held(self, size: int) -> None:
        """So many bytes more wait for the client than before."""
        self._owner.budget.note(size)

    def note_questions(self, count: int) -> None:
        """The client has asked for so much."""
        self._hold(self._rates.ask(count))

    def identify(self, user: str) -> bool:
        """Say whose connection it is, and whether that user may have it."""
        return self._rates.identify(user, self._owner.users)

    def enter_room(self) -> bool:
        """Whether the client may hold one more room or document open, which is counted then."""
        wait = self._rates.enter_room()
        if wait is not None:
            self._hold(wait)
        return wait is not None

    def leave_room(self) -> None:
        """It holds one less."""
        self._rates.leave_room()

    def pause_reading(self) -> None:
        """Tell of no further message until :meth:`resume_reading`."""
        self._stop(_HELD)

    def resume_reading(self) -> None:
        """Tell of messages again, from the next turn on."""
        self._go_on(_HELD)

    def close(self, code: int, reason: str) -> None:
        """Close with a code and a phrase; the connection is cut off if the client does not answer."""
        if self._state != _OPEN:
            return
        self._writer.send(close_frame(code, reason))
        self.sent_close = code, reason
        self._state = _CLOSING
        self._go_on(_HELD | _EARLY | _OVER_RATE)
        self._owner.wheel.set(self, self._owner.limits.close_timeout)

    def abort(self) -> None:
        """Cut the connection off."""
        self._transport.abort()

    def held(self) -> Iterator[tuple[int, int]]:
        """What is held in memory for the client: an identity, or 0 for its alone, and the size in bytes."""
        yield 0, self._reader.held + self._early.size
        yield from self._writer.held()
        if self._receiver is not None:
            yield from self._receiver.held()

    def let_go(self) -> None:
        """End the connection since memory is short, and free what is held for it."""
        self._owner.refused.count("max_waiting")
        if self._state == _OPEN and self.is_clear:
            self.close(1013, "the server is short of memory")
        else:  # in the middle of a message nothing can be said
            self._transport.abort()
        self._reader = FrameReader(max_message=0)
        self._early.kept.clear()
        self._writer.forget()
        self._end()
        self._finish()

    def deadline(self) -> None:
        """Ping the client, or let it go if it did not answer, nor come to the end of something."""
        if self._state == _CLOSING:
            self._transport.abort()
        elif self._state == _OPEN:
            if self._admit_by is not None:
                self._owner.refused.count("join_timeout")
                self.close(1002, "no join message came")
                return
            since, limits = self._within_since, self._owner.limits
            if since and not self._stops and _now() - since >= limits.message_timeout:
                self._owner.refused.count("message_timeout")
                self.close(_POLICY, "a message took too long to come")
                return
            if self._has_pinged and not self._stops:
                self._owner.refused.count("ping_timeout")
                self.close(1011, "keepalive ping timeout")
                return
            # In the middle of a message nothing can be said, and who takes nothing is given up elsewhere.
            if self.is_clear and not self._has_pinged:
                self._has_pinged = True
                self._writer.send(control_frame(PING, b"weft"))
            self._watch(limits.ping_timeout if self._has_pinged else limits.ping_interval)

    # As the transport sees it

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where what comes is put; everybody's is the same, as it is read out at once."""
        return self._owner.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Something has come."""
        if self._is_finishing:
            return
        self._owner.received += nbytes
        self._came += nbytes
        self._reader.feed(self._owner.buffer[:nbytes])
        if not self._stops:
            self._work()
        if self._within_since or self._stops:
            self._owner.budget.note(nbytes)
            if self._owner.budget.is_due and not self._stops & _OVER_BUDGET:
                self._stop(_OVER_BUDGET)  # uvloop reads megabytes of a socket in one turn; this ends it
                asyncio.get_running_loop().call_soon(self._work_on)

    def eof_received(self) -> None:
        """The client says no more; the transport closes when it has sent what it has."""
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        if self._state == _CLOSED:
            return
        self._state = _CLOSED
        self._has_ended = True  # whoever is attached only now is told so
        self._writer.forget()
        self._owner.wheel.discard(self)
        if self._receiver is not None:
            self._read_rest()
        else:
            self._go()

    def pause_writing(self) -> None:
        """The socket takes no more."""
        self._writer.pause()

    def resume_writing(self) -> None:
        """The socket has taken everything."""
        self._writer.resume()
        if not self._writer.is_clear:
            return
        if self._pong is not None and self._state == _OPEN:
            pong, self._pong = self._pong, None
            self._writer.send(pong)
        if self._receiver is not None and self._state == _OPEN:
            self._receiver.writable()

    # Reading

    def _stop(self, why: int) -> None:
        if not self._stops and self._state != _CLOSED:
            self._transport.pause_reading()
        self._stops |= why

    def _go_on(self, why: int) -> None:
        if self._state == _CLOSED:
            return
        if self._stops & why:
            self._stops &= ~why
            if not self._stops:
                self._transport.resume_reading()
                if self._within_since:  # it was not the client who took that long
                    self._within_since = _now()
        if not self._stops and self._reader.waiting:
            self._stop(_OVER_BUDGET)
            asyncio.get_running_loop().call_soon(self._work_on)

    def _work_on(self) -> None:
        if self._state == _CLOSED:
            return
        self._stops &= ~_OVER_BUDGET
        if not self._stops:
            self._transport.resume_reading()
            self._work()

    def _work(self) -> None:
        if self._read_messages(self._owner.turn_end()):
            self._stop(_OVER_BUDGET)
            asyncio.get_running_loop().call_soon(self._work_on)

    def _hold(self, seconds: float) -> None:
        """Read nothing for so long, as more has come than may."""
        if seconds > 0.0 and not self._stops & _OVER_RATE and self._state == _OPEN:
            self._stop(_OVER_RATE)
            asyncio.get_running_loop().call_later(seconds, self._go_on, _OVER_RATE)

    def _read_messages(self, until: float) -> bool:
        """Take in what has come; whether there is more that has to wait for the next turn."""
        read, is_more = self._reader.read, False
        frames = messages = empty = 0
        began, now = time.thread_time(), time.monotonic()
        try:
            while not self._stops and not self._is_finishing and (frame := read()) is not None:
                kind, payload = frame
                frames += 1
                if self._admit_by is not None:
                    self._early.check(payload)
                if CONT < kind < CLOSE:
                    self._within_since = 0.0
                if kind == BINARY or (kind == TEXT and self._early.takes_text is not False):
                    messages += 1
                    if self._receiver is not None:
                        self._receiver.receive(payload)
                    elif self._state == _OPEN and self._early.keep(payload, is_text=kind == TEXT):
                        self._stop(_EARLY)
                elif kind >= CLOSE:
                    empty += 1
                    self._take_control(kind, payload)
                elif kind == TEXT:  # it is ignored, as y-websocket's own server does
                    empty += 1
                now = time.monotonic()
                if now > until:
                    is_more = not self._stops
                    break
        except FrameError as error:
            if self._admit_by is not None and error.code == _TOO_LARGE:
                error = FrameError(_POLICY, TOO_MUCH, bound="max_early_bytes")
            if error.bound:
                self._owner.refused.count(error.bound)
            self.close(error.code, error.reason)
            self._end()
            self._finish()
        if not self._within_since and self._reader.is_within_message:
            self._within_since = _now()
        wait = self._rates.take((self._came, frames, messages, empty, time.thread_time() - began), now)
        self._came = 0
        if wait == float("inf"):
            self.close(_TRY_AGAIN_LATER, "too many frames that bring nothing")
        self._hold(wait)
        return is_more

    def _watch(self, seconds: float) -> None:
        """Look after so long how the client does."""
        limit = seconds if self._admit_by is not None else self._owner.limits.message_timeout
        self._owner.wheel.set(self, min(seconds, limit))

    def _take_control(self, kind: int, payload: bytes) -> None:
        if kind == PING:
            if self.is_clear and self._state == _OPEN:
                self._writer.send(control_frame(PONG, payload))
            else:
                self._pong = control_frame(PONG, payload)  # the last one is to be answered
        elif kind == PONG:
            if self._has_pinged and self._state == _OPEN:  # one that nobody asked for puts nothing off
                self._has_pinged = False
                self._watch(self._owner.limits.ping_interval)
        elif kind == CLOSE:
            code, reason = read_close(payload)
            if self._state == _OPEN:  # the frame itself is the answer
                self._writer.send(control_frame(CLOSE, payload))
                self.sent_close = code, reason
            self._end()
            self._finish()

    def _begin(self, receiver: Receiver) -> None:
        early, self._early.kept = self._early.kept, []
        for message in early:
            receiver.receive(message)
        if self._has_ended:  # what it said before counts
            self._read_rest()
        else:
            self._go_on(_EARLY)

    def _read_rest(self) -> None:
        """Take in all that has come of a client that is gone, or has said that it goes; turn by turn."""
        before, self._stops = self._reader.waiting, 0
        self._read_messages(self._owner.turn_end())
        if 0 < self._reader.waiting < before:
            asyncio.get_running_loop().call_soon(self._read_rest)
            return
        self._end()
        if self._state == _CLOSED:
            self._go()
        else:
            self._transport.resume_reading()

    # The end

    def _end(self) -> None:
        """Nothing more counts of the client; it has a while to take what is on its way."""
        self._has_ended = True
        if self._state == _OPEN:
            self._state = _CLOSING
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.lost()
            self._reader = FrameReader(max_message=0)  # half a message may be megabytes
        if self._state == _CLOSING:
            self._owner.wheel.set(self, self._owner.limits.close_timeout)

    def _go(self) -> None:
        """There is nothing left to do."""
        if not self._is_gone:
            self._is_gone = True
            self._rates.close()
            self._owner.link_closed(self)

    def _finish(self) -> None:
        """Both have said that it is over."""
        self._is_finishing = True
        self._writer.finish()


def _now() -> float:
    return asyncio.get_running_loop().time()
