"""How long to wait before the next try: exponential back-off with full jitter, as a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from weft.errors import ConnectError, ConnectionClosedError, ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Backoff", "ends_success", "patience", "seconds_until"]

# Close codes by which a server complains about us or asks for patience: RFC 6455, section 7.4.1 (protocol
# error, unacceptable data, bad payload, policy, too big, missing extension, internal error, of which what we
# send may be the cause) and 1013 "try again later".
_COMPLAINTS = frozenset({1002, 1003, 1007, 1008, 1009, 1010, 1011, 1013})
_TRY_LATER = range(4500, 4600)  # y-websocket 3.1
_MOST_PATIENCE = 3600.0  # seconds; a server that asks for more may have its clock wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waiting times between tries.

    The wait before try ``n`` after a failure is drawn evenly between zero and
    ``min(maximum, initial * factor ** n)`` ("full jitter"): when a server comes back, its clients do not all
    come in the same instant. y-websocket draws nothing, so its clients do.

    Attributes:
        initial: Seconds; upper end of the first wait.
        maximum: Seconds; upper end of every wait. y-websocket has 2.5 s, Hocuspocus 30 s.
        factor: Growth from one wait to the next, 1 to 10.
    """

    initial: float = 0.2
    maximum: float = 15.0
    factor: float = 2.0

    def __post_init__(self) -> None:
        if not (0 < self.initial <= self.maximum and 1 <= self.factor <= 10):
            raise ValueError("a back-off needs 0 < initial <= maximum and a factor of 1 to 10")

    def delay(self, failures: int, random: Callable[[], float]) -> float:
        """Seconds to wait.

        Args:
            failures: Tries in a row that did not synchronise, without the one that just failed; 0 and up.
            random: Draws evenly from [0, 1), like ``random.random``.
        """
        # 64 steps pass every maximum; without the bound a float would overflow in the end.
        return random() * min(self.maximum, self.initial * self.factor ** min(failures, 64))


def ends_success(error: ProviderError) -> bool:
    """Whether a connection that synchronised and ended so was a success, after which waits start over.

    A server that closes because of what we sent would otherwise be called again at full speed for ever: the
    new connection synchronises, sends the same thing, and is closed the same way.
    """
    if isinstance(error, ConnectionClosedError):
        return error.code not in _COMPLAINTS and error.code not in _TRY_LATER
    return not isinstance(error, ConnectError)


def patience(error: Exception) -> float:
    """Seconds for which the server wants to be left alone, an hour at most; the usual wait is added."""
    wanted = error.retry_after if isinstance(error, ConnectError) else None
    return min(wanted or 0.0, _MOST_PATIENCE)


def seconds_until(retry_after: str | None, *, now: float) -> float | None:
    """Read a ``Retry-After`` header (RFC 9110, section 10.2.3): seconds, or a date.

    Args:
        retry_after: Its value, or ``None``.
        now: Seconds since 1970.

    Returns:
        Seconds, not below zero; ``None`` for what is neither.
    """
    value = (retry_after or "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
