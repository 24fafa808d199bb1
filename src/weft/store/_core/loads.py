"""Loading many rows into a table at once: checked first, then written, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from weft.errors import InvalidCellError, InvalidIdError
from weft.store._core.rows import RowWrites
from weft.store._core.transactions import OneWrite
from weft.store._parts.ids import check_id
from weft.values import UNDEFINED, is_same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.values import Stored

__all__ = ["Existing", "LoadSummary", "Loads"]

Existing: TypeAlias = Literal["merge", "replace", "ignore", "error"]
"""What becomes of a row that is there already."""


class LoadSummary(NamedTuple):
    """What loading records did; the three numbers together are the number of records that were stored.

    Attributes:
        added: Rows that were not there.
        changed: Rows that were there, and of which a cell is another one now.
        unchanged: Rows that were there and are as they were.
        row_ids: The row of each record, in their order; a record that could not be stored, which only
            ``Store(on_invalid="ignore")`` and middleware leave out, has none and counts nowhere.
    """

    added: int
    changed: int
    unchanged: int
    row_ids: tuple[str, ...]

    def __repr__(self) -> str:
        return f"LoadSummary(added={self.added}, changed={self.changed}, unchanged={self.unchanged})"


class Loads(RowWrites):
    """Rows from elsewhere."""

    __slots__ = ()

    def _load(
        self, table_id: str, rows: Sequence[tuple[str | None, dict[str, object]]], existing: Existing
    ) -> LoadSummary:
        """Write rows, all or none; a row without an id gets one as ``add_row`` gives."""
        numbers = {"added": 0, "changed": 0, "unchanged": 0}
        row_ids: list[str] = []
        with OneWrite(self) as may_write:
            # All of it is checked before anything is written.
            for given_id, valid, partial in self._checked(table_id, rows, existing) if may_write else ():
                row_id = self._take_row_id(table_id, reuse=True) if given_id is None else given_id
                before = self._tables.get(table_id, {}).get(row_id)
                old = None if before is None else before.copy()
                if partial:
                    self._merge_row(table_id, row_id, valid)
                else:
                    self._replace_row(table_id, row_id, valid)
                new = self._tables.get(table_id, {}).get(row_id)
                if new is not None:
                    row_ids.append(row_id)
                    numbers["added" if old is None else "unchanged" if _equal(old, new) else "changed"] += 1
        return LoadSummary(**numbers, row_ids=tuple(row_ids))

    def _checked(
        self, table_id: str, rows: Sequence[tuple[str | None, dict[str, object]]], existing: Existing
    ) -> list[tuple[str | None, dict[str, Stored], bool]]:
        """Give each row's id, its cells in stored form, and whether they add to what is there."""
        table = self._tables.get(table_id, {})
        checked: list[tuple[str | None, dict[str, Stored], bool]] = []
        known: dict[object, str] = {}
        new: set[str] = set()
        for number, (given_id, row) in enumerate(rows):
            try:
                row_id = None if given_id is None else check_id(given_id)
                is_there = row_id is not None and (row_id in table or row_id in new)
                partial = is_there and existing != "replace"
                if is_there and existing == "error":
                    raise InvalidIdError(given_id, f"table {table_id!r} has this row")
                if is_there and (existing == "ignore" or (partial and not row)):
                    checked.append((row_id, {}, True))
                    continue
                valid = self._valid_row(table_id, row_id, row, known, partial=partial)
            except InvalidCellError as error:
                place = (error.table_id, error.row_id, error.cell_id, error.cell)
                raise type(error)(*place, f"{error.reason} (record {number})") from None
            except InvalidIdError as error:
                raise type(error)(error.id, f"{error.reason} (record {number})") from None
            if valid:
                checked.append((row_id, valid, partial))
                if row_id is not None:
                    new.add(row_id)
        return checked


def _equal(old: dict[str, Stored], new: dict[str, Stored]) -> bool:
    return len(old) == len(new) and all(
        is_same(cell, new.get(cell_id, UNDEFINED)) for cell_id, cell in old.items()
    )
