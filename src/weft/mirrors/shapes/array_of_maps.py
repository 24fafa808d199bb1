"""A table in a list of maps, whose rows have their ids in them.

What two peers do at once: both insert, both rows are there. A row that is moved is deleted and inserted
again, as the lists of both kinds of document know no moving, so what a peer writes into it at that moment is
lost with what was deleted; two peers that move one row leave it twice. Of several elements with one id the
first is the row. Nobody deletes the others but who deletes or moves the row: they may be of another
application's making.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, cast

from weft.errors import MirrorError
from weft.mirrors.shapes.cells import Cells
from weft.mirrors.shapes.part import has_content, held_row, open_to_write
from weft.mirrors.shapes.table_part import TablePart
from weft.mirrors.shapes.tree import Kind
from weft.store.replica import Paths
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from weft.mirrors.mirror import DocumentWrite
    from weft.mirrors.shapes.part import Change, Context, Found
    from weft.mirrors.shapes.tree import Node, Place, Root, Tree

__all__ = ["ArrayPart"]


class ArrayPart(TablePart):
    """Keeps a table: see :class:`~weft.mirrors.shapes.declared.ArrayOfMaps`.

    It knows the order of the rows: what happens to a list is told by index, and asking for an element takes
    as long as there are elements before it.
    """

    def __init__(
        self,
        place: Place,
        root: Root,
        context: Context,
        id_key: str,
        position: str | None,
        deep: bool,
        json: frozenset[str],
    ) -> None:
        hidden = {id_key} if position is None else {id_key, position}
        super().__init__(place, root, context, Cells(context, f"a row of {root}", deep, json, hidden))
        self._id = id_key
        self._position = position
        self._order: list[str | None] = []  # ids of the elements; None for what is no row
        self._staged: list[str | None] | None = None  # the same with what was written and not told of yet
        self._nodes: dict[str, Node] = {}  # the element that is the row
        self._twice: set[str] = set()  # ids that several elements have
        self._unfit = False  # whether something in the list was reported to be no row

    @property
    def is_plain(self) -> bool:
        """Whether what happens inside a container of a row is nothing to the Store."""
        return self._cells.is_plain

    @property
    def is_staged(self) -> bool:
        """Whether rows were inserted, moved or deleted that :meth:`follow` was not told of."""
        return self._staged is not None

    def lost_row(self, tree: Tree, element: Node) -> tuple[str, dict[str, object]] | None:
        """Read an element of a list that has lost to another one as a row; ``None`` if it is none."""
        row_id = self._id_in(tree, element)
        return None if row_id is None else (row_id, self._cells.read(tree, self, (row_id,), element))

    def row_of(self, tree: Tree, node: Node) -> str | None:
        """The row that a map in the list is, by the id in it, if it is known."""
        row_id = _row_id(tree.get(node, self._id))
        return row_id if row_id in self._nodes else None

    def row_at(self, index: int) -> str | None:
        """The row at an index of the list."""
        order = self._order if self._staged is None else self._staged
        return order[index] if index < len(order) else None

    def find_row(self, tree: Tree, row_id: str) -> Node | None:
        return self._nodes.get(row_id)

    def places(self, keys: tuple[str, ...]) -> Collection[Place]:
        return ()  # a path of a document names elements by index, or not at all

    # -- reading -----------------------------------------------------------------------------------------

    def read(self, tree: Tree, found: Found) -> None:
        node = tree.find(self.root)
        if node is None:
            self._order, self._staged, self._nodes, self._twice = [], None, {}, set()
            return
        tree.keep(self, (), node)
        self._scan(tree, node)
        table = found.tables.setdefault(self._table_id, {})
        for index, row_id in enumerate(self._order):
            if row_id is not None and row_id not in table:
                table[row_id] = self._read_row(tree, row_id, index)

    def _scan(self, tree: Tree, node: Node) -> None:
        """Learn the order, and which element is which row, anew."""
        order: list[str | None] = []
        self._staged, self._nodes, self._twice = None, {}, set()
        order.extend(self._enter(tree, element) for element in tree.elements(node))
        self._order = order

    def _enter(self, tree: Tree, element: object) -> str | None:
        """Note an element behind those that are known."""
        row_id = self._id_in(tree, element)
        if row_id is None:
            return None
        if row_id in self._nodes:
            self._twice.add(row_id)
        else:
            self._nodes[row_id] = element
            tree.keep(self, (row_id,), element)
        return row_id

    def _read_row(self, tree: Tree, row_id: str, index: int) -> dict[str, object]:
        cells = self._cells.read(tree, self, (row_id,), self._nodes[row_id])
        if self._position is not None:
            cells[self._position] = index
        return cells

    def _index(self, row_id: str) -> int:
        # Of a list that was made with its rows, the document does not tell.
        return (self._order if self._staged is None else self._staged).index(row_id)

    def read_at(self, tree: Tree, paths: Paths, found: Found) -> None:
        for row_id, cell_ids in paths.tables.get(self._table_id, {}).items():
            node = self._nodes.get(row_id)
            for cell_id in cell_ids:
                if cell_id == self._position and node is not None:
                    cell: object = self._index(row_id)
                else:
                    cell = self._cells.read_cell(tree, self, (row_id,), node, cell_id)
                found.put(self._table_id, row_id, cell_id, cell)

    # -- changes -----------------------------------------------------------------------------------------

    def changed(self, tree: Tree, change: Change, found: Found) -> None:
        if not change.at:
            self._list_changed(tree, change, found)
        elif len(change.at) == 1 and self._id in change.keys:
            self._reread(tree, found)  # it has become another row
        else:
            self._cells_changed(tree, change, found)

    def follow(self, tree: Tree, change: Change) -> None:
        if not change.at:
            if self._staged is not None and tree.length(change.node) == len(self._staged):
                self._order, self._staged = self._staged, None
            else:
                self._scan(tree, change.node)

    def _reread(self, tree: Tree, found: Found) -> None:
        """Read the whole list, and note what has gone."""
        before = dict(self._nodes)
        self.read(tree, found)
        for row_id in before.keys() - self._nodes.keys():
            self._gone(tree, row_id, found)
        for row_id in before.keys() & self._nodes.keys():
            self._lacking(row_id, found)

    def _gone(self, tree: Tree, row_id: str, found: Found) -> None:
        tree.forget(self, (row_id,))
        held = held_row(self._context, self._table_id, row_id)
        if held:
            found.tables.setdefault(self._table_id, {})[row_id] = dict.fromkeys(held, UNDEFINED)

    def _lacking(self, row_id: str, found: Found) -> None:
        """Another element is the row now: what it has not got is gone."""
        row = found.tables[self._table_id][row_id]
        for cell_id in held_row(self._context, self._table_id, row_id).keys() - row.keys():
            row[cell_id] = UNDEFINED

    def _list_changed(self, tree: Tree, change: Change, found: Found) -> None:
        delta = change.delta
        is_twice = False
        if delta is None or self._staged is not None or self._twice:
            self._reread(tree, found)
            return
        index, first = 0, len(self._order)
        gone: dict[str, None] = {}
        came: dict[str, object] = {}
        for step in delta:
            if "retain" in step:
                index += cast("int", step["retain"])
                continue
            first = min(first, index)
            if "delete" in step:
                end = index + cast("int", step["delete"])
                gone.update((row_id, None) for row_id in self._order[index:end] if row_id is not None)
                del self._order[index:end]
                continue
            ids = []
            for element in cast("list[object]", step["insert"]):
                ids.append(self._id_in(tree, element))
                if ids[-1] is not None:
                    is_twice |= ids[-1] in came
                    came[ids[-1]] = element
            self._order[index:index] = ids
            index += len(ids)
        is_twice |= any(row_id in self._nodes and row_id not in gone for row_id in came)
        if is_twice or tree.length(change.node) != len(self._order):
            self._reread(tree, found)
            return
        for row_id in gone.keys() - came.keys():
            del self._nodes[row_id]
            self._gone(tree, row_id, found)
        places: dict[str | None, int] = {}
        if self._position is not None:  # found in one walk however many rows have come
            places = {row_id: index for index, row_id in enumerate(self._order) if row_id in came}
        for row_id, element in came.items():
            tree.forget(self, (row_id,))
            self._nodes[row_id] = element
            tree.keep(self, (row_id,), element)
            found.tables.setdefault(self._table_id, {})[row_id] = self._read_row(
                tree, row_id, places.get(row_id, 0)
            )
            self._lacking(row_id, found)
        if self._position is not None:
            self._place_anew(first, found)

    def _id_in(self, tree: Tree, element: object) -> str | None:
        row_id = _row_id(tree.get(element, self._id)) if tree.kind(element) is Kind.MAP else None
        if row_id is None and not self._unfit:
            self._unfit = True
            what = f"{self.root} holds an element that is no map with an id at {self._id!r}"
            self._context.report(MirrorError(f"{what}: it is no row (said once)"))
        return row_id

    def _place_anew(self, first: int, found: Found) -> None:
        """Tell the positions from an index on, of rows that have another now."""
        position = cast("str", self._position)
        held = self._context.replica.tables.get(self._table_id, {})
        for index in range(first, len(self._order)):
            row_id = self._order[index]
            if row_id is not None and held.get(row_id, {}).get(position) != index:
                found.put(self._table_id, row_id, position, index)

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
        moved: dict[str, object] = {}
        for row_id, cells in rows.items():
            if is_removed or (self._table_id, row_id) in changes.removed_rows:
                self._delete_row(tree, node, row_id)
                continue
            if self._position in cells:
                moved[row_id] = cells[self._position]
                cells = {cell_id: cell for cell_id, cell in cells.items() if cell_id != self._position}  # noqa: PLW2901
            if row_id not in self._nodes:
                if not has_content(cells) and moved.get(row_id, UNDEFINED) is UNDEFINED:
                    continue
                self._insert_row(tree, node, row_id)
            row = self._nodes[row_id]
            self._write_cells(tree, row_id, row, cells, changes, refused, compare=compare)
        if self._position is not None:
            self._arrange(tree, node, rows, moved, refused)
        return refused

    def _working(self) -> list[str | None]:
        if self._staged is None:
            self._staged = self._order.copy()
        return self._staged

    def _insert_row(self, tree: Tree, node: Node, row_id: str) -> None:
        order = self._working()
        row = tree.insert_map(node, len(order))
        tree.keep(self, (row_id,), row)
        tree.put(row, self._id, row_id, deep=False)
        order.append(row_id)
        self._nodes[row_id] = row

    def _delete_row(self, tree: Tree, node: Node, row_id: str) -> None:
        if self._nodes.pop(row_id, None) is None:
            return
        order = self._working()
        tree.forget(self, (row_id,))
        while row_id in order:
            index = order.index(row_id)
            tree.delete(node, index)
            del order[index]
        self._twice.discard(row_id)

    def _arrange(
        self,
        tree: Tree,
        node: Node,
        rows: Mapping[str, object],
        moved: Mapping[str, object],
        refused: Paths,
    ) -> None:
        """Move rows to where their cells say, the lowest first.

        And have the Store told where all are then.
        """
        position = cast("str", self._position)
        wanted = sorted(
            (int(index), row_id)
            for row_id, index in moved.items()
            if row_id in self._nodes and isinstance(index, int | float) and not isinstance(index, bool)
        )
        for index, row_id in wanted:
            order = self._working()
            target = max(0, min(index, len(order) - 1))
            if order.index(row_id) != target:
                try:
                    self._move(tree, node, row_id, target)
                except MirrorError as error:
                    self._context.report(error)
        held = self._context.replica.tables.get(self._table_id, {})
        order = self._order if self._staged is None else self._staged
        if order is self._order and not rows.keys() & moved.keys():
            return
        wrong = {
            row_id: (position,)
            for index, row_id in enumerate(order)
            if row_id is not None and row_id in held and held[row_id].get(position) != index
        }
        if wrong:
            refused.add({self._table_id: wrong})

    def _move(self, tree: Tree, node: Node, row_id: str, target: int) -> None:
        order = self._working()
        old = [index for index, known in enumerate(order) if known == row_id]
        others = (index for index, known in enumerate(order) if known != row_id)
        at = next(islice(others, target, None), len(order))
        new = tree.insert_map(node, at)
        try:
            tree.copy(self._nodes[row_id], new)
        except MirrorError:
            tree.delete(node, at)
            raise
        order.insert(at, row_id)
        for index in reversed(old):
            index += index >= at  # noqa: PLW2901
            tree.delete(node, index)
            del order[index]
        tree.forget(self, (row_id,))
        self._nodes[row_id] = new
        self._twice.discard(row_id)
        tree.keep(self, (row_id,), new)
        self._cells.read(tree, self, (row_id,), new)  # so that what is in the copy is kept too


def _row_id(found: object) -> str | None:
    """The row's id that an entry is."""
    if isinstance(found, str):
        return found or None
    if isinstance(found, float):
        return str(int(found)) if found.is_integer() else None
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else None
