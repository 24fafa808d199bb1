"""The one seam between providers and the network.

A provider asks a :class:`Transport` for a :class:`Connection` and knows nothing else of the world. The real
implementation is :mod:`weft.providers._core.websockets`; :mod:`weft.testing.memory` is the public fake.

Contract, for both:

* What an implementation raises is :class:`~weft.errors.ConnectError` from ``connect`` and
  :class:`~weft.errors.ConnectionClosedError` from ``send`` and ``recv``; no driver's exception leaks.
* Messages arrive whole, in order, at most once. Binary messages are ``bytes``, text messages ``str``.
* ``send`` returns when the network has taken the message or buffered little of it: a slow peer makes it wait.
* Every wait may be cancelled. A cancelled ``send`` has sent the message whole or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from weft._support.urls import shown_url
from weft.errors import ConnectError, ConnectionClosedError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ABNORMAL_CLOSURE",
    "TOO_LARGE",
    "Connection",
    "Transport",
    "closed_error",
    "is_final_refusal",
    "received_too_large",
    "refused_error",
]

# RFC 6455, section 7.4.1: no close frame came, and a message was larger than its receiver takes.
ABNORMAL_CLOSURE = 1006
TOO_LARGE = 1009

# y-websocket since 3.1: these close codes mean that another try would end the same way.
_PERMANENT_CODES = range(4400, 4500)

# HTTP statuses of the 400s that speak of this attempt and not of the request: timeout, too early, too many.
_PASSING_STATUSES = frozenset({408, 425, 429})

_REFUSALS = {
    400: "the server did not understand the request",
    401: "the server asks for credentials, or refuses those given",
    403: "the server does not allow it",
    404: "there is nothing at this address",
    407: "a proxy asks for credentials",
    408: "the server waited too long for the request",
    426: "the server asks for another protocol",
    429: "the server has had too many requests",
    500: "the server failed",
    502: "a gateway could not reach the server",
    503: "the server is not available",
    504: "a gateway waited too long for the server",
}


class Connection(Protocol):
    """One open websocket."""

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol the server chose."""

    async def send(self, data: bytes | str) -> None:
        """Send one message: binary for ``bytes``, text for ``str``.

        Raises:
            ConnectionClosedError: The connection has ended. The message may or may not have arrived.
        """

    async def recv(self) -> bytes | str:
        """Wait for the next message. One caller at a time.

        Raises:
            ConnectionClosedError: The connection has ended and every message before that has been returned.
        """

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye after what was sent, and wait for the peer's answer. Never raises for a closed one."""

    async def abort(self) -> None:
        """End the connection now, without a handshake, and release what it holds. Never raises."""


class Transport(Protocol):
    """Opens connections."""

    async def connect(
        self,
        url: str,
        *,
        headers: Sequence[tuple[str, str]],
        subprotocols: Sequence[str],
        max_size: int,
        open_timeout: float,
    ) -> Connection:
        """Open a websocket.

        Args:
            url: ``ws://`` or ``wss://``, with path and query.
            headers: Additional HTTP headers of the handshake.
            subprotocols: Offered subprotocols, best first.
            max_size: Bytes of the largest message to receive; a larger one ends the connection with 1009.
            open_timeout: Seconds until the handshake must be complete.

        Raises:
            ConnectError: It could not be opened. Nothing is left behind.
        """


def refused_error(url: str, status: int, *, retry_after: float | None = None) -> ConnectError:
    """The error for a handshake answered with an HTTP status other than 101.

    Args:
        url: Where to.
        status: The status.
        retry_after: Seconds that the answer's ``Retry-After`` asks for.
    """
    said = _REFUSALS.get(status, "the server refused the websocket")
    return ConnectError(shown_url(url), f"{said} (HTTP {status})", status=status, retry_after=retry_after)


def is_final_refusal(error: ConnectError) -> bool:
    """Whether another try with the same request would be refused again: the 400s but 408, 425 and 429."""
    status = error.status
    return status is not None and 400 <= status < 500 and status not in _PASSING_STATUSES


def received_too_large(reason: str) -> ConnectionClosedError:
    """The error for a connection that was ended here because a message is larger than may be received."""
    reason = f"{reason}: the server sent more than limits.max_message; give the provider limits with more"
    return ConnectionClosedError(TOO_LARGE, reason, permanent=True)


def closed_error(code: int | None, reason: str = "") -> ConnectionClosedError:
    """The error for an ended connection; ``None`` stands for no close frame."""
    code = ABNORMAL_CLOSURE if code is None else code
    return ConnectionClosedError(code, reason, permanent=code in _PERMANENT_CODES)
