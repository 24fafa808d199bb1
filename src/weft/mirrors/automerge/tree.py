"""An Automerge document as shapes see it.

Strings are Text objects, which JavaScript replaces when it assigns one: a text is read as a ``str`` but where
a shape declares it. Numbers are written as TinyBase's are: JavaScript reads others as ``BigInt``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from weft.deltas import to_cell
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType, contained
from weft.errors import MirrorError, RemoteProtocolError
from weft.jsoncodec import MAX_SAFE_INTEGER
from weft.mirrors.automerge.index import Foreign
from weft.mirrors.automerge.kept import KeptAt, KeptObjects
from weft.mirrors.automerge.keys import op_id
from weft.mirrors.automerge.text_form import read_delta, write_delta
from weft.mirrors.shapes import Kind
from weft.values import UNDEFINED, EncodedCell, decode_cell

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft._codecs.automerge.change import OpId
    from weft.deltas import Delta
    from weft.documents.automerge.binding import CoreDocument, CoreTransaction, Read, Reading
    from weft.mirrors.shapes import Root

__all__ = ["AutomergeTree", "ObjectNode", "kind_of", "object_type"]

_OBJECT_TYPES = {Kind.MAP: ObjType.Map, Kind.LIST: ObjType.List, Kind.TEXT: ObjType.Text}


class ObjectNode:
    """An object of a document.

    Attributes:
        kind: What it is.
        id: The binding's id.
    """

    __slots__ = ("id", "kind")

    def __init__(self, kind: Kind, object_id: bytes) -> None:
        self.kind = kind
        self.id = object_id

    @property
    def made(self) -> OpId:
        """The operation that made it."""
        return op_id(self.id)

    def __repr__(self) -> str:
        return f"<a {self.kind.value}>"


def kind_of(kind: object) -> Kind | None:
    """What kind of container the binding speaks of, if of any."""
    if kind == ObjType.Map:
        return Kind.MAP
    if kind == ObjType.List:
        return Kind.LIST
    return Kind.TEXT if kind == ObjType.Text else None


def object_type(kind: Kind) -> Any:
    """The binding's name for a kind of container."""
    return _OBJECT_TYPES[kind]


