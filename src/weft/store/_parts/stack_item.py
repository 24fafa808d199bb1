"""One step of an undo manager: what its transactions changed, and how to take that back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weft.deltas import apply, compose, from_cell, to_cell, transform
from weft.values import UNDEFINED, is_same

if TYPE_CHECKING:
    from weft.deltas import Delta
    from weft.values import Stored, Undefined

__all__ = ["Edit", "StackItem"]

_EDIT_BYTES: Final = 200  # of one edit without its strings, by measurement


class Edit:
    """What a step did to one cell or value.

    Attributes:
        before: What stood there before the step; of an edit of a text that was there, nothing is kept.
        after: What stood there after it, likewise.
        inverse: Of a text that is there after it: what takes the edit back, in the text as the step left it
            and others have changed it since.
        is_shared: Whether others have edited that text since.
    """

    __slots__ = ("after", "before", "inverse", "is_shared")

    def __init__(
        self, before: Stored | Undefined, after: Stored | Undefined, inverse: Delta | None = None
    ) -> None:
        made = before is UNDEFINED
        self.inverse = inverse
        self.before: Stored | Undefined = before if inverse is None or made else ""
        self.after: Stored | Undefined = after if inverse is None else ""
        self.is_shared = False

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to take back."""
        if self.inverse is None:
            return is_same(self.before, self.after)
        return not self.inverse and (self.before is not UNDEFINED or self.is_shared)

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        size = _EDIT_BYTES
        for cell in (self.before, self.after):
            if isinstance(cell, str):
                size += len(cell)
        for operation in self.inverse or ():
            inserted = operation.get("insert")
            size += _EDIT_BYTES + (len(inserted) if isinstance(inserted, str) else 0)
        return size

    def then(self, later: Edit) -> Edit:
        """Make one edit of two of the same step, of which the second came after the first."""
        if self.inverse is not None and later.inverse is not None:
            merged = Edit(self.before, "", compose(later.inverse, self.inverse))
            merged.is_shared = self.is_shared
            return merged
        if self.inverse is not None and isinstance(later.before, str):  # the text is gone
            if self.before is UNDEFINED and not self.is_shared:
                return Edit(UNDEFINED, later.after)
            return Edit(to_cell(apply(from_cell(later.before), self.inverse)), later.after)
        if later.inverse is not None and isinstance(self.before, str):  # it was gone, and is made again
            text = from_cell(self.before)
            return Edit(self.before, "", [{"insert": text}, *later.inverse] if text else later.inverse)
        return Edit(self.before, later.after, later.inverse)

    def follow(self, done: Delta) -> Delta | None:
        """Take account of what others did to the text.

        Returns:
            What they did as it is before this step; ``None`` where the text was not there before it.
        """
        assert self.inverse is not None  # noqa: S101 - asked before
        before = transform(self.inverse, done, first=False)
        self.inverse = transform(done, self.inverse, first=True)
        self.is_shared = True
        return None if self.before is UNDEFINED else before


Cells = dict[str, dict[str, dict[str, Edit]]]


class StackItem:
    """One step of an undo manager: what is undone, or redone, at once.

    Attributes:
        label: What the step is called, as a menu shows it; may be set.
        meta: Whatever a program keeps with the step, such as where the cursor was. It goes with the step from
            the undo stack to the redo stack and back.
    """

    __slots__ = ("_cells", "_gone", "_size", "_values", "_version", "label", "meta")

    def __init__(self, label: str = "", meta: dict[str, Any] | None = None) -> None:
        self.label = label
        self.meta: dict[str, Any] = {} if meta is None else meta
        self._cells: Cells = {}
        self._values: dict[str, Edit] = {}
        self._gone: set[tuple[str, str]] = set()
        self._size = 0
        self._version = 0

    @property
    def places(self) -> list[tuple[str, ...]]:
        """Where it would change something: table, row and cell ids, or the id of a value."""
        cells: list[tuple[str, ...]] = [
            (table_id, row_id, cell_id)
            for table_id, rows in self._cells.items()
            for row_id, edits in rows.items()
            for cell_id in edits
        ]
        return [*cells, *((value_id,) for value_id in self._values)]

    def __repr__(self) -> str:
        return f"<StackItem {self.label!r}, {len(self.places)} places>"

    # What the manager does with it.

    @property
    def cells(self) -> Cells:
        """Edits by table, row and cell id, in the order in which they were made."""
        return self._cells

    @property
    def values(self) -> dict[str, Edit]:
        """Edits by value id."""
        return self._values

    @property
    def gone(self) -> set[tuple[str, str]]:
        """Table and row ids of the rows that the step took away, and not others."""
        return self._gone

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return self._size

    @property
    def version(self) -> int:
        """Another number after each change of what is in it."""
        return self._version

    @property
    def texts(self) -> list[tuple[str, str, str]]:
        """Table, row and cell ids of the texts that it edits."""
        return [
            (table_id, row_id, cell_id)
            for table_id, rows in self._cells.items()
            for row_id, edits in rows.items()
            for cell_id, edit in edits.items()
            if edit.inverse is not None
        ]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take back."""
        return not self._cells and not self._values

    def note_cell(self, table_id: str, row_id: str, cell_id: str, edit: Edit) -> None:
        """Note a change of a cell."""
        edits = self._cells.setdefault(table_id, {}).setdefault(row_id, {})
        self._note(edits, cell_id, edit)
        if not edits:
            self._prune(table_id, row_id)

    def note_value(self, value_id: str, edit: Edit) -> None:
        """Note a change of a value."""
        self._note(self._values, value_id, edit)

    def _note(self, edits: dict[str, Edit], id_: str, edit: Edit) -> None:
        self._version += 1
        earlier = edits.get(id_)
        if earlier is not None:
            self._size -= earlier.size
            edit = earlier.then(edit)
        if edit.is_nothing:
            edits.pop(id_, None)
        else:
            edits[id_] = edit
            self._size += edit.size

    def forget_cell(self, table_id: str, row_id: str, cell_id: str) -> None:
        """Forget a change of a cell, which others have overwritten."""
        edits = self._cells.get(table_id, {}).get(row_id, {})
        edit = edits.pop(cell_id, None)
        if edit is not None:
            self._version += 1
            self._size -= edit.size
            if not edits:
                self._prune(table_id, row_id)

    def forget_row(self, table_id: str, row_id: str) -> None:
        """Forget all changes in a row, which others have removed."""
        if (table_id, row_id) in self._gone:
            self._gone.remove((table_id, row_id))
            self._version += 1
        for cell_id in list(self._cells.get(table_id, {}).get(row_id, ())):
            self.forget_cell(table_id, row_id, cell_id)

    def forget_value(self, value_id: str) -> None:
        """Forget a change of a value."""
        edit = self._values.pop(value_id, None)
        if edit is not None:
            self._version += 1
            self._size -= edit.size

    def follow(self, table_id: str, row_id: str, cell_id: str, done: Delta) -> Delta | None:
        """Take account of what others did to a text.

        Returns:
            What they did as it is before this step; ``None`` where that text was not there before it.
        """
        edit = self._cells.get(table_id, {}).get(row_id, {}).get(cell_id)
        if edit is None:
            return done
        if edit.inverse is None:
            self.forget_cell(table_id, row_id, cell_id)
            return None
        self._version += 1
        self._size -= edit.size
        before = edit.follow(done)
        self._size += edit.size
        if edit.is_nothing:
            self.forget_cell(table_id, row_id, cell_id)
        return before

    def _prune(self, table_id: str, row_id: str) -> None:
        rows = self._cells[table_id]
        del rows[row_id]
        if not rows:
            del self._cells[table_id]
