"""Making a failing schedule small: delta debugging over the actions of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["shrink"]

T = TypeVar("T")


def shrink(items: Sequence[T], fails: Callable[[Sequence[T]], bool], *, attempts: int = 400) -> list[T]:
    """Leave out what is not needed for a failure (Zeller's ddmin, complements only).

    Args:
        items: What fails as a whole.
        fails: Whether these of the items, in order, fail too.
        attempts: Calls of ``fails`` after which the smallest found so far has to do.

    Returns:
        Items that fail. If no attempt ran out, leaving out any one of them does not.
    """
    kept = list(items)
    parts = 2
    while len(kept) > 1 and attempts > 0:
        size = -(-len(kept) // parts)
        for start in range(0, len(kept), size):
            attempts -= 1
            rest = kept[:start] + kept[start + size :]
            if rest and fails(rest):
                kept = rest
                parts = max(parts - 1, 2)
                break
            if attempts <= 0:
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(kept))
    return kept
