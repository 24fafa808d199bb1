"""Fragments: messages in parts, for sockets that take no large frame (TinyBase 9 and later).

A part is the message's id, its index, the count of parts and a piece of the text, between line feeds. Parts
may come in any order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Fragments", "split"]

MAX_FRAGMENTS = 1000  # of one message: TinyBase's bound, on which its senders rely
MAX_SETS = 100  # messages of one connection of which parts are missing: TinyBase's bound
# Seconds that the parts of a message may take. TinyBase gives them its request timeout, which is one second,
# and on a slow connection forgets what is still arriving. What waits is bounded by size.
KEPT_S = 30.0

_FRAGMENT = re.compile(r"([-0-9A-Z_a-z]{16})\n([0-9]{1,4})\n([0-9]{1,9})\n", re.ASCII)


@dataclass(slots=True)
class _Set:
    """Parts of one message."""

    total: int
    due: float
    parts: dict[int, str] = field(default_factory=dict)  # as they came, heads included
    size: int = 0


class Fragments:
    """Joins the parts that one connection brings.

    Args:
        max_bytes: Bytes that may wait for missing parts.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._sets: dict[tuple[str, str], _Set] = {}
        self._size = 0

    @property
    def waiting(self) -> int:
        """Bytes of parts that wait for the rest."""
        return self._size

    def add(self, key: str, part: str, now: float) -> tuple[str, tuple[str, ...]] | None:
        """Take a part in.

        Args:
            key: By which sender and channel the sets are told apart.
            part: What follows the address in its frame.
            now: The time, in seconds.

        Returns:
            When it was the last one, the text of the message and all parts in order, heads included.

        Raises:
            RemoteProtocolError: It is no part, came before, or is one too many. What waits was forgotten.
        """
        head = _FRAGMENT.match(part)
        if head is None:
            raise self._refused("neither a message nor a part of one")
        self.expire(now)
        index, total = int(head[2]), int(head[3])
        if total > MAX_FRAGMENTS:
            raise self._refused(f"a message in {total} parts; {MAX_FRAGMENTS} are allowed", "fragments")
        known = self._sets.get((key, head[1]))
        if known is None:
            if len(self._sets) >= MAX_SETS:
                raise self._refused(f"parts of more than {MAX_SETS} messages wait for the rest", "fragments")
            known = _Set(total, now + KEPT_S)
        if index >= total or total != known.total or index in known.parts:
            raise self._refused("a part of a message that does not fit with the others")
        size = len(part.encode())
        if self._size + size > self._max_bytes:
            raise self._refused(f"more than {self._max_bytes} bytes of parts wait for the rest", "fragments")
        self._sets[key, head[1]] = known
        known.parts[index] = part
        known.size += size
        self._size += size
        if len(known.parts) < total:
            return None
        self._forget((key, head[1]))
        parts = tuple(known.parts[number] for number in range(total))
        return "".join([each.split("\n", 3)[3] for each in parts]), parts

    def expire(self, now: float) -> None:
        """Forget what waited for too long."""
        for key in [key for key, waiting in self._sets.items() if waiting.due <= now]:
            self._forget(key)

    def clear(self) -> None:
        """Forget everything: the connection is over."""
        self._sets.clear()
        self._size = 0

    def _forget(self, key: tuple[str, str]) -> None:
        self._size -= self._sets.pop(key).size

    def _refused(self, reason: str, bound: str = "") -> RemoteProtocolError:
        self.clear()
        return RemoteProtocolError(reason, bound=bound)


def split(text: str, size: int | None, new_id: Callable[[int], str]) -> list[str]:
    """Cut the text of a message into parts, as TinyBase does.

    Args:
        text: The message.
        size: Bytes of UTF-8 in each piece, more where that would make too many; ``None`` for no parts at all.
        new_id: Makes an id of so many characters.

    Returns:
        What follows the address in each frame: parts, or just the message.
    """
    if size is None or size < 1 or len(text) * 4 <= size:
        return [text]
    data = text.encode()
    most = max(size, -(-len(data) // MAX_FRAGMENTS) + 3)
    pieces = []
    begin = 0
    while begin < len(data):
        end = begin + most
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1  # never within a character
        pieces.append(data[begin:end].decode())
        begin = end
    if len(pieces) == 1:
        return [text]
    name, total = new_id(16), len(pieces)
    return [f"{name}\n{index}\n{total}\n{piece}" for index, piece in enumerate(pieces)]
