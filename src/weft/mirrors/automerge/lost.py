"""Containers of declared shapes that two peers made at once, and of which one has lost: what it held is kept.

Every weft peer that learns of it puts what the loser holds and the Store lacks into the winner: the loser's
maker may be gone, or be a JavaScript peer, which does not heal. So it does with what peers write into the
loser before they learn of the winner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from weft._codecs.automerge.change import DEL, MAKE_LIST, MAKE_MAP, MAKE_TEXT, Op, OpId
from weft.errors import MirrorError
from weft.mirrors.automerge.keys import object_id
from weft.mirrors.automerge.tree import ObjectNode, kind_of
from weft.mirrors.shapes import Kind
from weft.mirrors.shapes.array_of_maps import ArrayPart
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from weft.mirrors.automerge.kept import KeptObjects
    from weft.mirrors.automerge.tree import AutomergeTree
    from weft.mirrors.mirror import Report
    from weft.mirrors.shapes import Found, Part
    from weft.store.replica import Paths, Replica

__all__ = ["LostObjects", "Touched", "losers"]

Touched: TypeAlias = "dict[OpId | None, dict[str | None, list[Op]]]"
"""Operations by object and key."""

_MAKES = {MAKE_MAP: Kind.MAP, MAKE_LIST: Kind.LIST, MAKE_TEXT: Kind.TEXT}
_MAX_LOST = (
    50_000  # as long as somebody may not have learned of them; of about 250 bytes, the oldest go first
)


def losers(ops: Collection[Op], winner: OpId | None) -> list[ObjectNode]:
    """The containers that operations at one key made, and that nobody of their makers has replaced."""
    known = {pred for op in ops for pred in op.preds}
    return [
        ObjectNode(_MAKES[op.action], object_id(op.id))
        for op in ops
        if op.action in _MAKES and op.id not in known and op.id != winner
    ]


def _made(value: object) -> OpId | None:
    return value.made if isinstance(value, ObjectNode) else None


class LostObjects:
    """What has lost in the document of one mirror."""

    def __init__(self, kept: KeptObjects, replica: Replica, report: Report) -> None:
        self._kept = kept
        self._replica = replica
        self._report = report
        self._lost: dict[OpId, tuple[Part, tuple[str, ...]]] = {}
        self._put_back: dict[OpId, tuple[ArrayPart, str, int]] = {}  # rows of lists, with the last operation

    def begin(self, tree: AutomergeTree, touched: Touched, found: Found, heal: Paths) -> None:
        """Begin to look at what changes have done.

        Args:
            tree: The document.
            touched: What they touched.
            found: What the Store is to take; added to.
            heal: What is to be written again; added to.
        """
        self._tree, self._touched, self._found, self._heal = tree, touched, found, heal

    def remember(self, made: OpId, part: Part, at: tuple[str, ...]) -> None:
        """Note a container that has lost, and all in it that may still be written to."""
        self._lost[made] = part, at
        if len(self._lost) > _MAX_LOST:
            del self._lost[next(iter(self._lost))]

    def read_again(self) -> None:
        """Look at what was written into containers that have lost."""
        for made in [made for made in self._touched if made is not None and made in self._lost]:
            part, at = self._lost[made]
            keys = self._touched[made]
            node = ObjectNode(part.root.kind if not at else Kind.MAP, object_id(made))
            if node.kind is Kind.LIST and isinstance(part, ArrayPart):
                came = {op.id for op in keys.get(None, ())}
                elements = self._tree.elements(node)
                self._copy_rows(part, [each for each in elements if _made(each) in came])
            else:
                self.copy(part, at, node, [key for key in keys if key is not None])

    def note_put_back(self, tree: AutomergeTree, part: ArrayPart, row_id: str) -> None:
        """Note a row that was put into a list again, as others may do as well: the first is to be the row."""
        made = self._kept.made_at(part, (row_id,))
        if made is not None:
            written = tree.writers(ObjectNode(Kind.MAP, object_id(made))).values()
            last = max([counter for _, counter in written], default=made[1])
            self._put_back[made] = part, row_id, last
            if len(self._put_back) > _MAX_LOST:
                del self._put_back[next(iter(self._put_back))]

    def merge_put_back(self) -> None:
        """Put what was written into such rows into those that others have put before them."""
        for made, (part, row_id, last) in list(self._put_back.items()):
            first = self._kept.made_at(part, (row_id,))
            if first == made:
                continue
            del self._put_back[made]
            if first is None:
                continue
            node = ObjectNode(Kind.MAP, object_id(made))
            self.copy(part, (row_id,), node)
            _, cells = part.lost_row(self._tree, node) or ("", {})
            for key, (_, counter) in self._tree.writers(node).items():
                if counter > last and key in cells:
                    self._found.put(part.place[0], row_id, key, cells[key])
                    self._heal.add({part.place[0]: {row_id: (key,)}})

    def copy_container(self, part: Part, loser: ObjectNode, keys: Iterable[str]) -> None:
        """Copy what a part's container holds, below a map that has lost."""
        for key in keys:
            found = self._tree.look(loser.id, key)
            kind = None if found is None else kind_of(found[0])
            if found is None or kind is None:
                return
            loser = ObjectNode(kind, found[1])
        if loser.kind is part.root.kind:
            self.copy(part, (), loser)

    def copy(
        self, part: Part, at: tuple[str, ...], loser: ObjectNode, keys: Collection[str] | None = None
    ) -> None:
        """Copy what a container that has lost holds and the Store lacks.

        Args:
            part: The part that it would be of.
            at: Where it would be.
            loser: The container.
            keys: Which of its entries; all unless given.
        """
        self.remember(loser.made, part, at)
        if loser.kind is Kind.LIST and isinstance(part, ArrayPart):
            self._copy_rows(part, self._tree.elements(loser))
            return
        if loser.kind is Kind.TEXT:
            self._restore(part, part.place, self._tree.text(loser))
            return
        if isinstance(part, ArrayPart):
            _, cells = part.lost_row(self._tree, loser) or ("", {})
            for cell_id, cell in cells.items():
                if keys is None or cell_id in keys:
                    self._restore(part, (*part.place, *at, cell_id), cell)
            return
        for key, value in self._tree.items(loser).items():
            if keys is not None and key not in keys:
                continue
            for place in part.places((*at, key)):
                if len(place) != 2:
                    if not self._is_deleted(part, at, key):
                        self._restore(part, place, value)
                elif isinstance(value, ObjectNode) and value.kind is Kind.MAP:
                    self.copy(part, (*at, key), value)

    def _copy_rows(self, part: ArrayPart, elements: Iterable[object]) -> None:
        for element in elements:
            row = part.lost_row(self._tree, element)
            if row is None or not isinstance(element, ObjectNode):
                continue
            row_id, cells = row
            self.remember(element.made, part, (row_id,))
            for cell_id, cell in cells.items():
                self._restore(part, (*part.place, row_id, cell_id), cell)

    def _is_deleted(self, part: Part, at: tuple[str, ...], key: str) -> bool:
        """Whether these changes have deleted an entry of the winner."""
        winner = self._kept.made_at(part, at)
        return any(op.action == DEL for op in self._touched.get(winner, {}).get(key, ()))

    def _restore(self, part: Part, place: tuple[str, ...], cell: object) -> None:
        if isinstance(cell, ObjectNode):
            self._report(MirrorError(f"{cell!r} at {'/'.join(place)!r} has lost and cannot be put back"))
            return
        found, heal = self._found, self._heal
        if len(place) == 1:
            held: object = found.values.get(place[0], self._replica.values.get(place[0], UNDEFINED))
            if held is UNDEFINED:
                found.values[place[0]] = cell
                heal.add({}, place)
            return
        table_id, row_id, cell_id = place
        held = self._replica.tables.get(table_id, {}).get(row_id, {}).get(cell_id, UNDEFINED)
        held = found.tables.get(table_id, {}).get(row_id, {}).get(cell_id, held)
        if held is UNDEFINED and (cell != "" or part.root.kind is not Kind.TEXT):
            found.put(table_id, row_id, cell_id, cell)
            heal.add({table_id: {row_id: (cell_id,)}})
