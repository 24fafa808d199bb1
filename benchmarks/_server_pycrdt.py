"""pycrdt-websocket as a process: ``python -m benchmarks._server_pycrdt``.

Prints its port and ends by SIGTERM. Its sockets are those of the websockets package, without compression. It
runs without its SQLite store, which had kept 68 of 10,000 updates a second after the last of them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from typing import TYPE_CHECKING

from pycrdt.websocket import WebsocketServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from logging import Logger


class _Channel:
    def __init__(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.path = connection.request.path
        self._connection = connection

    def __aiter__(self) -> _Channel:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.recv()
        except ConnectionClosed:
            raise StopAsyncIteration from None

    async def send(self, message: bytes) -> None:
        await self._connection.send(message)

    async def recv(self) -> bytes:
        message = await self._connection.recv()
        assert isinstance(message, bytes)
        return message


def _go_on(error: Exception, log: Logger) -> bool:
    """A client that went away ends the room for all, unless the application says that it was dealt with."""
    log.debug("%r", error)
    return True


async def main() -> None:
    logging.disable(logging.CRITICAL)
    rooms = WebsocketServer(exception_handler=_go_on)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def handle(connection: ServerConnection) -> None:
        await rooms.serve(_Channel(connection))

    async with rooms, serve(handle, "127.0.0.1", 0, compression=None, max_size=1 << 26) as server:
        print(json.dumps({"event": "listening", "port": server.sockets[0].getsockname()[1]}), flush=True)
        await stop.wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except* ConnectionClosed:
        pass  # all clients are gone at once
