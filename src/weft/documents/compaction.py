"""What may stand for many rows of a log, and what makes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Compacted", "Compactor"]


@dataclass(frozen=True, slots=True)
class Compacted:
    """What may stand for a list of updates.

    Attributes:
        snapshot: One update with everything that is whole.
        kept: Positions of the updates that must stay beside it, because part of them waits for what none of
            the others brings.
    """

    snapshot: bytes
    kept: frozenset[int]


Compactor: TypeAlias = Callable[[Sequence[bytes]], Compacted | None]
"""Makes one update out of many; ``None`` when they had better stay as they are.

It may be called on another thread than the event loop's. It raises ``RemoteProtocolError`` when one of them
is not an update.
"""
