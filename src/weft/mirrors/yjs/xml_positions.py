"""Relative positions in a Y.XmlFragment, in the form that y-prosemirror puts into awareness.

The binding has none for XML. So a copy of the document is asked: what is deleted there, or gets an attribute,
is named by its client and clock in the update that it makes; and where something with a client and clock is,
the copy's event of its deletion tells. One position costs what encoding and reading the document costs.

Format: yjs ``RelativePosition.js``; y-prosemirror (1.3) ``lib.js``: in a run the character at the place,
among nodes the node behind it, and at the end the type alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycrdt import Doc

from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.state import decode_state_vector
from weft._codecs.yjs.update import parse_update
from weft.deltas import utf16_length
from weft.documents.yjs.binding import (
    BindingXmlText,
    guarded,
    in_observer,
    observe_deep,
    observe_transactions,
    raw_transaction,
)
from weft.errors import RemoteProtocolError
from weft.mirrors.yjs.positions import item_id
from weft.mirrors.yjs.xml_tree import Run, children_of, delta_length, find_line, is_atom, lines, measured

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft._codecs.yjs.update import ItemId
    from weft.documents.yjs.binding import Txn
    from weft.mirrors.yjs.xml_texts import XmlSharedText
    from weft.mirrors.yjs.xml_tree import Node

    Find = Callable[[Doc[Any], Txn], Any]

__all__ = ["position_of", "resolve"]

_PROBE = "\0weft"  # an attribute that nobody has
_XML_TEXT = 6


def position_of(
    doc: Doc[Any], text: XmlSharedText, find: Find, root: str | None, offset: int, assoc: int
) -> dict[str, Any] | None:
    """Make the relative position of an offset.

    Args:
        doc: The document.
        text: The text.
        find: Gives the fragment in a document.
        root: The fragment's name, where it is a root.
        offset: In UTF-16 code units.
        assoc: As Yjs has it.

    Returns:
        ``None`` where the text has no such offset, or nothing can be asked now.
    """
    if in_observer(doc):
        return None
    assoc = 0 if assoc >= 0 else -1
    place = _place(text, offset)
    if place is None:
        return None
    path, index, run = place
    at = index + assoc
    type_id: ItemId | None = None
    item: ItemId | None = None
    half = 0
    updates: list[bytes] = []
    copy = _copy(doc)
    end = observe_transactions(copy, lambda event: updates.append(event.update))
    with raw_transaction(copy) as txn:
        parent = find(copy, txn)
        for step in path:
            parent = parent.get(txn, step)
        count = parent.len(txn)
        if path:
            parent.insert_attribute(txn, _PROBE, 1)
        if run is not None:
            string = measured(run.delta)
            if 0 <= at < utf16_length(string):
                before = string.encode("utf-16-le")[: 2 * at].decode("utf-16-le", "ignore")
                parent.remove_range(txn, len(before.encode()), len(string[len(before)].encode()))
                half = at - utf16_length(before)  # 1 for the second one of a character of two units
        elif 0 <= at < count:
            parent.get(txn, at).insert_attribute(txn, _PROBE, 1)
    end()
    for update in updates:
        parsed = parse_update(update)
        probed = [found.parent for found in parsed.items if found.key == _PROBE]
        if path:
            type_id = probed.pop(0)  # type: ignore[assignment]
        if probed:
            item = probed[0]  # type: ignore[assignment]
        for client, ranges in parsed.deletes.items():
            item = client, ranges[0][0] + half
    if type_id is None and item is None and root is None:
        return None
    position: dict[str, Any] = {}
    if path and type_id is not None:
        position["type"] = {"client": type_id[0], "clock": type_id[1]}
    elif not path and root is not None:
        position["tname"] = root
    if item is not None:
        position["item"] = {"client": item[0], "clock": item[1]}
    return {**position, "assoc": assoc}


def _place(text: XmlSharedText, offset: int) -> tuple[tuple[int, ...], int, Run | None] | None:
    """The type in which an offset is, its index there, and the run if it is one."""
    if text.is_empty:
        return None if offset else ((), 0, None)
    found = find_line(text.root, text.lengths, offset)
    if found is None or offset < 0:
        return None
    line, at = found
    if isinstance(line.node, Run):
        return line.path, at, line.node
    if is_atom(line.node):
        return line.path[:-1], line.path[-1] + at, None
    for index, start, child in children_of(line.node):
        if isinstance(child, Run) and at <= start + delta_length(child.delta):
            return (*line.path, index), at - start, child
        if at == start:
            return line.path, index, None
    return line.path, len(line.node.children), None


def resolve(doc: Doc[Any], text: XmlSharedText, find: Find, root: str | None, position: Any) -> int | None:
    """Tell where a relative position is now, in UTF-16 code units.

    Returns:
        ``None`` where it is none, or is not in this text, or nothing can be asked now.
    """
    if not isinstance(position, dict) or in_observer(doc):
        return None
    assoc = position.get("assoc", 0)
    is_before = isinstance(assoc, int) and assoc < 0
    item, type_id = (item_id(position.get(key)) for key in ("item", "type"))
    if item is None and type_id is None:
        if root is None or position.get("tname") != root:
            return None
        return 0 if is_before else max(sum(text.lengths) - 1, 0)
    state = decode_state_vector(doc.get_state())
    client, clock = item or type_id or (0, 0)
    if clock >= state.get(client, 0):
        return None
    if item is not None and (at := _place_of(doc, text, find, client, clock)) is not None:
        if not is_before:
            return at
        if clock and not text.string.isascii():
            # The second half of a character is, to the binding, behind the whole.
            first = _place_of(doc, text, find, client, clock - 1)
            if first == at - 2 and _unit_length(text.string, first) == 2:
                return at
        return at + _unit_length(text.string, at)
    stranger = next(number for number in range(len(state) + 1) if number not in state)
    marker = Writer().uint(1).uint(1).uint(stranger).uint(0)
    if item is not None:  # it is deleted: a type is put behind it
        marker.byte(0x87).uint(client).uint(clock)
    else:
        marker.byte(0x07).uint(0).uint(client).uint(clock)
    heard = _ask(doc, find, marker.uint(_XML_TEXT).uint(0).finish())
    if heard is None:
        return None
    path, index, in_run = heard
    if item is None and not is_before:
        node = _node(text, path)
        index = len(measured(node.delta).encode()) if isinstance(node, Run) else len(node.children)
    return _offset(text, path, index, in_run=in_run)


def _place_of(doc: Doc[Any], text: XmlSharedText, find: Find, client: int, clock: int) -> int | None:
    """The offset of what is there; ``None`` where it is deleted, or not in the text."""
    deletion = Writer().uint(0).uint(1).uint(client).uint(1).uint(clock).uint(1)
    heard = _ask(doc, find, deletion.finish())
    return None if heard is None else _offset(text, heard[0], heard[1], in_run=heard[2])


def _copy(doc: Doc[Any]) -> Doc[Any]:
    copy: Doc[Any] = Doc()
    copy.apply_update(doc.get_update())
    return copy


def _ask(doc: Doc[Any], find: Find, update: bytes) -> tuple[tuple[int, ...], int, bool] | None:
    """Where an update changes a copy: the path of the type, the index in it, and whether it is a run."""
    heard: list[tuple[tuple[int, ...], int, bool]] = []

    def hear(events: list[Any], _: Txn) -> None:
        for event in events:
            if event.delta:
                is_run = type(event.target) is BindingXmlText
                heard.append((tuple(event.path), event.delta[0].get("retain", 0), is_run))

    copy = _copy(doc)
    with raw_transaction(copy) as txn:
        fragment = find(copy, txn)
    end = observe_deep(copy, fragment, hear)
    try:
        with guarded():
            copy.apply_update(update)
    except RemoteProtocolError:
        return None
    finally:
        end()
    if not heard:
        return None
    return heard[0]


def _node(text: XmlSharedText, path: tuple[int, ...]) -> Any:
    node: Node = text.root
    for index in path:
        node = node.children[index]  # type: ignore[union-attr]
    return node


def _offset(text: XmlSharedText, path: tuple[int, ...], index: int, *, in_run: bool) -> int:
    """The offset of an index in a type: of bytes in a run, of children elsewhere."""
    total = max(sum(text.lengths) - 1, 0)
    if not path:
        return min(sum(text.lengths[:index]), total)
    start = sum(text.lengths[: path[0]])
    depth = len(path)
    for line in lines(text.root.children[path[0]], path[:1]):
        own = len(line.path)
        if own <= depth and path[:own] == line.path:
            if isinstance(line.node, Run):
                return start + _units(line.node, index)
            inner = path[own] if own < depth else index
            for number, before, child in children_of(line.node):
                if number == inner:
                    if in_run and own == depth - 1 and isinstance(child, Run):
                        return start + before + _units(child, index)
                    return start + before
            return start + line.length
        if own > depth and line.path[:depth] == path and line.path[depth] >= index:
            return start
        if line.path[:depth] > path:
            break
        start += line.length + 1
    return min(max(start - 1, 0), total)


def _unit_length(string: str, at: int) -> int:
    """How long the character at an offset is."""
    rest = string.encode("utf-16-le")[2 * at : 2 * at + 4].decode("utf-16-le", "ignore")
    return utf16_length(rest[:1]) or 1


def _units(run: Run, index: int) -> int:
    return utf16_length(measured(run.delta).encode()[:index].decode(errors="ignore"))
