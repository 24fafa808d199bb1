"""Messages that leave together, for one client or for many: encoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Batch"]


class Batch:
    """Messages that leave together, in order.

    Args:
        messages: At least one.
    """

    __slots__ = ("_encoded", "messages", "size")

    def __init__(self, messages: Sequence[bytes]) -> None:
        self.messages = messages
        self.size = sum(map(len, messages))  # bytes, without what a transport puts around them
        self._encoded: bytes | None = None

    def encoded(self, encode: Callable[[Sequence[bytes]], bytes]) -> bytes:
        """The messages as a transport writes them; the same object for every client of a server.

        Args:
            encode: Gives it. All who ask give the same function: that of the server's front.
        """
        if self._encoded is None:
            self._encoded = encode(self.messages)
        return self._encoded
