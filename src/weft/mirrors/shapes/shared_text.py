"""A cell that is a root text of a document, or one inside maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.deltas import apply, from_cell, smallest_edit
from weft.errors import MirrorError
from weft.mirrors.shapes.part import open_to_write
from weft.store.replica import Paths
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from weft.mirrors.mirror import DocumentWrite
    from weft.mirrors.shapes.part import Change, Context, Found
    from weft.mirrors.shapes.tree import Place, Root, Tree

__all__ = ["TextPart"]


class TextPart:
    """Keeps a cell: see :class:`~weft.mirrors.shapes.declared.SharedText`.

    A root text is always there, so an empty one reads as no cell as long as the Store has none.
    """

    def __init__(self, place: Place, root: Root, context: Context) -> None:
        self.place = place
        self.root = root
        self._context = context
        self._table_id, self._row_id, self._cell_id = place

    def covers(self, table_id: str, row_id: str, cell_id: str) -> bool:
        return (table_id, row_id, cell_id) == self.place

    def places(self, keys: tuple[str, ...]) -> Collection[Place]:
        return (self.place,)

    def read(self, tree: Tree, found: Found) -> None:
        node = tree.find(self.root)
        if node is not None:
            tree.keep(self, (), node)
            if text := tree.text(node):
                found.put(*self.place, text)  # type: ignore[call-arg]

    def read_at(self, tree: Tree, paths: Paths, found: Found) -> None:
        if self._cell_id in paths.tables.get(self._table_id, {}).get(self._row_id, ()):
            node = tree.find(self.root)
            text = "" if node is None else tree.text(node)
            found.put(self._table_id, self._row_id, self._cell_id, text or self._empty())

    def _empty(self) -> object:
        held = self._context.replica.tables.get(self._table_id, {}).get(self._row_id, {})
        return "" if self._cell_id in held else UNDEFINED

    def changed(self, tree: Tree, change: Change, found: Found) -> None:
        node = tree.find(self.root)
        text = "" if node is None else tree.text(node)
        found.put(self._table_id, self._row_id, self._cell_id, text or self._empty())
        if text and change.delta is not None:
            found.deltas[self._table_id, self._row_id, self._cell_id] = change.delta

    def follow(self, tree: Tree, change: Change) -> None:
        pass

    def write(self, tree: Tree, changes: DocumentWrite, *, compare: bool) -> Paths:
        refused = Paths()
        key = (self._table_id, self._row_id, self._cell_id)
        edit = changes.texts.get(key)
        cells: Mapping[str, object] = changes.tables.get(self._table_id, {}).get(self._row_id, {})
        if self._cell_id not in cells:
            if edit is None:
                return refused
            cells = self._context.replica.tables.get(self._table_id, {}).get(self._row_id, {})
        cell = cells.get(self._cell_id, UNDEFINED)
        if cell is UNDEFINED:
            cell = ""  # a root cannot be deleted
        if not isinstance(cell, str):
            self._context.report(MirrorError(f"{self.root} is a text, and cannot be {cell!r:.100}"))
            refused.add({self._table_id: {self._row_id: (self._cell_id,)}})
            return refused
        node = open_to_write(tree, self, lambda: bool(cell))
        if node is None:
            return refused
        old, new = from_cell(tree.text(node)), from_cell(cell)
        try:
            delta = edit if edit is not None and apply(old, edit) == new else smallest_edit(old, new)
        except ValueError:
            delta = smallest_edit(old, new)
        try:
            if delta:
                tree.edit_text(node, delta)
        except MirrorError as error:
            self._context.report(error)
            refused.add({self._table_id: {self._row_id: (self._cell_id,)}})
        return refused
