"""What the server has not confirmed."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pending"]


@dataclass(frozen=True, slots=True)
class Pending:
    """What was written here and the server has not confirmed; falsy when that is nothing.

    Attributes:
        updates: How many transactions. What the server had confirmed and has lost counts as one.
        bytes: How many bytes they had.
    """

    updates: int = 0
    bytes: int = 0

    def __bool__(self) -> bool:
        return self.updates > 0
