"""A document as it was, and the edit that leads back to it."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from pycrdt import Array, Map, Text, UndoManager, XmlFragment

from weft._codecs.yjs.joining import check_joined
from weft._codecs.yjs.structs import STORED
from weft._codecs.yjs.update import parse_update
from weft.documents.yjs.binding import create_doc, guarded
from weft.documents.yjs.pairs import mend
from weft.errors import StorageError

if TYPE_CHECKING:
    from pycrdt import Doc

    from weft._codecs.yjs.update import Item, ItemId

__all__ = ["Past", "open_past", "way_back"]

_GC, _STRING, _EMBED, _FORMAT, _TYPE, _SKIP = 0, 4, 5, 6, 7, 10
_XML = frozenset({3, 5, 6})


class Past(NamedTuple):
    """A document as it was.

    Attributes:
        doc: The document.
        roots: Its shared types.
    """

    doc: Doc[Any]
    roots: dict[str, Any]

    def shown(self) -> dict[str, Any]:
        """All of it, as JSON can say it: of a text the pieces with their formats, of XML its text."""
        return {name: _show(root) for name, root in self.roots.items()}


def open_past(update: bytes) -> Past:
    """Read what was saved.

    Raises:
        RemoteProtocolError: The binding must not be given it.
    """
    return _open(update, _kinds(update))


def _open(update: bytes, kinds: dict[str, Any]) -> Past:
    doc = create_doc()
    _apply(doc, *mend([update]))
    return Past(doc, {name: doc.get(name, type=kind) for name, kind in sorted(kinds.items())})


def way_back(past: bytes, now: bytes) -> bytes:
    """The edit that makes a document that has become something else what it was.

    In a document that is at the past, everything that came after it is undone at once, as by an undo manager:
    what was deleted comes back by new structs, and what was added is deleted. Where the binding puts what
    comes back in another order, the part that differs is written anew.

    Args:
        past: All updates up to then.
        now: All updates up to now.

    Returns:
        An update that follows on from now.

    Raises:
        StorageError: XML cannot be made what it was.
        RemoteProtocolError: The binding must not be given one of them.
    """
    kinds = {**_kinds(now), **_kinds(past)}
    known, later = mend([past, now])  # a pair of surrogates that is whole in the past may be none now
    undone, wanted, present = _open(known, kinds), _open(past, kinds), _open(now, kinds)
    manager = UndoManager(scopes=list(undone.roots.values()), capture_timeout_millis=0)
    origin = "what came after"
    manager.include_origin(origin)
    with undone.doc.transaction(origin=origin):
        _apply(undone.doc, later)
    manager.undo()
    state = present.doc.get_state()
    present.doc.apply_update(undone.doc.get_update(state))
    with present.doc.transaction():
        for name, root in present.roots.items():
            if _show(root) != _show(wanted.roots[name]):
                _rewrite(name, root, wanted.roots[name])
    return present.doc.get_update(state)


def _rewrite(name: str, root: Any, wanted: Any) -> None:
    """Write anew what differs."""
    if isinstance(root, Text):
        found, pieces = _characters(root), _characters(wanted)
        begin, end, stop = _differing(found, pieces)
        offset = _size(found[:begin])
        if end > begin:
            del root[offset : offset + _size(found[begin:end])]
        for piece, formats in pieces[begin:stop]:
            root.insert(offset, piece, formats)
            offset += len(piece.encode())
    elif isinstance(root, Array):
        begin, end, stop = _differing(root.to_py() or [], wanted.to_py() or [])
        if end > begin:
            del root[begin:end]
        for at in range(begin, stop):
            root.insert(at, _copy(wanted[at]))
    elif isinstance(root, Map):
        shown, before = root.to_py() or {}, wanted.to_py() or {}
        for key in shown.keys() - before.keys():
            del root[key]
        for key in before:
            if key not in shown or shown[key] != before[key]:
                root[key] = _copy(wanted[key])
    else:
        raise StorageError(f"{name!r:.200} is XML, of which the binding does not undo all")


def _size(characters: list[tuple[str, dict[str, Any] | None]]) -> int:
    """Bytes: pycrdt counts offsets so."""
    return sum(len(character.encode()) for character, _ in characters)


def _characters(text: Any) -> list[tuple[str, dict[str, Any] | None]]:
    return [(character, formats) for piece, formats in text.diff() for character in str(piece)]


def _differing(found: list[Any], wanted: list[Any]) -> tuple[int, int, int]:
    """Where two lists begin to differ, and where in each the common end begins."""
    begin = 0
    while begin < min(len(found), len(wanted)) and found[begin] == wanted[begin]:
        begin += 1
    end, stop = len(found), len(wanted)
    while end > begin and stop > begin and found[end - 1] == wanted[stop - 1]:
        end -= 1
        stop -= 1
    return begin, end, stop


def _copy(value: Any) -> Any:
    if isinstance(value, Map):
        return Map({key: _copy(value[key]) for key in value.keys()})  # noqa: SIM118 - no Mapping
    if isinstance(value, Array):
        return Array([_copy(item) for item in value])
    return Text(str(value)) if isinstance(value, Text) else value


def _apply(doc: Doc[Any], update: bytes) -> None:
    spans = check_joined(update, STORED)
    with guarded():
        doc.apply_update(spans.data)


def _kinds(update: bytes) -> dict[str, Any]:
    """What the shared types at the root of an update are, as their content tells."""
    kinds: dict[str, Any] = {}
    found = _Items(parse_update(update).items)
    for item in found.items:
        name, has_key = found.place_of(item)
        if name is None:
            continue
        if has_key:
            kinds.setdefault(name, Map)
        elif item.ref in {_STRING, _EMBED, _FORMAT}:
            kinds[name] = Text
        elif item.ref == _TYPE and item.type_ref in _XML:
            kinds[name] = XmlFragment
        else:
            kinds.setdefault(name, Array)
    return kinds


class _Items:
    """Items to be found by their ids, and where each stands."""

    def __init__(self, items: list[Item]) -> None:
        self.items = [item for item in items if item.ref not in {_GC, _SKIP}]
        self._clients: dict[int, list[Item]] = {}
        for item in self.items:
            self._clients.setdefault(item.client, []).append(item)
        self._places: dict[ItemId, tuple[str | None, bool]] = {}

    def place_of(self, item: Item) -> tuple[str | None, bool]:
        """The name of the root that an item is a child of, if it is one's, and whether it has a key there."""
        path: list[ItemId] = []
        place: tuple[str | None, bool] = None, False
        at: Item | None = item
        while at is not None:
            key = at.client, at.clock
            if key in self._places:
                place = self._places[key]
                break
            path.append(key)
            if at.parent is not None:
                place = (at.parent if isinstance(at.parent, str) else None), at.key is not None
                break
            neighbour = at.origin or at.right_origin
            at = None if neighbour is None else self._find(neighbour)
        for key in path:
            self._places[key] = place
        return place

    def _find(self, wanted: ItemId) -> Item | None:
        items = self._clients.get(wanted[0], [])
        at = bisect_right(items, wanted[1], key=lambda item: item.clock) - 1
        return items[at] if at >= 0 and wanted[1] < items[at].clock + items[at].length else None


def _show(root: Any) -> Any:
    if isinstance(root, Text):
        return [[str(piece), dict(formats or {})] for piece, formats in root.diff()]
    return str(root) if isinstance(root, XmlFragment) else root.to_py()
