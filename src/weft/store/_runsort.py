"""The sort of short lists that both CPython and V8 had: find a run, then insert the rest into it.

With a comparison that orders everything, any sort gives the same result and ``list.sort`` is the one to
use. Where there is no order (numbers beside text that is no number) the result is what the algorithm makes
of it. Up to CPython 3.12 ``list.sort`` and V8's ``Array.prototype.sort`` are the same timsort; since 3.13
Python's begins in another way. Below 64 items timsort is only this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SHORT", "run_sorted"]

SHORT: Final = 64  # from here on timsort merges

T = TypeVar("T")


def run_sorted(items: list[T], less: Callable[[T, T], bool]) -> list[T]:
    """Sort fewer than :data:`SHORT` items.

    Args:
        items: Sorted in place.
        less: Whether the first comes before the second; asked for the later item first.
    """
    length = len(items)
    if length < 2:
        return items
    end = 2
    if less(items[1], items[0]):
        while end < length and less(items[end], items[end - 1]):
            end += 1
        items[:end] = items[end - 1 :: -1]
    else:
        while end < length and not less(items[end], items[end - 1]):
            end += 1
    for index in range(end, length):
        pivot = items[index]
        low, high = 0, index
        while low < high:
            middle = (low + high) // 2
            if less(pivot, items[middle]):
                high = middle
            else:
                low = middle + 1
        del items[index]
        items.insert(low, pivot)
    return items
