"""The cells of one row, or the values, in one map of a document: what all shapes of maps share."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from weft.deltas import smallest_edit
from weft.errors import MirrorError
from weft.mirrors.mirror import is_equal
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from weft.deltas import Delta
    from weft.mirrors.shapes.part import Change, Context
    from weft.mirrors.shapes.tree import Node, Place, Tree
    from weft.store.replica import TextKey

__all__ = ["Cells"]


class Cells:
    """Reads and writes cells in maps.

    Args:
        context: What the shape is bound in.
        what: Of a row, for messages.
        deep: Whether containers are read as JSON.
        json: Cells whose containers are written as well.
        hidden: An entry that is no cell.
    """

    __slots__ = ("_cell_ids", "_context", "_deep", "_hidden", "_json", "_keys", "_reported", "_what")

    def __init__(
        self, context: Context, what: str, deep: bool, json: frozenset[str], hidden: Collection[str] = ()
    ) -> None:
        self._context = context
        self._what = what
        self._deep = deep
        self._json = json
        self._hidden = frozenset(hidden)
        self._cell_ids = dict(context.texts)  # of texts, by key
        self._keys = {cell_id: key for key, cell_id in context.texts.items()}
        self._reported: set[tuple[str, str]] = set()

    @property
    def is_plain(self) -> bool:
        """Whether nothing that happens inside a container of a row concerns a cell."""
        return not (self._deep or self._json or self._cell_ids)

    @property
    def texts(self) -> Collection[str]:
        """The cells that are shared texts."""
        return self._keys.keys()

    def key(self, cell_id: str) -> str:
        """The key at which a cell stands."""
        return self._keys.get(cell_id, cell_id)

    def cell_id(self, key: str) -> str | None:
        """The cell at a key, if one can be there."""
        if key in self._hidden or (key in self._keys and key not in self._cell_ids):
            return None
        return self._cell_ids.get(key, key)

    # -- reading -----------------------------------------------------------------------------------------

    def read(self, tree: Tree, part: object, at: tuple[str, ...], node: Node) -> dict[str, object]:
        """All cells in a map.

        Args:
            tree: The document.
            part: Whose map it is.
            at: Where the map stands in the part.
            node: The map.
        """
        cells = tree.items(node)
        if self.is_plain and not self._hidden and tree.nodes.isdisjoint(map(type, cells.values())):
            return cells
        found: dict[str, object] = {}
        for key, value in cells.items():
            cell_id = self.cell_id(key)
            if cell_id is not None:
                cell = self._read(tree, part, (*at, key), node, key, value)
                if cell is not UNDEFINED:
                    found[cell_id] = cell
        return found

    def read_key(self, tree: Tree, part: object, at: tuple[str, ...], node: Node | None, key: str) -> object:
        """The cell at a key of a map."""
        if node is None or key in self._hidden:
            return UNDEFINED
        return self._read(tree, part, (*at, key), node, key, tree.get(node, key))

    def read_cell(
        self, tree: Tree, part: object, at: tuple[str, ...], node: Node | None, cell_id: str
    ) -> object:
        """The cell with an id."""
        return self.read_key(tree, part, at, node, self._keys.get(cell_id, cell_id))

    def _read(
        self, tree: Tree, part: object, at: tuple[str, ...], node: Node, key: str, value: object
    ) -> object:
        if key in self._cell_ids:
            text = tree.text_at(node, key)
            if text is not None:
                tree.keep(part, at, text)
                return tree.text(text)
        kind = tree.kind(value)
        if kind is None:
            return value
        if self._deep or key in self._json:
            tree.keep(part, at, value)
            return tree.to_json(value)
        self._report(
            key, f"holds a {kind.value} at", "which is no cell: declare deep=True to read it as JSON"
        )
        return UNDEFINED

    def read_text(self, tree: Tree, change: Change, cell_id: str) -> tuple[str, list[dict[str, Any]] | None]:
        """A text that was edited in place, and how."""
        return tree.text(change.node), change.delta

    # -- writing -----------------------------------------------------------------------------------------

    def write(
        self,
        tree: Tree,
        place: Place,
        node: Node,
        cells: Mapping[str, object],
        edits: Mapping[TextKey, Delta] = MappingProxyType({}),
        *,
        compare: bool,
    ) -> list[str]:
        """Write cells into a map; ``UNDEFINED`` deletes.

        Args:
            tree: The document.
            place: The row, ``(table, row)``, or ``()`` for the values.
            node: The map.
            cells: By id.
            edits: How texts are to be edited.
            compare: Whether the document may have the same already.

        Returns:
            Ids of cells that could not be written. Each kind was reported.
        """
        refused: list[str] = []
        for cell_id, cell in cells.items():
            key = self._keys.get(cell_id, cell_id)
            if key in self._hidden:
                if cell is not UNDEFINED:
                    self._report(key, "has the ids of rows at", "which is no cell and cannot be written")
                    refused.append(cell_id)
                continue
            if key != cell_id or key in self._cell_ids:
                if self._cell_ids.get(key) != cell_id:
                    self._report(key, "has a text at", f"which is the cell {self._cell_ids[key]!r}")
                    refused.append(cell_id)
                elif not self._write_text(tree, node, key, cell, edits.get((place[0], place[1], cell_id))):
                    refused.append(cell_id)
                continue
            found = tree.get(node, key)
            kind = tree.kind(found)
            if kind is not None and key not in self._json:
                self._report(key, f"holds a {kind.value} at", "which is written where it is declared only")
                refused.append(cell_id)
            elif cell is UNDEFINED:
                if found is not UNDEFINED:
                    tree.remove(node, key)
            elif not (compare and is_equal(found, cell)) and not self._put(tree, node, key, cell):
                refused.append(cell_id)
        return refused

    def _put(self, tree: Tree, node: Node, key: str, cell: object) -> bool:
        try:
            tree.put(node, key, cell, deep=key in self._json)
        except MirrorError as error:
            self._context.report(error)
            return False
        return True

    def _write_text(self, tree: Tree, node: Node, key: str, cell: object, edit: Delta | None) -> bool:
        text = tree.text_at(node, key)
        if cell is UNDEFINED:
            tree.remove(node, key)
        elif not isinstance(cell, str):
            return self._put(tree, node, key, cell)
        elif text is None:
            tree.make_text(node, key, cell)
        else:
            tree.edit_text(text, smallest_edit(tree.text(text), cell) if edit is None else edit)
        return True

    def _report(self, key: str, has: str, why: str) -> None:
        if (key, why) not in self._reported:
            self._reported.add((key, why))
            self._context.report(MirrorError(f"{self._what} {has} {key!r}, {why} (said once for each key)"))
