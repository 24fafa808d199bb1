"""One websocket as the server's core sees it."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING

from websockets.exceptions import ConnectionClosed
from websockets.protocol import OPEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.asyncio.server import ServerConnection

__all__ = ["WebsocketLink", "cut_reason"]

_MAX_REASON = 123  # bytes of a close frame's reason, RFC 6455 section 5.5


class WebsocketLink:
    """A :class:`weft.server._core.link.Link` on a websocket.

    ``websockets`` sends one message at a time through a context manager and several task switches, which at
    thousands of relayed messages a second is most of a server's work. Server frames are not masked, so
    without an extension a frame is a header before the message (RFC 6455 section 5.2), and a turn's messages
    go out in one write to the transport under the connection.
    """

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._plain = not connection.protocol.extensions

    def write(self, messages: Sequence[bytes]) -> None:
        connection = self._connection
        if connection.protocol.state is not OPEN:
            return
        if self._plain:
            parts = []
            for message in messages:
                parts.append(_frame_header(len(message)))
                parts.append(message)
            connection.transport.writelines(parts)
        else:
            for message in messages:
                connection.protocol.send_binary(message)
            connection.send_data()

    def buffered(self) -> int:
        return self._connection.transport.get_write_buffer_size()

    async def drain(self) -> None:
        # An error here is the end of the connection, which read() tells.
        with contextlib.suppress(OSError):
            await self._connection.drain()

    async def read(self) -> bytes | None:
        while True:
            try:
                message = await self._connection.recv()
            except ConnectionClosed:
                return None
            if isinstance(message, bytes):  # text is ignored, as y-websocket's own server does
                return message

    async def close(self, code: int, reason: str) -> None:
        await self._connection.close(code, cut_reason(reason))


def _frame_header(length: int) -> bytes:
    # FIN and opcode 2 (binary), then the length in 7 bits, or 126 and 16 bits, or 127 and 64 bits.
    if length < 126:
        return bytes((0x82, length))
    if length < 65536:
        return struct.pack("!BBH", 0x82, 126, length)
    return struct.pack("!BBQ", 0x82, 127, length)


def cut_reason(reason: str) -> str:
    """As much of a phrase as a close frame can hold."""
    return reason.encode()[:_MAX_REASON].decode(errors="ignore")
