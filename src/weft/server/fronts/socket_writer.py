"""What leaves to one client, piece by piece as its socket takes it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from weft.server.fronts.frames import (
    BINARY,
    TEXT,
    encode_compressed,
    encode_messages,
    encode_texts,
    message_header,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Sequence

    from websockets.extensions import Extension

    from weft.server._core.batch import Batch

__all__ = ["SocketWriter"]

# Bytes handed to a transport at a time: what a socket does not take of them is copied for each connection.
_CHUNK = 64 * 1024


class SocketWriter:
    """Writes to a transport, and keeps what that has not been given yet.

    Args:
        transport: Where it goes; tells of every byte that the socket does not take.
        note_held: Told how many bytes wait that did not before.
        extensions: What was agreed on. Without any, what goes to many is encoded once for all.

    Attributes:
        is_clear: Whether the socket has taken everything.
        kind: Of the frames that messages are: binary ones, or texts.
    """

    __slots__ = (
        "_extensions", "_finishing", "_is_paused", "_note_held", "_rest", "_transport", "is_clear", "kind",
    )  # fmt: skip

    def __init__(
        self,
        transport: asyncio.Transport,
        note_held: Callable[[int], None],
        extensions: Sequence[Extension] = (),
    ) -> None:
        self._transport = transport
        self._note_held = note_held
        self._extensions = extensions
        self.kind = BINARY
        self.is_clear = True
        self._is_paused = False  # the transport takes no more
        self._rest: deque[memoryview] | None = None  # what it has not been given yet
        self._finishing = False  # nothing is to be sent after the rest

    def write(self, batch: Batch) -> None:
        """Write messages, each in a frame."""
        if self._extensions:
            self.send(encode_compressed(batch.messages, self._extensions, self.kind))
        elif batch.size <= _CHUNK:
            self.send(batch.encoded(encode_texts if self.kind == TEXT else encode_messages))
        else:  # the message itself is what many may be sent: no copy with a header before it
            for message in batch.messages:
                self.send(message_header(len(message), self.kind))
                self.send(message)

    def send(self, data: bytes) -> None:
        """Write, behind what waits."""
        if self._rest is not None:
            self._rest.append(memoryview(data))
        elif len(data) <= _CHUNK:
            self._transport.write(data)
        else:
            self._rest = deque((memoryview(data),))
            self._note_held(len(data))
            self._send_rest()
            self.is_clear = not self._is_paused and self._rest is None

    def pause(self) -> None:
        """The socket takes no more."""
        self._is_paused, self.is_clear = True, False
        self._note_held(self._transport.get_write_buffer_size())

    def resume(self) -> None:
        """The socket has taken everything that the transport was given."""
        self._is_paused = False
        self._send_rest()
        self.is_clear = not self._is_paused and self._rest is None

    def waiting(self) -> int:
        """Bytes written that the operating system has not taken yet."""
        rest = self._rest
        return self._transport.get_write_buffer_size() + (0 if rest is None else sum(map(len, rest)))

    def held(self) -> Iterator[tuple[int, int]]:
        """The same as a budget of memory counts it."""
        yield 0, self._transport.get_write_buffer_size()
        for data in self._rest or ():
            yield id(data.obj), len(data)

    def forget(self) -> None:
        """Free what waits."""
        self._rest = None

    def finish(self) -> None:
        """Say the end when everything has left."""
        self._finishing = True
        if self._rest is None:
            self._say_eof()

    def _send_rest(self) -> None:
        rest = self._rest
        if rest is None:
            return
        while rest and not self._is_paused:
            data = rest.popleft()
            if len(data) > _CHUNK:
                rest.appendleft(data[_CHUNK:])
                data = data[:_CHUNK]
            self._transport.write(data)
        if not rest:
            self._rest = None
            if self._finishing:
                self._say_eof()

    def _say_eof(self) -> None:
        if self._transport.is_closing():
            return
        # The client is to close first: where it has sent something that is not read, a reset would take the
        # close frame from it.
        if not self._transport.can_write_eof():
            self._transport.close()
            return
        try:
            self._transport.write_eof()
        except OSError:  # a reset has come, of which the loop has not heard yet
            self._transport.abort()
