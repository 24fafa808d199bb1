"""What the parts that keep a table have in common: cells of rows, each in a map."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from weft.mirrors.mirror import DocumentWrite
    from weft.mirrors.shapes.cells import Cells
    from weft.mirrors.shapes.part import Change, Context, Found
    from weft.mirrors.shapes.tree import Node, Place, Root, Tree
    from weft.store.replica import Paths, TextKey

__all__ = ["TablePart"]


class TablePart(ABC):
    """Keeps a table.

    Args:
        place: The table.
        root: The container of its rows.
        context: What the shape is bound in.
        cells: Reads and writes the cells of a row.
    """

    def __init__(self, place: Place, root: Root, context: Context, cells: Cells) -> None:
        self.place = place
        self.root = root
        self._table_id = place[0]
        self._context = context
        self._cells = cells

    def covers(self, table_id: str, row_id: str, cell_id: str) -> bool:
        """Whether a cell is kept here."""
        return table_id == self._table_id

    @abstractmethod
    def find_row(self, tree: Tree, row_id: str) -> Node | None:
        """The map that is a row."""

    def _changed_row(self, tree: Tree, change: Change) -> Node | None:
        """The row in which something has changed."""
        return self.find_row(tree, change.at[0])

    # -- shared texts ------------------------------------------------------------------------------------

    @property
    def texts(self) -> Collection[str]:
        """The cells of each row that are shared texts."""
        return self._cells.texts

    def find_text(self, tree: Tree, row_id: str, cell_id: str) -> Node | None:
        """The shared text that a cell is."""
        row = self.find_row(tree, row_id)
        return None if row is None else tree.text_at(row, self._cells.key(cell_id))

    def path_of_text(self, row_id: str, cell_id: str) -> tuple[str, ...] | None:
        """Where it stands in the document, if that can be said by keys alone."""
        return None

    def text_cell(self, at: tuple[str, ...]) -> TextKey | None:
        """The cell that is the text at keys below the container."""
        cell_id = self._cells.cell_id(at[1]) if len(at) == 2 else None
        return None if cell_id is None or cell_id not in self.texts else (self._table_id, at[0], cell_id)

    # -- cells -------------------------------------------------------------------------------------------

    def _cells_changed(self, tree: Tree, change: Change, found: Found) -> None:
        """Read the cells that a change in a row, or inside a cell of it, has touched."""
        row_id, *inside = change.at
        row = self._changed_row(tree, change)
        if row is None:
            return
        for key in inside[:1] or change.keys:
            cell_id = self._cells.cell_id(key)
            if cell_id is None:
                continue
            cell = self._cells.read_key(tree, self, (row_id,), row, key)
            if inside and cell is UNDEFINED:
                continue
            found.put(self._table_id, row_id, cell_id, cell)
            if change.delta is not None and isinstance(cell, str) and len(inside) == 1:
                found.deltas[self._table_id, row_id, cell_id] = change.delta

    def _write_cells(
        self,
        tree: Tree,
        row_id: str,
        row: Node,
        cells: Mapping[str, object],
        changes: DocumentWrite,
        refused: Paths,
        *,
        compare: bool,
    ) -> None:
        """Write cells of a row, and note those that cannot be."""
        place = (self._table_id, row_id)
        unwritten = self._cells.write(tree, place, row, cells, changes.texts, compare=compare)
        if unwritten:
            refused.add({self._table_id: {row_id: unwritten}})
