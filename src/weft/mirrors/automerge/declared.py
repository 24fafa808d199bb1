"""A layout that the user declares: shapes, each at a place of an Automerge document.

The operations of changes tell which objects were touched; where these stand is known of all that was read.
Where two peers made a container at once, one wins, and :class:`~weft.mirrors.automerge.lost.LostObjects` puts
into it what the other held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.automerge.change import DEL, decode_change
from weft._codecs.automerge.chunks import split_chunks
from weft._codecs.automerge.text_ops import TextOps, read_text_ops
from weft.documents.automerge.binding import ROOT
from weft.errors import MirrorError
from weft.mirrors.automerge.kept import KeptObjects
from weft.mirrors.automerge.keys import object_id, op_id
from weft.mirrors.automerge.list_order import list_delta
from weft.mirrors.automerge.lost import LostObjects, losers
from weft.mirrors.automerge.roots import genesis, made_by_genesis
from weft.mirrors.automerge.tree import AutomergeTree, ObjectNode
from weft.mirrors.places import TABLES, VALUES
from weft.mirrors.shapes import Change, Found, Kind
from weft.mirrors.shapes.array_of_maps import ArrayPart
from weft.mirrors.shapes.parts import Parts
from weft.store.replica import Paths
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weft._codecs.automerge.change import Decoded, OpId
    from weft.documents.automerge.document import AutomergeDocument
    from weft.mirrors.automerge.lost import Touched
    from weft.mirrors.mirror import DocumentWrite, Report
    from weft.mirrors.places import Place
    from weft.mirrors.shapes import Part
    from weft.store.replica import RawTables, RawValues, Replica

__all__ = ["DeclaredLayout"]


class DeclaredLayout:
    """Shapes, and nothing but these.

    Args:
        document: The document.
        layout: What the user gave.
        replica: The Store.
        report: Called with what cannot be read or written.

    Attributes:
        parts: The shapes.

    Raises:
        ValueError: The layout contradicts itself, or has something that Automerge has not.
        TypeError: It has something else than names and shapes.
    """

    def __init__(self, document: AutomergeDocument, layout: object, replica: Replica, report: Report) -> None:
        self._document = document
        self._report = report
        self.parts = Parts(layout, replica, report)
        if any(part.root.kind is Kind.XML for part in self.parts.all):
            raise ValueError("layout has an XML fragment, which no Automerge document has")
        self._kept = KeptObjects()
        self._orders: dict[OpId, list[OpId]] = {}
        self._paths: dict[int, list[OpId]] = {}  # of each part: the maps above it and its container
        self._lost = LostObjects(self._kept, replica, report)
        self._healed: dict[ArrayPart, set[str]] = {}  # rows of lists that are yet to be put back

    def _tree(self) -> AutomergeTree:
        return AutomergeTree(self._document.core, self._kept, self._orders, self._report)

    def refusal(self) -> MirrorError | None:
        """What to say of something else that stands where a shape should."""
        found: list[Exception] = []
        tree = AutomergeTree(self._document.core, self._kept, self._orders, found.append)
        for part in self.parts.all:
            tree.find(part.root)
        return MirrorError(str(found[0])) if found else None

    # -- reading -----------------------------------------------------------------------------------------

    def read_all(self) -> tuple[RawTables, RawValues]:
        """Read everything anew."""
        self._kept.clear()
        self._orders.clear()
        tree = self._tree()
        for part in self.parts.all:
            self._paths[id(part)] = self._path(tree, part)
        found = self.parts.read(tree)
        return found.tables, found.values

    def read(self, paths: Paths) -> tuple[RawTables, RawValues]:
        """Read some places."""
        found = self.parts.read_at(self._tree(), paths)
        return found.tables, found.values

    def _path(self, tree: AutomergeTree, part: Part) -> list[OpId]:
        """The maps above a part, and its container, as far as they are there."""
        path: list[OpId] = []
        at = ROOT
        for key in part.root.path:
            found = tree.look(at, key)
            if found is None or not found[1] or type(found[0]) is tuple:
                break
            at = found[1]
            path.append(op_id(at))
        return path

    # -- changes -----------------------------------------------------------------------------------------

    def translate(self, changes: Iterable[tuple[bytes, Decoded]]) -> tuple[Found, Paths]:
        """Read again what changes have touched.

        Args:
            changes: The changes, which the document has by now, each with what it touched.

        Returns:
            What the Store is to take, and places that are to be written again.
        """
        changes = tuple(changes)
        touched: Touched = {}
        for _, decoded in changes:
            for op in decoded.ops:
                touched.setdefault(op.obj, {}).setdefault(op.key, []).append(op)
        tree, found, heal = self._tree(), Found(), Paths()
        self._lost.begin(tree, touched, found, heal)
        above: set[OpId | None] = {None}
        for part in self.parts.all:
            above.update(self._paths.get(id(part), [])[: len(part.root.keys)])
        if not above.isdisjoint(touched):
            for part in self.parts.all:
                self._read_above(tree, part, touched, found, heal)
        lists = {made: TextOps() for made in touched if made in self._orders and self._kept.place(made)}
        if lists:
            for data, _ in changes:
                read_text_ops(data, lists, lists)
        places = [made for made in touched if made is not None and self._kept.place(made) is not None]
        for made in sorted(places, key=self._depth):
            self._read_object(tree, made, touched, lists.get(made), found, heal)
        self._lost.read_again()
        self._lost.merge_put_back()
        for part in self.parts.all:
            if heal.tables and isinstance(part, ArrayPart):
                self._healed.setdefault(part, set()).update(heal.tables.get(part.place[0], ()))
        return found, heal

    def _depth(self, made: OpId) -> int:
        place = self._kept.place(made)
        return 0 if place is None else len(place.at)

    def _read_above(
        self, tree: AutomergeTree, part: Part, touched: Touched, found: Found, heal: Paths
    ) -> None:
        """See to what was made or deleted in the place of a part's container, or of a map above it."""
        old, new = self._paths.get(id(part), []), self._path(tree, part)
        keys = part.root.path
        for number, key in enumerate(keys):
            if number > len(new):
                break
            ops = touched.get(new[number - 1] if number else None, {}).get(key, ())
            if not ops:
                continue
            if old != new and old[: number + 1] != new[: number + 1]:
                known = {pred for op in ops for pred in op.preds}
                was_lost = len(old) == len(keys) and len(new) == len(keys) and old[number] not in known
                self._paths[id(part)] = new
                self._kept.forget(part, ())
                now = Found()
                self.parts.read_part(tree, part, key, "update" if len(new) == len(keys) else "delete", now)
                _merge(now, found, heal, was_lost=was_lost)
                if was_lost:
                    self._lost.remember(old[-1], part, ())
                old = new
            for loser in losers(ops, new[number] if number < len(new) else None):
                self._lost.copy_container(part, loser, keys[number + 1 :])

    def _read_object(
        self,
        tree: AutomergeTree,
        made: OpId,
        touched: Touched,
        in_list: TextOps | None,
        found: Found,
        heal: Paths,
    ) -> None:
        place = self._kept.place(made)
        if place is None:
            return  # it went with something above it
        part, at, key = place
        now = Found()
        if key is not None:  # a string that was edited in place
            owner = self._kept.made_at(part, at)
            if owner is not None:
                node = ObjectNode(Kind.MAP, object_id(owner))
                part.changed(tree, Change(node, at, {key: "update"}), now)
            _merge(now, found, heal, was_lost=False)
            return
        if in_list is not None:
            node = ObjectNode(Kind.LIST, object_id(made))
            part.changed(tree, Change(node, at, {}, self._delta(tree, node, in_list)), now)
            _merge(now, found, heal, was_lost=False)
            return
        keys = {name: ops for name, ops in touched[made].items() if name is not None}
        self._kept.drop(pred for ops in keys.values() for op in ops for pred in op.preds)
        node = ObjectNode(Kind.MAP if keys else Kind.TEXT, object_id(made))
        rows = {} if at else {name: self._kept.made_at(part, (name,)) for name in keys}
        part.changed(tree, Change(node, at, dict.fromkeys(keys, "update")), now)
        owed, now.owed = now.owed, []
        _merge(now, found, heal, was_lost=False)
        for name, paths in owed:
            was = rows.get(name)
            known = {pred for op in keys[name] for pred in op.preds}
            was_lost = was is not None and was not in known and was != self._kept.made_at(part, (name,))
            _merge(Found(owed=[(name, paths)]), found, heal, was_lost=was_lost)
        for name, was in rows.items():
            winner = self._kept.made_at(part, (name,))
            if was is not None and winner is not None and was != winner:
                self._lost.remember(was, part, (name,))
            if winner is not None:
                for loser in losers(keys[name], winner):
                    self._lost.copy(part, (name,), loser)

    def _delta(self, tree: AutomergeTree, node: ObjectNode, ops: TextOps) -> list[dict[str, object]] | None:
        return list_delta(
            self._orders[node.made],
            ops,
            tree.length(node),
            lambda index: tree.element_id(node, index),
            lambda index: tree.element(node, index),
        )

    def places_in(self, chunks: bytes) -> tuple[list[Place], list[Place]]:
        """The places of cells, rows and values that changes wrote, and that they deleted."""
        written: list[Place] = []
        deleted: list[Place] = []
        for chunk in split_chunks(chunks):
            for op in decode_change(chunk.data).ops:
                into = deleted if op.action == DEL else written
                if op.obj is None:
                    into.extend(self.parts.places((op.key or "",)))
                elif (place := self._kept.place(op.obj)) is not None:
                    keys = place.at if place.key is None else (*place.at, place.key)
                    if op.key is not None and len(keys) < 2:
                        keys = (*keys, op.key)
                    kind = TABLES if place.part.place else VALUES
                    into.extend((kind, *found) for found in place.part.places(keys))
        cells = [place for place in deleted if len(place) == 4 or place[0] == VALUES]
        return written + cells, deleted

    # -- writing -----------------------------------------------------------------------------------------

    def make_roots(self, changes: DocumentWrite, origin: object) -> None:
        """Make the containers that changes need, so that two peers who do it at once have one.

        Where that cannot be, as one was there and was deleted, writing makes them.
        """
        for part in self.parts.all:
            keys = part.root.path
            if len(self._paths.get(id(part), ())) == len(keys) or not _has_content(part, changes):
                continue
            for number in range(len(keys)):
                path = self._path(self._tree(), part)
                if len(path) > number:
                    continue
                if number and path[number - 1] != made_by_genesis(keys[:number], Kind.MAP):
                    break  # made by somebody else: what is made below it must build on that
                kind = part.root.kind if number == len(keys) - 1 else Kind.MAP
                self._document.apply_changes([genesis(keys[: number + 1], kind)], origin=origin)
            tree = self._tree()
            if (node := tree.find(part.root)) is not None:
                tree.keep(part, (), node)
                if node.kind is Kind.LIST:
                    tree.elements(node)

    def write(self, changes: DocumentWrite, origin: object, *, compare: bool) -> Paths:
        """Write changes.

        Returns:
            Places that could not be written.

        Raises:
            Exception: The binding's. Nothing was written; all is to be read anew.
        """
        self.make_roots(changes, origin)
        with self._document.transaction(origin=origin) as transaction:
            tree = AutomergeTree(transaction, self._kept, self._orders, self._report)
            refused = self.parts.write(tree, changes, compare=compare)
        tree = self._tree()
        for healed, row_ids in self._healed.items():
            for row_id in row_ids.intersection(changes.tables.get(healed.place[0], ())):
                row_ids.discard(row_id)
                self._lost.note_put_back(tree, healed, row_id)
        for part in self.parts.all:
            if len(self._paths.get(id(part), ())) < len(part.root.path):
                self._paths[id(part)] = self._path(tree, part)
            if isinstance(part, ArrayPart) and part.is_staged and (node := tree.find(part.root)) is not None:
                part.follow(tree, Change(node))
        return refused


def _has_content(part: Part, changes: DocumentWrite) -> bool:
    if not part.place:
        return any(cell is not UNDEFINED for cell in changes.values.values())
    table_id = part.place[0]
    return any(
        cell is not UNDEFINED and part.covers(table_id, row_id, cell_id)
        for row_id, cells in changes.tables.get(table_id, {}).items()
        for cell_id, cell in cells.items()
    )


def _merge(now: Found, found: Found, heal: Paths, *, was_lost: bool) -> None:
    """Add what was read to what was before, and what is owed to what is to be healed, or it is gone."""
    for table_id, rows in now.tables.items():
        table = found.tables.setdefault(table_id, {})
        for row_id, cells in rows.items():
            table.setdefault(row_id, {}).update(cells)
    found.values.update(now.values)
    found.deltas.update(now.deltas)
    for _, owed in now.owed:
        if was_lost:
            heal.update(owed)
        else:
            found.put_gone(owed)
