"""What a storage has committed, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from weft._support.histogram import Histogram

__all__ = ["CommitStats"]

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(slots=True)
class CommitStats:
    """What a storage has committed since it was made.

    Attributes:
        seconds: How long commits took.
        updates: Updates that were written by them.
        size: Bytes of those.
        failures: Tries that failed. What they were to write was tried again, or is going to be.
    """

    seconds: Histogram = field(default_factory=lambda: Histogram(_SECONDS))
    updates: int = 0
    size: int = 0
    failures: int = 0
