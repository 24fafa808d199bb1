"""A layout that the user declares: shapes, each at a place of a Yjs document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pycrdt import Array, Map, Text, XmlFragment

from weft.deltas import from_cell
from weft.documents.yjs.binding import BindingArray, BindingText, other_kind, sequence_of
from weft.errors import MirrorError
from weft.mirrors.shapes.array_of_maps import ArrayPart
from weft.mirrors.shapes.part import Change, Found
from weft.mirrors.shapes.parts import Parts
from weft.mirrors.shapes.shared_text import TextPart
from weft.mirrors.shapes.table_part import TablePart
from weft.mirrors.shapes.tree import Kind
from weft.mirrors.yjs.declared_texts import DeclaredTexts
from weft.mirrors.yjs.healing import was_concurrent
from weft.mirrors.yjs.losers import Losers
from weft.mirrors.yjs.texts import text_before, to_utf16_delta
from weft.mirrors.yjs.tree import YjsTree
from weft.store.replica import Paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pycrdt import Doc

    from weft.documents.yjs.binding import RawTransactionEvent, Txn
    from weft.mirrors.mirror import DocumentWrite, Report
    from weft.mirrors.places import Place
    from weft.mirrors.shapes.part import Part
    from weft.mirrors.yjs.layout import Received
    from weft.store.replica import Replica

__all__ = ["DeclaredLayout"]

_TYPES = {Kind.MAP: Map, Kind.LIST: Array, Kind.TEXT: Text, Kind.XML: XmlFragment}


class DeclaredLayout:
    """Shapes, and nothing but these.

    Where the document tells that something happened at several roots, the Store hears of all at once.
    """

    def __init__(self, doc: Doc[Any], layout: object, replica: Replica, report: Report) -> None:
        self._doc = doc
        self._replica = replica
        self._report = report
        self.parts = Parts(layout, replica, report)
        self.texts = DeclaredTexts(doc, [part for part in self.parts.all if isinstance(part, TextPart)])
        for part in self.parts.all:
            if isinstance(part, TablePart) and part.texts:
                self.texts.rows[part.place[0]] = part
        self.texts.tree = self._tree
        self._kinds = {part.root.name: _root_kind(part) for part in self.parts.all}
        self._roots: dict[str, Any] = {}
        self.find_roots()
        self._of_root = [[part for part in self.parts.all if part.root.name == name] for name in self._kinds]
        self._losers = {name: Losers(doc, name) for name, kind in self._kinds.items() if kind is Kind.MAP}
        self._found = Found()
        self._refused = Paths()
        self.has_lists = any(isinstance(part, ArrayPart) for part in self.parts.all)
        self.follows = self.has_lists or bool(self.texts.parts)

    def place(self, path: tuple[str, ...]) -> Place | None:
        places = self.parts.places(path)
        return places[0] if places else None

    def find_roots(self) -> None:
        self.texts.forget()
        self._roots.update(
            (name, cast("Any", self._doc.get(name, type=_TYPES[kind])).integrated)
            for name, kind in self._kinds.items()
        )

        self._sequences = {
            name: sequence_of(self._doc, name) for name, kind in self._kinds.items() if kind is Kind.LIST
        }

    def roots(self) -> tuple[Any, ...]:
        return tuple(self._roots.values())

    def _tree(self, txn: Txn) -> YjsTree:
        return YjsTree(self._doc, txn, self._roots, self.texts, self._sequences, self._report)

    def refusal(self, txn: Txn) -> MirrorError | None:
        for name, kind in self._kinds.items():
            if (found := other_kind(self._doc, txn, name, _TYPES[kind])) is not None:
                return MirrorError(
                    f"the document's root {name!r} is a {found}, and the layout says {kind.value}"
                )
        return None

    def read_all(self, txn: Txn) -> Received:
        self.texts.forget()
        found = self.parts.read(self._tree(txn))
        return found.tables, found.values

    def read(self, txn: Txn, paths: Paths) -> Received:
        found = self.parts.read_at(self._tree(txn), paths)
        return found.tables, found.values

    # -- events ------------------------------------------------------------------------------------------

    def translate(self, root: int, events: list[Any], txn: Txn) -> Received:
        tree, found = self._tree(txn), self._found
        for text in self._of_root[root]:
            if isinstance(text, TextPart):
                self._translate_text(text, tree, events, txn)
        for event in events:
            for part, change in self._changes(tree, root, event, found):
                part.changed(tree, change, found)
        return {}, {}

    def _translate_text(self, part: TextPart, tree: YjsTree, events: list[Any], txn: Txn) -> None:
        own = list(part.root.keys)
        inside = [event for event in events if event.path[: len(own)] == own]
        if inside and (node := tree.find(part.root)) is not None:
            part.changed(
                tree, Change(node, delta=self.texts.translate(txn, node, inside, len(own))), self._found
            )

    def follow(self, root: int, events: list[Any], txn: Txn) -> None:
        """Hear of what this layout has written itself."""
        self.texts.follow()
        if not self.has_lists:
            return
        tree = self._tree(txn)
        for event in events:
            if type(event.target) is BindingArray:
                path = tuple(event.path)
                for part in self._of_root[root]:
                    if isinstance(part, ArrayPart) and path == part.root.keys:
                        part.follow(tree, Change(event.target))

    def _changes(self, tree: YjsTree, root: int, event: Any, found: Found) -> Iterator[tuple[Part, Change]]:
        keys = {key: change["action"] for key, change in event.keys.items()} if hasattr(event, "keys") else {}
        target = event.target
        parts = self._of_root[root]
        if len(parts) == 1 and keys and isinstance(part := parts[0], ArrayPart) and part.is_plain:
            # The path would have the index of the row, for which the binding walks the list.
            row_id = part.row_of(tree, target)
            if row_id is not None:
                yield part, Change(target, (row_id,), keys)
                return
        path = tuple(event.path)
        for part in parts:
            own = part.root.keys
            if len(path) < len(own):
                if path == own[: len(path)] and (key := own[len(path)]) in keys:
                    self.parts.read_part(tree, part, key, keys[key], found)
                continue
            if path[: len(own)] != own or isinstance(part, TextPart):
                continue  # what is in a text is translated at once
            at = path[len(own) :]
            if isinstance(part, ArrayPart) and at:
                row_id = part.row_at(cast("int", at[0]))
                if row_id is None:
                    continue
                at = (row_id, *at[1:])
            delta = None if keys else self._delta(tree, part, at, event)
            yield part, Change(target, tuple(map(str, at)), keys, delta)

    def _delta(self, tree: YjsTree, part: Part, at: tuple[Any, ...], event: Any) -> Any:
        """What was done to a list, or to a text in a row; of these the binding counts bytes."""
        target = event.target
        if type(target) is BindingArray:
            return event.delta
        if type(target) is not BindingText or not isinstance(part, TablePart):
            return None
        key = part.text_cell(at)
        old = None if key is None else text_before(self._replica, key)
        return None if old is None else to_utf16_delta(event.delta, old, from_cell(tree.text(target)))

    def committed(self, event: RawTransactionEvent, received: bytes | None) -> tuple[Received, Paths | None]:
        found, self._found = self._found, Found()
        heal: Paths | None = None
        if found.owed:
            heal = Paths()
            update, deleted = event.update, event.delete_set
            for key, owed in found.owed:
                if was_concurrent(update, deleted, key):
                    heal.update(owed)
                else:
                    found.put_gone(owed)
        if received is not None:
            for losers in self._losers.values():
                losers.heard(event, received)
        self.texts.note(found.deltas)
        return (found.tables, found.values), heal

    @property
    def has_losers(self) -> bool:
        return any(losers.is_waiting for losers in self._losers.values())

    def recover(self) -> Received:
        found = Found()
        tables, values = self._replica.tables, self._replica.values
        for name, losers in self._losers.items():
            for path, value in losers.recover().items():
                for place in self.parts.places((name, *path)):
                    match place:
                        case ("t", table_id, row_id, cell_id):
                            if cell_id not in tables.get(table_id, {}).get(row_id, {}):
                                found.put(table_id, row_id, cell_id, value)
                        case ("v", value_id) if value_id not in values:
                            found.values[value_id] = value
        return found.tables, found.values

    # -- writing -----------------------------------------------------------------------------------------

    def write(self, txn: Txn, changes: DocumentWrite, *, compare: bool) -> list[MirrorError]:
        tree = self._tree(txn)
        self._refused.update(self.parts.write(tree, changes, compare=compare))
        for key in changes.texts:  # those of which formats alone change are not among the cells
            if key in self.texts.parts and key[0] not in changes.tables:
                self._refused.update(self.texts.parts[key].write(tree, changes, compare=compare))
        return []

    def take_refused(self) -> Paths:
        """Places that could not be written since this was asked last: the document holds something else."""
        if not self._refused:
            return self._refused
        refused, self._refused = self._refused, Paths()
        return refused


def _root_kind(part: Part) -> Kind:
    return Kind.MAP if part.root.keys else part.root.kind
