"""What a client sends before it is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.server.fronts.frames import FrameError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.limits import ServerLimits

__all__ = ["TOO_MUCH", "EarlyMessages"]

_POLICY = 1008  # RFC 6455, section 7.4.1
TOO_MUCH = "too much before the join message"


class EarlyMessages:
    """Messages that came before there was somebody to receive them, or before it was known who sends them.

    Args:
        limits: ``max_early_messages`` and ``max_early_bytes``.

    Attributes:
        kept: The messages.
        takes_text: Whether the client speaks a protocol of texts; ``None`` before its first message, which
            tells, unless somebody says so before.
    """

    __slots__ = ("_count", "_limits", "_size", "_told", "kept", "takes_text")

    def __init__(self, limits: ServerLimits) -> None:
        self.kept: list[bytes] = []
        self.takes_text: bool | None = None
        self._told: Callable[[bool], None] | None = None
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

    def on_first(self, told: Callable[[bool], None]) -> None:
        """Have somebody told, once, when the first message is there: whether it is a text."""
        if self.takes_text is None:
            self._told = told
        else:
            told(self.takes_text)

    def keep(self, message: bytes, *, is_text: bool) -> bool:
        """Keep a message for who will be attached; whether no more should come."""
        self.kept.append(message)
        if self.takes_text is None:
            self.takes_text = is_text
            told, self._told = self._told, None
            if told is not None:  # at once: who is attached says how large the next message may be
                told(is_text)
        limits = self._limits
        return len(self.kept) >= limits.max_early_messages or self.size > limits.max_early_bytes

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return sum(map(len, self.kept))
