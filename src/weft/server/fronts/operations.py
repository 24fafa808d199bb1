"""What whoever operates a server asks it, by HTTP on a port of its own: alive, ready, how busy."""

from __future__ import annotations

import asyncio
import http
import json
import logging
from typing import TYPE_CHECKING, Protocol

from weft._aio.tasks import end_tasks
from weft._support.histogram import Histogram
from weft.server.fronts.connections import Connections

if TYPE_CHECKING:
    from websockets.http11 import Request as HttpRequest

    from weft.server.fronts.handshake import Handshake
    from weft.server.statistics import ServerStats

__all__ = ["Operated", "Operations"]

_log = logging.getLogger("weft.server")

# Seconds. A load balancer asks each second or so; storage is asked that often at most.
_PROBE_KEPT = 1.0
_PROBE_TIMEOUT = 5.0
_OPEN_TIMEOUT = 10.0  # for a request to come
_CUT_OFF_TIMEOUT = 1.0
# Between two looks at how late the event loop comes to what is due.
_LAG_EVERY = 0.1
_LAGS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"


class Operated(Protocol):
    """A server, as who operates it sees it."""

    @property
    def is_closing(self) -> bool:
        """Whether it takes nobody any more."""

    async def probe(self) -> None:
        """Make sure that storage can be written."""

    def stats(self) -> ServerStats:
        """What it is doing."""


class Operations:
    """Health, readiness and metrics by HTTP, for ``Server(operations=…)``. The server opens and closes it.

    * ``/health``: 200 as long as the process answers.
    * ``/ready``: 200 while it serves and storage can be written, otherwise 503, with JSON that says which. A
      broker that is away is said there, and makes nothing unready: all works without it, a second later.
    * ``/metrics``: for Prometheus, where the extra ``weft[metrics]`` is installed.

    It asks nobody who they are and tells no content, nor any room's name.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 9464) -> None:
        self.host = host
        self.lag = Histogram(_LAGS)
        self._port = port
        self._server: Operated | None = None
        self._connections = Connections(
            self._answer, extensions=None, max_message=0, open_timeout=_OPEN_TIMEOUT
        )
        self._probing: asyncio.Task[str] | None = None
        self._probed = float("-inf")
        self._trouble = ""  # what was logged last
        self._measuring: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self._connections.port or self._port}"

    async def open(self, server: Operated) -> None:
        """Answer for a server from now on.

        Raises:
            OSError: The address cannot be listened on.
        """
        if self._server is not None:
            raise RuntimeError("operations are one server's, and opened once")
        await self._connections.listen(self.host, self._port, tls=None)
        self._server = server
        self._measuring = asyncio.get_running_loop().create_task(self._measure())

    async def close(self) -> None:
        """Answer no more."""
        self._connections.stop_listening()
        await end_tasks([task for task in (self._measuring, self._probing) if task is not None])
        await self._connections.cut_off(_CUT_OFF_TIMEOUT)

    def _answer(self, handshake: Handshake, request: HttpRequest) -> None:
        server = self._server
        path = request.path.partition("?")[0]
        if server is None or path == "/health":
            _respond(handshake, http.HTTPStatus.OK, "okay\n")
        elif path == "/ready":
            self._connections.spawn(self._answer_ready(handshake, server))
        elif path == "/metrics":
            _respond(handshake, *self._metrics(server))
        else:
            _respond(handshake, http.HTTPStatus.NOT_FOUND, "there are /health, /ready and /metrics\n")

    async def _answer_ready(self, handshake: Handshake, server: Operated) -> None:
        storage = "not asked" if server.is_closing else await self._storage(server)
        broker = server.stats().is_broker_connected
        is_ready = storage == "writable" and not server.is_closing
        told = {
            "ready": is_ready,
            "server": "stopping" if server.is_closing else "serving",
            "storage": storage,
            "broker": None if broker is None else "connected" if broker else "away",
        }
        status = http.HTTPStatus.OK if is_ready else http.HTTPStatus.SERVICE_UNAVAILABLE
        _respond(handshake, status, json.dumps(told) + "\n", _JSON)

    async def _storage(self, server: Operated) -> str:
        now = asyncio.get_running_loop().time()
        if self._probing is None or (self._probing.done() and now - self._probed >= _PROBE_KEPT):
            self._probing = asyncio.get_running_loop().create_task(self._probe(server))
        return await asyncio.shield(self._probing)

    async def _probe(self, server: Operated) -> str:
        trouble = ""
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                await server.probe()
        except TimeoutError:
            trouble = f"no answer within {_PROBE_TIMEOUT:g} s"
        except Exception as error:  # noqa: BLE001 - a storage of somebody's own raises whatever it likes
            trouble = str(error) or repr(error)
        if trouble != self._trouble:
            self._trouble = trouble
            _log.warning("not ready, storage cannot be written: %s", trouble) if trouble else _log.info(
                "ready"
            )
        self._probed = asyncio.get_running_loop().time()
        return "not writable" if trouble else "writable"

    def _metrics(self, server: Operated) -> tuple[http.HTTPStatus, str, str]:
        try:
            from weft.server.metrics import CONTENT_TYPE, exposition  # noqa: PLC0415 - an extra
        except ImportError as error:
            if error.name is None or not error.name.startswith("prometheus_client"):
                raise
            text = "prometheus_client is missing; install it with: pip install 'weft[metrics]'\n"
            return http.HTTPStatus.NOT_IMPLEMENTED, text, _TEXT
        return http.HTTPStatus.OK, exposition(server.stats(), self.lag), CONTENT_TYPE

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_EVERY
            await asyncio.sleep(_LAG_EVERY)
            self.lag.note(max(0.0, loop.time() - due))


def _respond(handshake: Handshake, status: http.HTTPStatus, text: str, kind: str = _TEXT) -> None:
    handshake.respond(status, text, Cache_Control="no-store", Content_Type=kind)
