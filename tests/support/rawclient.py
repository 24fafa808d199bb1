"""A websocket client that sends whatever frames a test makes, and reads only when told to."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["RawClient", "masked", "raw_client"]


def masked(payload: bytes, kind: int = 2, *, is_last: bool = True, length: int | None = None) -> bytes:
    """A client's frame.

    Args:
        payload: What is in it; the mask is zero.
        kind: Its opcode.
        is_last: Whether the message ends with it.
        length: What it says of its length, where that is not so.
    """
    length = len(payload) if length is None else length
    head = bytes((kind | 0x80 * is_last,))
    if length < 126:
        head += bytes((0x80 | length,))
    elif length < 65536:
        head += b"\xfe" + length.to_bytes(2, "big")
    else:
        head += b"\xff" + length.to_bytes(8, "big")
    return head + bytes(4) + payload


class RawClient:
    """One client.

    Attributes:
        socket: Its connection.
        received: What was read of it.
    """

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.received = b""

    async def send(self, data: bytes) -> None:
        """Send bytes; returns when the system has them.

        Raises:
            OSError: The connection has ended.
        """
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def read(self) -> bytes:
        """Read something; nothing at the end.

        Raises:
            TimeoutError: Nothing came.
        """
        async with asyncio.timeout(20):
            data = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
        self.received += data
        return data

    async def close_code(self, *, echo_pings: bool = False) -> int:
        """Read until the end, and the code of the close frame before it; 1006 if there was none."""
        code = 1006
        while True:
            try:
                data = await self.read()
            except ConnectionError:
                return code
            if not data:
                return code
            if echo_pings and data == b"\x89\x04weft":
                await self.send(masked(b"weft", 10))
            if (at := data.find(b"\x88")) >= 0:
                code = int.from_bytes(data[at + 2 : at + 4], "big")


@asynccontextmanager
async def raw_client(port: int, path: str = "/room", *, buffer: int = 0) -> AsyncIterator[RawClient]:
    """A client after its handshake.

    Args:
        port: Of a server on this machine.
        path: What it asks for.
        buffer: Bytes that the system takes for it while it does not read; its own default without.
    """
    loop = asyncio.get_running_loop()
    with socket.socket() as connected:
        connected.setblocking(False)
        if buffer:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        await loop.sock_connect(connected, ("127.0.0.1", port))
        client = RawClient(connected)
        await client.send(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in client.received:
            if not await client.read():
                raise ConnectionError("no handshake")
        client.received = client.received.partition(b"\r\n\r\n")[2]
        yield client
