"""The steps of an undo manager, and what of them others have written over since."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weft.deltas import Delta
    from weft.store._parts.stack_item import StackItem

__all__ = ["UndoStacks"]


class UndoStacks:
    """What can be undone and what can be redone, the next one last.

    Args:
        size: How many steps are kept to be undone.
        max_bytes: About how many bytes all steps may take.
    """

    __slots__ = ("_rows", "max_bytes", "redo", "size", "undo")

    def __init__(self, size: int, max_bytes: int) -> None:
        self.size = size
        self.max_bytes = max_bytes
        self.undo: list[StackItem] = []
        self.redo: list[StackItem] = []
        self._rows: dict[str, dict[str, None]] = {}  # which rows steps cover, or did

    def cover(self, item: StackItem) -> None:
        """Have the rows of a step watched, which is on one of the stacks."""
        for table_id, rows in item.cells.items():
            self._rows.setdefault(table_id, {}).update(dict.fromkeys(rows))

    def cover_row(self, table_id: str, row_id: str) -> None:
        """Have a row watched, of which a step that is on one of the stacks has come to cover something."""
        self._rows.setdefault(table_id, {})[row_id] = None

    def _items(self) -> Iterable[StackItem]:
        yield from self.undo
        yield from self.redo

    # What others did.

    def forget_cell(self, table_id: str, row_id: str, cell_id: str) -> None:
        """Others have written a cell: no step takes it back any more."""
        for item in self._items():
            item.forget_cell(table_id, row_id, cell_id)

    def forget_row(self, table_id: str, row_id: str) -> None:
        """Others have removed a row: no step brings back any of it."""
        for item in self._items():
            item.forget_row(table_id, row_id)

    def forget_values(self, value_ids: Iterable[str]) -> None:
        """Others have written values."""
        ids = list(value_ids)
        for item in self._items():
            if item.values:
                for value_id in ids:
                    item.forget_value(value_id)

    def follow(self, table_id: str, row_id: str, cell_id: str, delta: Delta) -> None:
        """Others have edited a text: each step takes its own letters back, wherever these are now."""
        for stack in (self.undo, self.redo):
            done: Delta | None = delta
            for item in reversed(stack):
                if done is None:
                    item.forget_cell(table_id, row_id, cell_id)
                else:
                    done = item.follow(table_id, row_id, cell_id, done)

    # Bounds.

    def drop_empty(self) -> list[StackItem]:
        """Take out the steps of which nothing is left, and return them."""
        gone = [item for item in self._items() if item.is_empty]
        if gone:
            for stack in (self.undo, self.redo):
                stack[:] = [item for item in stack if not item.is_empty]
        return gone

    def trim(self) -> list[StackItem]:
        """Drop the oldest steps until the rest is within the bounds, and return them."""
        gone = self.undo[: max(0, len(self.undo) - self.size)]
        left = self.undo[len(gone) :]
        sizes = sum(item.size for item in left) + sum(item.size for item in self.redo)
        while sizes > self.max_bytes and (left or self.redo):
            oldest = left.pop(0) if left else self.redo.pop(0)
            sizes -= oldest.size
            gone.append(oldest)
        if gone:
            self.undo[:] = left
            self._cover_anew()
        return gone

    def _cover_anew(self) -> None:
        covered = sum(len(rows) for rows in self._rows.values())
        if covered > 1000 and covered > 2 * sum(
            len(rows) for item in self._items() for rows in item.cells.values()
        ):
            self._rows = {}
            for item in self._items():
                self.cover(item)

    def edited_rows(self, written: Mapping[str, Mapping[str, object]]) -> list[tuple[str, str]]:
        """Which of some rows are covered."""
        found = []
        for table_id, rows in written.items():
            covered = self._rows.get(table_id)
            if covered:
                fewer, more = (rows, covered) if len(rows) <= len(covered) else (covered, rows)
                found += [(table_id, row_id) for row_id in fewer if row_id in more]
        return found
