"""The values of a Store, or one row, in one map."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from weft.mirrors.shapes.cells import Cells
from weft.mirrors.shapes.part import has_content, open_to_write
from weft.store.replica import Paths

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from weft.mirrors.mirror import DocumentWrite
    from weft.mirrors.shapes.part import Change, Context, Found
    from weft.mirrors.shapes.tree import Place, Root, Tree

__all__ = ["RowPart", "ValuesPart"]


class _OneMap(ABC):
    """What keeps cells or values in one map."""

    def __init__(self, place: Place, root: Root, context: Context, deep: bool, json: frozenset[str]) -> None:
        self.place = place
        self.root = root
        self._context = context
        self._cells = Cells(context, str(root), deep, json)

    @abstractmethod
    def _put(self, found: Found, cell_id: str, cell: object) -> None:
        """Note what was read."""

    @abstractmethod
    def _asked(self, paths: Paths) -> Iterable[str]:
        """Which of the places are here."""

    @abstractmethod
    def _written(self, changes: DocumentWrite) -> Mapping[str, object]:
        """Which of the changes are here."""

    @abstractmethod
    def _refused(self, cell_ids: Iterable[str]) -> Paths:
        """Places of these."""

    def covers(self, table_id: str, row_id: str, cell_id: str) -> bool:
        return (table_id, row_id) == self.place

    def places(self, keys: tuple[str, ...]) -> Collection[Place]:
        cell_id = self._cells.cell_id(keys[0]) if keys else None
        return () if cell_id is None else ((*self.place, cell_id),)

    def read(self, tree: Tree, found: Found) -> None:
        node = tree.find(self.root)
        if node is not None:
            tree.keep(self, (), node)
            for cell_id, cell in self._cells.read(tree, self, (), node).items():
                self._put(found, cell_id, cell)

    def read_at(self, tree: Tree, paths: Paths, found: Found) -> None:
        node = tree.find(self.root)
        for cell_id in self._asked(paths):
            self._put(found, cell_id, self._cells.read_cell(tree, self, (), node, cell_id))

    def changed(self, tree: Tree, change: Change, found: Found) -> None:
        node = change.node if not change.at else tree.find(self.root)
        for key in change.at[:1] or change.keys:
            cell_id = self._cells.cell_id(key)
            if cell_id is not None:
                self._put(found, cell_id, self._cells.read_key(tree, self, (), node, key))

    def follow(self, tree: Tree, change: Change) -> None:
        return

    def write(self, tree: Tree, changes: DocumentWrite, *, compare: bool) -> Paths:
        cells = self._written(changes)
        if not cells:
            return Paths()
        node = open_to_write(tree, self, lambda: has_content(cells))
        if node is None:
            return Paths()
        return self._refused(self._cells.write(tree, self.place, node, cells, compare=compare))


class ValuesPart(_OneMap):
    """Keeps the values."""

    def _put(self, found: Found, cell_id: str, cell: object) -> None:
        found.values[cell_id] = cell

    def _asked(self, paths: Paths) -> Iterable[str]:
        return paths.values

    def _written(self, changes: DocumentWrite) -> Mapping[str, object]:
        return changes.values

    def _refused(self, cell_ids: Iterable[str]) -> Paths:
        return Paths(values=dict.fromkeys(cell_ids))

    def places(self, keys: tuple[str, ...]) -> Collection[Place]:
        return (keys[:1],) if keys else ()


class RowPart(_OneMap):
    """Keeps one row. To delete the row deletes its cells and leaves the map, which may be a root."""

    def _put(self, found: Found, cell_id: str, cell: object) -> None:
        found.put(self.place[0], self.place[1], cell_id, cell)

    def _asked(self, paths: Paths) -> Iterable[str]:
        return paths.tables.get(self.place[0], {}).get(self.place[1], ())

    def _written(self, changes: DocumentWrite) -> Mapping[str, object]:
        return changes.tables.get(self.place[0], {}).get(self.place[1], {})

    def _refused(self, cell_ids: Iterable[str]) -> Paths:
        refused = Paths()
        if cells := dict.fromkeys(cell_ids):
            refused.add({self.place[0]: {self.place[1]: cells}})
        return refused