class AutomergeTree:
    """One document, to be read, or within a transaction to be written.

    Args:
        reading: What is read: the document, or the open transaction.
        kept: Where objects stand; added to.
        orders: The elements of lists that are mirrored, by the list; kept in step with what is written.
        report: Called with what is of another kind than it should be.
    """

    __slots__ = ("_kept", "_orders", "_reading", "_report")

    nodes: frozenset[type] = frozenset({ObjectNode})

    def __init__(
        self,
        reading: CoreDocument | CoreTransaction,
        kept: KeptObjects,
        orders: dict[OpId, list[OpId]],
        report: Callable[[Exception], object],
    ) -> None:
        self._reading: Reading = reading
        self._kept = kept
        self._orders = orders
        self._report = report

    @property
    def _txn(self) -> CoreTransaction:
        return cast("CoreTransaction", self._reading)

    # -- finding -----------------------------------------------------------------------------------------

    def find(self, root: Root) -> ObjectNode | None:
        """The container there."""
        node = ObjectNode(Kind.MAP, ROOT)
        path = root.path
        for number, key in enumerate(path, 1):
            found = self.look(node.id, key)
            if found is None:
                return None
            kind = root.kind if number == len(path) else Kind.MAP
            if kind_of(found[0]) is not kind:
                what = f"{found[0]!r:.100} in {root}, where a {kind.value} should be"
                self._report(MirrorError(f"the document holds {what}"))
                return None
            node = ObjectNode(kind, found[1])
        return node

    def make(self, root: Root) -> ObjectNode | None:
        """The same, created if need be."""
        at = ROOT
        path = root.path
        for number, key in enumerate(path, 1):
            found = self.look(at, key)
            if found is None:
                kind = root.kind if number == len(path) else Kind.MAP
                at = self._txn.put_object(at, key, _OBJECT_TYPES[kind])
                if kind is Kind.LIST:
                    self._orders[op_id(at)] = []
            elif kind_of(found[0]) is None:
                break
            else:
                at = found[1]
        return self.find(root)

    def look(self, object_id: bytes, key: str | int) -> Read | None:
        """What stands at a key of a map or an index of a list."""
        try:
            with contained("read a value"):
                return self._reading.get(object_id, key)
        except RemoteProtocolError:
            return Foreign("a counter, or a value of a later kind"), b""

    # -- reading -----------------------------------------------------------------------------------------

    def kind(self, value: object) -> Kind | None:
        """What kind of container."""
        return value.kind if type(value) is ObjectNode else None

    def _value(self, found: Read, place: KeptAt | None, key: str) -> object:
        """What something read is; a string is noted, where its map is."""
        kind, made = found
        if type(kind) is tuple:
            return kind[1]
        if kind == ObjType.Text:
            if place is not None and place.key is None:
                name = op_id(made)
                if self._kept.place(name) is None:
                    self._kept.keep(name, KeptAt(place.part, place.at, key))
            return self._reading.text(made)
        is_container = kind_of(kind)
        return kind if is_container is None else ObjectNode(is_container, made)

    def get(self, node: ObjectNode, key: str) -> object:
        """What a map holds."""
        found = self.look(node.id, key)
        return UNDEFINED if found is None else self._value(found, self._kept.place(node.made), key)

    def items(self, node: ObjectNode) -> dict[str, object]:
        """All that a map holds."""
        place = self._kept.place(node.made)
        return {key: self._value(found, place, key) for key, found in self._raw(node).items()}

    def writers(self, node: ObjectNode) -> dict[str, OpId]:
        """Which operation wrote each entry of a map."""
        return {key: op_id(made) for key, (_, made) in self._raw(node).items()}

    def _raw(self, node: ObjectNode) -> dict[str, Read]:
        keys = self._reading.keys(node.id)
        try:
            with contained("read a map"):
                return dict(zip(keys, self._reading.values(node.id), strict=True))
        except RemoteProtocolError:  # a counter among them, at which the binding panics
            return {key: found for key in keys if (found := self.look(node.id, key)) is not None}

    def _raw_elements(self, node: ObjectNode) -> list[Read]:
        try:
            with contained("read a list"):
                return self._reading.values(node.id)
        except RemoteProtocolError:
            found = [self.look(node.id, index) for index in range(self.length(node))]
            return [each for each in found if each is not None]

    def elements(self, node: ObjectNode) -> list[object]:
        """All that a list holds; its order is known from then on."""
        found = self._raw_elements(node)
        self._orders[node.made] = [op_id(made) for _, made in found]
        return [self._value(each, None, "") for each in found]

    def element(self, node: ObjectNode, index: int) -> object:
        """What a list holds at an index."""
        found = self.look(node.id, index)
        return UNDEFINED if found is None else self._value(found, None, "")

    def element_id(self, node: ObjectNode, index: int) -> OpId:
        """The operation that made what a list holds at an index."""
        found = self.look(node.id, index)
        return (b"", 0) if found is None else op_id(found[1])

    def length(self, node: ObjectNode) -> int:
        """How many elements a list has."""
        return self._reading.length(node.id)

    def text(self, node: ObjectNode) -> str:
        """The string that a text is."""
        return to_cell(self._reading.text(node.id))

    def text_at(self, node: ObjectNode, key: str) -> ObjectNode | None:
        """The text at a key of a map."""
        found = self.look(node.id, key)
        return ObjectNode(Kind.TEXT, found[1]) if found is not None and found[0] == ObjType.Text else None

    def to_json(self, value: object) -> object:
        """What was read, as JSON."""
        place = self._kept.place(value.made) if type(value) is ObjectNode else None
        return self._json(value, place)

    def _json(self, value: object, place: KeptAt | None) -> object:
        if type(value) is not ObjectNode:
            return value if value is None or isinstance(value, str | bool | int | float) else None
        if place is not None and self._kept.place(value.made) is None:
            self._kept.keep(value.made, place)
        if value.kind is Kind.MAP:
            return {key: self._json_of(found, place) for key, found in self._raw(value).items()}
        return [self._json_of(found, place) for found in self._raw_elements(value)]

    def _json_of(self, found: Read, place: KeptAt | None) -> object:
        if found[0] == ObjType.Text and place is not None:
            name = op_id(found[1])
            if self._kept.place(name) is None:
                self._kept.keep(name, place)
        return self._json(self._value(found, None, ""), place)

    # -- writing -----------------------------------------------------------------------------------------

    def put(self, node: ObjectNode, key: str, cell: object, *, deep: bool) -> None:
        """Set a key of a map.

        Raises:
            MirrorError: It is a list or dict, and ``deep`` is not said. Nothing was written.
        """
        if type(cell) is EncodedCell:
            if not deep:
                raise MirrorError(
                    f"{key!r} is a list or dict, which an Automerge document has as objects: name it in "
                    "json= of the shape to have it written so"
                )
            cell = decode_cell(cell)
        text = self._put(node.id, key, cell)
        place = self._kept.place(node.made)
        if place is None:
            return
        if text is not None:
            self._kept.keep(op_id(text), KeptAt(place.part, place.at, key))
        elif isinstance(cell, dict | list):
            self._json(self.get(node, key), KeptAt(place.part, (*place.at, key)))

    def _put(self, made: bytes, key: str | int, value: object) -> bytes | None:
        """Put something new in a map or list; gives the text that it is, if it is one."""
        txn = self._txn
        is_list = isinstance(key, int)
        make = cast("Callable[..., bytes]", txn.insert_object if is_list else txn.put_object)
        match value:
            case str():
                text = make(made, key, ObjType.Text)
                if value:
                    txn.splice_text(text, 0, 0, value)
                return text
            case dict():
                below = make(made, key, ObjType.Map)
                for name, each in value.items():
                    self._put(below, name, each)
            case list():
                below = make(made, key, ObjType.List)
                for index, each in enumerate(value):
                    self._put(below, index, each)
            case _:
                put = cast("Callable[..., None]", txn.insert if is_list else txn.put)
                put(made, key, *_scalar(value))
        return None

    def remove(self, node: ObjectNode, key: str) -> None:
        """Delete a key of a map."""
        if self.look(node.id, key) is not None:
            self._txn.delete(node.id, key)

    def make_map(self, node: ObjectNode, key: str) -> ObjectNode:
        """Make a map in a map."""
        return ObjectNode(Kind.MAP, self._txn.put_object(node.id, key, ObjType.Map))

    def make_text(self, node: ObjectNode, key: str, text: str) -> ObjectNode:
        """Make a text in a map."""
        made = cast("bytes", self._put(node.id, key, text))
        if (place := self._kept.place(node.made)) is not None:
            self._kept.keep(op_id(made), KeptAt(place.part, (*place.at, key)))
        return ObjectNode(Kind.TEXT, made)

    def edit_text(self, node: ObjectNode, delta: Delta) -> None:
        """Edit a text in place."""
        if delta:
            text, has_marks = self._reading.text(node.id), bool(self._reading.marks(node.id))
            write_delta(self._txn, node.id, text, delta, has_marks=has_marks, report=self._report)

    def insert_map(self, node: ObjectNode, index: int) -> ObjectNode:
        """Make a map in a list."""
        made = ObjectNode(Kind.MAP, self._txn.insert_object(node.id, index, ObjType.Map))
        if (order := self._orders.get(node.made)) is not None:
            order.insert(index, made.made)
        return made

    def delete(self, node: ObjectNode, index: int) -> None:
        """Delete an element of a list."""
        self._txn.delete(node.id, index)
        if (order := self._orders.get(node.made)) is not None:
            del order[index]

    def copy(self, source: ObjectNode, target: ObjectNode) -> None:
        """Copy all that a map holds."""
        for key, found in self._raw(source).items():
            self._copy(key, found, target.id, key)

    def _copy(self, name: str, found: Read, target: bytes, key: str | int) -> None:
        txn = self._txn
        is_list = isinstance(key, int)
        kind, made = found
        if type(kind) is tuple:
            put = cast("Callable[..., None]", txn.insert if is_list else txn.put)
            put(target, key, *kind)
            return
        if isinstance(kind, Foreign):
            raise MirrorError(f"a row cannot be moved, as its {name!r} is {kind!r}, which cannot be copied")
        make = cast("Callable[..., bytes]", txn.insert_object if is_list else txn.put_object)
        new = make(target, key, kind)
        if kind == ObjType.Text:
            delta = read_delta(cast("CoreDocument", self._reading), made)
            write_delta(txn, new, "", delta, has_marks=False, report=self._report)
        elif kind == ObjType.List:
            for index, each in enumerate(self._raw_elements(ObjectNode(Kind.LIST, made))):
                self._copy(name, each, new, index)
        else:
            for below, each in self._raw(ObjectNode(Kind.MAP, made)).items():
                self._copy(name, each, new, below)

    # -- what is heard of --------------------------------------------------------------------------------

    def keep(self, part: object, at: tuple[str, ...], node: ObjectNode) -> None:
        """Have changes of a container told to a part."""
        self._kept.keep(node.made, KeptAt(part, at))

    def forget(self, part: object, at: tuple[str, ...]) -> None:
        """Forget containers that are gone."""
        self._kept.forget(part, at)


def _scalar(value: object) -> tuple[Any, object]:
    match value:
        case None:
            return ScalarType.Null, None
        case bool():
            return ScalarType.Boolean, value
        case int() if -MAX_SAFE_INTEGER <= value < MAX_SAFE_INTEGER:
            return ScalarType.Int, value
    return ScalarType.F64, float(value)  # type: ignore[arg-type]
