"""The order of a table's rows: the Store's, or by the cells of a column."""

from __future__ import annotations

from bisect import bisect_left, insort
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from weft.jsoncodec import dumps
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RowOrder"]

Key: TypeAlias = tuple[int, bool | int | float | str]


class RowOrder:
    """Row ids in order.

    A row that comes, goes or moves costs a search, and a part of it costs what comes before. By a column,
    truth values come before numbers, and these before text; rows without a cell there come last, either way.

    Args:
        rows: Row ids, each with its cell of the column; without a column, with anything.
        is_sorted: Whether there is a column.
        descending: Whether the last comes first.
    """

    def __init__(self, rows: Iterable[tuple[str, object]], *, is_sorted: bool, descending: bool) -> None:
        self._is_sorted = is_sorted
        self._descending = descending
        self._sorted: list[tuple[Key, str]] = []
        self._keys: dict[str, Key] = {}
        self._others: dict[str, None] = {}  # in the order in which they came
        for row_id, cell in rows:
            if (key := self._key(cell)) is None:
                self._others[row_id] = None
            else:
                self._keys[row_id] = key
                self._sorted.append((key, row_id))
        self._sorted.sort()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._others)

    def __contains__(self, row_id: str) -> bool:
        return row_id in self._keys or row_id in self._others

    def put(self, row_id: str, cell: object) -> bool:
        """Enter a row, or move it; tell whether anything changed."""
        key = self._key(cell)
        if key is None and row_id in self._others:
            return False
        if key is not None and self._keys.get(row_id) == key:
            return False
        self.remove(row_id)
        if key is None:
            self._others[row_id] = None
        else:
            self._keys[row_id] = key
            insort(self._sorted, (key, row_id))
        return True

    def remove(self, row_id: str) -> bool:
        """Take a row out; tell whether it was there."""
        key = self._keys.pop(row_id, None)
        if key is not None:
            del self._sorted[bisect_left(self._sorted, (key, row_id))]
            return True
        return self._others.pop(row_id, self) is None

    def part(self, start: int, stop: int) -> list[str]:
        """Give the ids from a place up to another one."""
        count = len(self._sorted)
        if self._descending:
            here = self._sorted[max(count - stop, 0) : max(count - start, 0)][::-1]
        else:
            here = self._sorted[start:stop]
        others: Iterable[str] = self._others
        if self._descending and not self._is_sorted:
            others = reversed(self._others)
        return [row_id for _, row_id in here] + list(
            islice(others, max(start - count, 0), max(stop - count, 0))
        )

    def _key(self, cell: object) -> Key | None:
        if not self._is_sorted or cell is None or cell is UNDEFINED:
            return None
        if isinstance(cell, bool):
            return (0, cell)
        if isinstance(cell, (int, float)):
            return (1, cell)
        return (2, cell) if isinstance(cell, str) else (3, dumps(cell))
