"""The listening sockets, and a pause in accepting: who comes meanwhile waits in the system's backlog."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from weft.server.fronts.descriptors import accepts_at_once, deepen_backlog

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine

__all__ = ["Listener"]

# Connections the kernel holds until they are accepted. asyncio's 100 makes a storm of 200 joins wait a second
# for the clients' retries; the system's own bound (net.core.somaxconn) applies on top.
_BACKLOG = 2048
_AGAIN = 1.0  # seconds until it is tried again to accept

_log = logging.getLogger("weft.server")


class Listener:
    """Accepts connections.

    An event loop's server can only be closed. Duplicates of its sockets stay, which keeps the backlog, and
    another one accepts from them later.

    Args:
        protocol: Makes the protocol of a connection.
        tls: TLS context.
        open_timeout: Seconds that a TLS handshake may take.
        close_timeout: Seconds that the end of a TLS connection may take.
    """

    def __init__(
        self,
        protocol: Callable[[], asyncio.BaseProtocol],
        *,
        tls: ssl.SSLContext | None,
        open_timeout: float,
        close_timeout: float,
    ) -> None:
        self._protocol = protocol
        self._options: dict[str, Any] = {
            "backlog": accepts_at_once(),
            "ssl": tls,
            "ssl_handshake_timeout": None if tls is None else open_timeout,
            "ssl_shutdown_timeout": None if tls is None else close_timeout,
        }
        self._kept: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._is_resuming = False
        self._has_failed = False

    @property
    def port(self) -> int | None:
        """The port listened on, while there is one."""
        if not self._kept:
            return None
        port: int = self._kept[0].getsockname()[1]
        return port

    @property
    def is_paused(self) -> bool:
        """Whether nobody is accepted for the time being."""
        return bool(self._kept) and not self._servers and not self._is_resuming

    async def open(self, host: str, port: int) -> None:
        """Accept connections from now on.

        Raises:
            OSError: The address cannot be listened on.
        """
        server = await self._serve(host=host, port=port)
        self._kept = [socket.socket(fileno=os.dup(each.fileno())) for each in server.sockets]

    def pause(self) -> None:
        """Accept nobody until :meth:`resume`."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()

    def resume(self) -> Coroutine[object, object, None]:
        """Accept again, those first who came meanwhile; it is paused no more while that is tried."""
        self._is_resuming = True
        return self._resume()

    async def _resume(self) -> None:
        try:
            for kept in self._kept:
                with ExitStack() as failing:
                    failing.callback((again := kept.dup()).close)
                    await self._serve(sock=again)
                    failing.pop_all()
        except OSError as error:  # there is not even a descriptor for this
            self.pause()
            if not self._has_failed:
                _log.warning("cannot accept connections again: %s; it is tried every second", error)
            self._has_failed = True
            await asyncio.sleep(_AGAIN)
        else:
            self._has_failed = False
        finally:
            self._is_resuming = False
        if not self._kept:  # it was closed meanwhile
            self.pause()

    async def _serve(self, **where: Any) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._protocol, **where, **self._options)
        deepen_backlog(server.sockets, _BACKLOG)
        self._servers.append(server)
        return server

    def close(self) -> None:
        """Accept nobody any more."""
        self.pause()
        kept, self._kept = self._kept, []
        for each in kept:
            each.close()
