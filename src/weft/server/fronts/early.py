"""What a client sends before it is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.server.fronts.frames import FrameError

if TYPE_CHECKING:
    from weft.limits import ServerLimits

__all__ = ["TOO_MUCH", "EarlyMessages"]

_POLICY = 1008  # RFC 6455, section 7.4.1
TOO_MUCH = "too much before the join message"


class EarlyMessages:
    """Messages that came before there was somebody to receive them, or before it was known who sends them.

    Args:
        limits: ``max_early_messages`` and ``max_early_bytes``.
    """

    __slots__ = ("_count", "_limits", "_size", "kept")

    def __init__(self, limits: ServerLimits) -> None:
        self.kept: list[bytes] = []
        self._limits = limits
        self._count = self._size = 0

    def check(self, payload: bytes) -> None:
        """Count what came from a client that has not said who it is.

        Raises:
            FrameError: It is more than may be.
        """
        self._count += 1
        self._size += len(payload)
        for bound, came in (("max_early_messages", self._count), ("max_early_bytes", self._size)):
            if came > getattr(self._limits, bound):
                raise FrameError(_POLICY, TOO_MUCH, bound=bound)

    def keep(self, message: bytes) -> bool:
        """Keep a message for who will be attached; whether no more should come."""
        self.kept.append(message)
        limits = self._limits
        return len(self.kept) >= limits.max_early_messages or self.size > limits.max_early_bytes

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return sum(map(len, self.kept))
