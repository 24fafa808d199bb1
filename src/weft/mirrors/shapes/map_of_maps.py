"""A table in a map of maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.mirrors.shapes.cells import Cells
from weft.mirrors.shapes.part import Change, Found, has_content, held_row, open_to_write
from weft.mirrors.shapes.table_part import TablePart
from weft.mirrors.shapes.tree import Kind
from weft.store.replica import Paths
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Collection

    from weft.mirrors.mirror import DocumentWrite
    from weft.mirrors.shapes.part import Context
    from weft.mirrors.shapes.tree import Node, Place, Root, Tree

__all__ = ["MapPart"]


class MapPart(TablePart):
    """Keeps a table: see :class:`~weft.mirrors.shapes.declared.MapOfMaps`."""

    def __init__(self, place: Place, root: Root, context: Context, deep: bool, json: frozenset[str]) -> None:
        super().__init__(place, root, context, Cells(context, f"a row of {root}", deep, json))

    def path_of_text(self, row_id: str, cell_id: str) -> tuple[str, ...]:
        return (*self.root.path, row_id, self._cells.key(cell_id))

    def places(self, keys: tuple[str, ...]) -> Collection[Place]:
        if len(keys) < 2:
            return ((self._table_id, *keys),)
        cell_id = self._cells.cell_id(keys[1])
        return () if cell_id is None else ((self._table_id, keys[0], cell_id),)

    # -- reading -----------------------------------------------------------------------------------------

    def read(self, tree: Tree, found: Found) -> None:
        node = tree.find(self.root)
        if node is None:
            return
        tree.keep(self, (), node)
        rows = found.tables.setdefault(self._table_id, {})
        for row_id, row in tree.items(node).items():
            cells = self._read_row(tree, row_id, row)
            if cells is not None:
                rows[row_id] = cells

    def _read_row(self, tree: Tree, row_id: str, row: object) -> dict[str, object] | None:
        if tree.kind(row) is not Kind.MAP:
            if row is not UNDEFINED:
                self._context.foreign(f"{self.root}/{row_id}", row)
            return None
        tree.keep(self, (row_id,), row)
        return self._cells.read(tree, self, (row_id,), row)

    def read_at(self, tree: Tree, paths: Paths, found: Found) -> None:
        node = tree.find(self.root)
        for row_id, cell_ids in paths.tables.get(self._table_id, {}).items():
            row = self._row(tree, node, row_id)
            for cell_id in cell_ids:
                cell = self._cells.read_cell(tree, self, (row_id,), row, cell_id)
                found.put(self._table_id, row_id, cell_id, cell)

    def find_row(self, tree: Tree, row_id: str) -> Node | None:
        return self._row(tree, tree.find(self.root), row_id)

    def _changed_row(self, tree: Tree, change: Change) -> Node | None:
        return change.node if len(change.at) == 1 else self.find_row(tree, change.at[0])

    def _row(self, tree: Tree, node: Node | None, row_id: str) -> Node | None:
        row = UNDEFINED if node is None else tree.get(node, row_id)
        return row if tree.kind(row) is Kind.MAP else None

    # -- changes -----------------------------------------------------------------------------------------

    def changed(self, tree: Tree, change: Change, found: Found) -> None:
        if change.at:
            self._cells_changed(tree, change, found)
            return
        for row_id, action in change.keys.items():
            self._row_changed(tree, row_id, tree.get(change.node, row_id), action, found)

    def _row_changed(self, tree: Tree, row_id: str, row: object, action: str, found: Found) -> None:
        held = held_row(self._context, self._table_id, row_id)
        tree.forget(self, (row_id,))
        cells = self._read_row(tree, row_id, row)
        lacking = held.keys() - (cells or {}).keys()
        if cells is not None and lacking and action == "update":
            owed = Paths()
            owed.add({self._table_id: {row_id: lacking}})
            found.owed.append((row_id, owed))
            lacking = set()
        found.tables.setdefault(self._table_id, {})[row_id] = (cells or {}) | dict.fromkeys(
            lacking, UNDEFINED
        )

    def follow(self, tree: Tree, change: Change) -> None:
        pass

    # -- writing -----------------------------------------------------------------------------------------

    def write(self, tree: Tree, changes: DocumentWrite, *, compare: bool) -> Paths:
        refused = Paths()
        rows = changes.tables.get(self._table_id)
        if not rows:
            return refused
        node = open_to_write(tree, self, lambda: any(map(has_content, rows.values())))
        if node is None:
            return refused
        is_removed = self._table_id in changes.removed_tables
        for row_id, cells in rows.items():
            row = tree.get(node, row_id)
            if is_removed or (self._table_id, row_id) in changes.removed_rows:
                if tree.kind(row) is Kind.MAP:
                    tree.forget(self, (row_id,))
                    tree.remove(node, row_id)
                continue
            if row is UNDEFINED:
                if not has_content(cells):
                    continue
                row = tree.make_map(node, row_id)
                tree.keep(self, (row_id,), row)
            elif tree.kind(row) is not Kind.MAP:
                self._context.foreign(f"{self.root}/{row_id}", row)
                refused.add({self._table_id: {row_id: cells}})
                continue
            self._write_cells(tree, row_id, row, cells, changes, refused, compare=compare)
        return refused
