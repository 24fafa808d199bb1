"""Row ids that no other peer makes, and that sort in the order in which they were made.

16 characters of 6 bits: 54 bits are the microseconds since 1970, which is enough until 2540, and 42 are
random. So two peers can only make the same id in the same microsecond, and then in one of 4 · 10^12 cases.
One maker never gives a microsecond twice, so that its ids sort in order of making however fast it is, and
when the clock is set back. Firebase's push ids are the model, with a finer clock: they hold 120 bits.
"""

from __future__ import annotations

import os
import time
from binascii import b2a_base64
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["UniqueIds"]

_RANDOM_BITS: Final = 42
_MASK: Final = (1 << _RANDOM_BITS) - 1

# Characters whose order as text is that of what they stand for, and which no URL or file name has to escape.
_IN_ORDER: Final = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
)


def _microseconds() -> int:
    return time.time_ns() // 1000


class UniqueIds:
    """Makes unique ids: call it.

    Args:
        microseconds: The clock: microseconds since 1970.
        random_bytes: Gives so many random bytes. The system's are also different after a fork, and where a
            program seeds Python's own generator.
    """

    __slots__ = ("_last", "_microseconds", "_random_bytes")

    def __init__(
        self,
        *,
        microseconds: Callable[[], int] = _microseconds,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._microseconds = microseconds
        self._random_bytes = random_bytes
        self._last = 0

    def __call__(self) -> str:
        """Make an id."""
        self._last = max(self._microseconds(), self._last + 1)
        random = int.from_bytes(self._random_bytes(6)) & _MASK
        number = self._last << _RANDOM_BITS | random
        return b2a_base64(number.to_bytes(12), newline=False).translate(_IN_ORDER).decode()
