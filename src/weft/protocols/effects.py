"""What sessions of every protocol want done, or tell."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Denied", "FlushLost", "Flushed", "Send"]


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message.

    Attributes:
        data: One binary websocket message.
        after_stored: Send it only when storage has everything received before: the other end takes it as the
            acknowledgement. Order is kept all the same.
    """

    data: bytes
    after_stored: bool = False


@dataclass(frozen=True, slots=True)
class Flushed:
    """The other end has everything that was written before the flush with this token was asked for."""

    token: int


@dataclass(frozen=True, slots=True)
class FlushLost:
    """The connection is over before these flushes were answered; ask again on the next one."""

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """The server says that something is not allowed: to be here, or to write."""

    reason: str
