"""Looking at a Yjs document that nobody has declared a layout for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycrdt import Array, Doc, Map, Text, XmlFragment

from weft._codecs.yjs.update import parse_update
from weft.deltas import utf16_length
from weft.documents.yjs.binding import BindingText, raw_transaction, sequence_of
from weft.mirrors.shapes.inspection import Inspection, Seen, propose
from weft.mirrors.shapes.tree import Kind
from weft.mirrors.yjs.declared_texts import DeclaredTexts
from weft.mirrors.yjs.tree import YjsTree

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["inspect_update"]

_TYPES: dict[Kind, Any] = {Kind.MAP: Map, Kind.LIST: Array, Kind.TEXT: Text, Kind.XML: XmlFragment}
_STRING, _EMBED, _FORMAT, _TYPE = 4, 5, 6, 7
_XML_TYPES = {3, 4, 5, 6}


def inspect_update(update: bytes) -> Inspection:
    """Look at a whole document.

    An update does not tell what its roots are: it is seen by what was written into them.

    Args:
        update: Of the whole document.

    Raises:
        RemoteProtocolError: It is no update.
    """
    kinds = _root_kinds(update)
    doc: Doc[Any] = Doc()
    doc.apply_update(update)
    roots = {name: doc.get(name, type=_TYPES[kind]).integrated for name, kind in kinds.items()}
    sequences = {name: sequence_of(doc, name) for name, kind in kinds.items() if kind is Kind.LIST}
    with raw_transaction(doc) as txn:
        tree = YjsTree(doc, txn, roots, DeclaredTexts(doc, []), sequences, lambda _error: None)
        found: dict[str, object] = {
            name: _look(tree, roots[name], kind, lambda node: str(node.get_string(txn)))
            for name, kind in kinds.items()
        }
    return propose(found)


def _root_kinds(update: bytes) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for item in parse_update(update).items:
        name = item.parent
        if not isinstance(name, str) or kinds.get(name) in {Kind.MAP, Kind.TEXT, Kind.XML}:
            continue
        if item.key is not None:
            kinds[name] = Kind.MAP
        elif item.ref in {_STRING, _EMBED, _FORMAT}:
            kinds[name] = Kind.TEXT
        elif item.ref == _TYPE and item.type_ref in _XML_TYPES:
            kinds[name] = Kind.XML
        else:
            kinds[name] = Kind.LIST
    return kinds


def _look(tree: YjsTree, value: object, kind: Kind | None, string: Callable[[Any], str]) -> object:
    match kind:
        case Kind.MAP:
            items = tree.items(value)
            return Seen(
                kind, entries={key: _look(tree, each, tree.kind(each), string) for key, each in items.items()}
            )
        case Kind.LIST:
            elements = tree.elements(value)
            return Seen(kind, elements=[_look(tree, each, tree.kind(each), string) for each in elements])
        case Kind.TEXT if type(value) is BindingText:
            return Seen(kind, size=utf16_length(string(value)))
        case None:
            return value
        case _:
            return Seen(kind)
