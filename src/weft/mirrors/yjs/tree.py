"""A Yjs document as shapes see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.deltas import to_cell
from weft.documents.yjs.binding import (
    BindingArray,
    BindingDoc,
    BindingMap,
    BindingText,
    BindingXmlElement,
    BindingXmlFragment,
    BindingXmlText,
)
from weft.errors import MirrorError
from weft.mirrors.shapes import Kind
from weft.mirrors.yjs.containers import make_path
from weft.mirrors.yjs.texts import copy_text, edit_text
from weft.values import UNDEFINED, EncodedCell, decode_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pycrdt import Doc

    from weft.deltas import Delta
    from weft.documents.yjs.binding import Txn
    from weft.mirrors.shapes import Root
    from weft.mirrors.yjs.declared_texts import DeclaredTexts

__all__ = ["YjsTree"]

_KINDS: dict[type, Kind] = {
    BindingMap: Kind.MAP,
    BindingArray: Kind.LIST,
    BindingText: Kind.TEXT,
    BindingXmlFragment: Kind.XML,
    BindingXmlElement: Kind.OTHER,
    BindingXmlText: Kind.OTHER,
    BindingDoc: Kind.OTHER,
}


class YjsTree:
    """One document within one transaction.

    Args:
        doc: The document.
        txn: The transaction.
        roots: The root types that are mirrored, by name.
        texts: The texts among what is mirrored.
        sequences: For roots that are lists, what reads all that is in them at once.
        report: Called with what is of another kind than it should be.
    """

    __slots__ = ("_doc", "_report", "_roots", "_sequences", "_texts", "_txn")

    nodes = frozenset(_KINDS)

    def __init__(
        self,
        doc: Doc[Any],
        txn: Txn,
        roots: dict[str, Any],
        texts: DeclaredTexts,
        sequences: Mapping[str, Callable[[Txn], list[object]]],
        report: Callable[[Exception], None],
    ) -> None:
        self._doc = doc
        self._txn = txn
        self._roots = roots
        self._texts = texts
        self._sequences = sequences
        self._report = report

    # -- finding -----------------------------------------------------------------------------------------

    def find(self, root: Root) -> Any | None:
        """The container there."""
        node = self._roots[root.name]
        for number, key in enumerate(root.keys, 1):
            if not node.has(self._txn, key):
                return None
            node = node.get(self._txn, key)
            kind = root.kind if number == len(root.keys) else Kind.MAP
            if _KINDS.get(type(node)) is not kind:
                self._report(
                    MirrorError(f"the document holds {node!r:.100} in {root}, where a {kind.value} should be")
                )
                return None
        return node

    def make(self, root: Root) -> Any | None:
        """The same, created if need be."""
        if root.keys:
            make_path(self._doc, self._txn, self._roots[root.name], root)
        return self.find(root)

    # -- reading -----------------------------------------------------------------------------------------

    def kind(self, value: object) -> Kind | None:
        """What kind of container."""
        return _KINDS.get(type(value))

    def get(self, node: Any, key: str) -> object:
        """What a map holds."""
        return node.get(self._txn, key) if node.has(self._txn, key) else UNDEFINED

    def items(self, node: Any) -> dict[str, object]:
        """All that a map holds."""
        txn, get = self._txn, node.get
        return {key: get(txn, key) for key in node.keys(txn)}

    def elements(self, node: Any) -> list[object]:
        """All that a list holds.

        The binding walks a list from its beginning for each element. A text it walks once, and any root type
        can be read as one: all elements but plain values are in it.
        """
        txn = self._txn
        count = node.len(txn)
        if count > 1:
            for name, read in self._sequences.items():
                if self._roots[name] is node:
                    found = read(txn)
                    if len(found) == count and not any(isinstance(value, str) for value in found):
                        return found
        return [node.get(txn, index) for index in range(count)]

    def length(self, node: Any) -> int:
        """How many elements a list has."""
        return int(node.len(self._txn))

    def text(self, node: Any) -> str:
        """The string that a text is."""
        return to_cell(self._texts.read(self._txn, node))

    def text_at(self, node: Any, key: str) -> Any | None:
        """The text at a key of a map."""
        found = self.get(node, key)
        return found if type(found) is BindingText else None

    def to_json(self, value: object) -> object:
        """What was read, as JSON."""
        match _KINDS.get(type(value)):
            case None:
                return _plain(value)
            case Kind.MAP:
                return {key: self.to_json(found) for key, found in self.items(value).items()}
            case Kind.LIST:
                return [self.to_json(found) for found in self.elements(value)]
            case _ if hasattr(value, "get_string"):
                return value.get_string(self._txn)
        return None

    # -- writing -----------------------------------------------------------------------------------------

    def put(self, node: Any, key: str, cell: object, *, deep: bool) -> None:
        """Set a key of a map."""
        node.insert(self._txn, key, decode_cell(cell) if type(cell) is EncodedCell else cell)

    def remove(self, node: Any, key: str) -> None:
        """Delete a key of a map."""
        if node.has(self._txn, key):
            node.remove(self._txn, key)

    def make_map(self, node: Any, key: str) -> Any:
        """Make a map in a map."""
        return node.insert_map_prelim(self._txn, key)

    def make_text(self, node: Any, key: str, text: str) -> Any:
        """Make a text in a map."""
        made = node.insert_text_prelim(self._txn, key)
        if text:
            made.insert(self._txn, 0, text)
        return made

    def edit_text(self, node: Any, delta: Delta) -> None:
        """Edit a text in place."""
        if type(node) is BindingXmlFragment:
            self._texts.write_xml(self._txn, node, delta)
        else:
            edit_text(self._txn, node, delta)
            self._texts.read(self._txn, node)

    def insert_map(self, node: Any, index: int) -> Any:
        """Make a map in a list."""
        return node.insert_map_prelim(self._txn, index)

    def delete(self, node: Any, index: int) -> None:
        """Delete an element of a list."""
        node.remove_range(self._txn, index, 1)

    def copy(self, source: Any, target: Any) -> None:
        """Copy all that a map holds."""
        for key, value in self.items(source).items():
            self._copy_into(target, key, value)

    def _copy_into(self, target: Any, key: str | int, value: Any) -> None:
        """Put a copy at a key of a map, or at an index of a list."""
        txn = self._txn
        match _KINDS.get(type(value)):
            case None:
                target.insert(txn, key, value)
            case Kind.MAP:
                self.copy(value, target.insert_map_prelim(txn, key))
            case Kind.LIST:
                made = target.insert_array_prelim(txn, key)
                for index, element in enumerate(self.elements(value)):
                    self._copy_into(made, index, element)
            case Kind.TEXT:
                copy_text(value, target.insert_text_prelim(txn, key), txn)
            case kind:
                raise _uncopied(str(key), kind)

    def keep(self, part: object, at: tuple[str, ...], node: Any) -> None:
        """Changes come with their path."""

    def forget(self, part: object, at: tuple[str, ...]) -> None:
        """Nothing was kept."""


def _uncopied(key: str, kind: Kind) -> MirrorError:
    return MirrorError(f"a row cannot be moved, as its {key!r} is a {kind.value}, which cannot be copied")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(found) for key, found in value.items()}
    if isinstance(value, list):
        return [_plain(found) for found in value]
    return value if value is None or isinstance(value, str | bool | int | float) else None
