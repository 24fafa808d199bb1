"""Shared texts of an Automerge document as deltas: reading one with its formats, writing what changed in one.

Automerge counts code points here, a delta UTF-16 code units. A format is a mark, whose value is a string, a
number or ``True``; what is inserted at the end of one is in it, as by default in JavaScript (``expand:
"after"``). An embed is a map inside the text, which JavaScript calls a block (``A.splitBlock``, ``A.spans``);
in the string of a text it is U+FFFC, in JavaScript as well.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from weft.deltas import EMBED, from_utf16
from weft.documents.automerge.binding import ExpandMark, ObjType, ScalarType
from weft.errors import MirrorError
from weft.jsoncodec import MAX_SAFE_INTEGER, check_text, normal_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from weft.deltas import Delta, DeltaInput
    from weft.documents.automerge.binding import CoreDocument, CoreMark, CoreTransaction, Reading

__all__ = ["Formats", "read_delta", "read_formats", "with_embeds", "write_delta"]

Formats = list[tuple[int, dict[str, Any]]]
"""Where each piece of a text begins, in code points, and its formats; of several at one place the last."""

_AFTER = ExpandMark.After
_FORMAT_TYPES = frozenset({bool, int, float, str})  # and not JavaScript's dates and bytes


def read_formats(core: Reading, made: bytes, heads: list[bytes] | None = None) -> Formats:
    """Read the marks of a text, at some heads if given; takes time linear in the text."""
    marks = core.marks(made) if heads is None else core.marks(made, heads)
    edges: dict[int, list[tuple[CoreMark, bool]]] = {0: []}
    for mark in marks:
        if type(mark.value[1]) in _FORMAT_TYPES:
            edges.setdefault(mark.start, []).append((mark, True))
            edges.setdefault(mark.end, []).append((mark, False))
    formats: Formats = []
    current: dict[str, Any] = {}
    for at in sorted(edges):
        current = dict(current)
        for mark, begins in sorted(edges[at], key=lambda edge: edge[1]):  # one ends before the next begins
            if begins:
                value = mark.value[1]
                current[mark.name] = normal_number(value) if type(value) is float else value
            else:
                current.pop(mark.name, None)
        formats.append((at, current))
    return formats


def read_delta(core: CoreDocument, made: bytes) -> Delta:
    """Read a text with its formats and embeds."""
    text, formats = core.text(made), read_formats(core, made)
    delta: Delta = []
    for number, (start, attributes) in enumerate(formats):
        end = formats[number + 1][0] if number + 1 < len(formats) else len(text)
        delta += with_embeds(core, made, text[start:end], start, attributes)
    return delta


def with_embeds(
    core: CoreDocument, made: bytes, text: str, start: int, attributes: Mapping[str, Any]
) -> Delta:
    """Make inserts of a piece of a text that begins at a code point, with its embeds as what they are."""
    pieces: list[Any] = []
    read = 0
    at = text.find(EMBED)
    while at >= 0:
        if (embed := _embed_at(core, made, start + at)) is not None:
            pieces += [text[read:at], embed]
            read = at + 1
        at = text.find(EMBED, at + 1)
    pieces.append(text[read:])
    more = {"attributes": attributes} if attributes else {}
    return [{"insert": piece, **more} for piece in pieces if piece or not isinstance(piece, str)]


def _embed_at(core: CoreDocument, made: bytes, index: int) -> dict[str, Any] | None:
    found = core.get(made, index)
    return _plain(core, found) if found is not None and found[0] == ObjType.Map else None


def _plain(core: CoreDocument, found: Any) -> Any:
    """What an object or value in an embed is in JSON."""
    kind, made = found
    if kind == ObjType.Map:
        return {
            key: _plain(core, below) for key, below in zip(core.keys(made), core.values(made), strict=True)
        }
    if kind == ObjType.List:
        return [_plain(core, below) for below in core.values(made)]
    return core.text(made) if kind == ObjType.Text else kind[1]


def write_delta(
    transaction: CoreTransaction,
    made: bytes,
    text: str,
    delta: DeltaInput,
    *,
    has_marks: bool,
    report: Callable[[Exception], object],
) -> bool:
    """Change a text in place.

    Args:
        transaction: What is written to.
        made: The text.
        text: What it holds.
        delta: What is to change; it lies within the text.
        has_marks: Whether there may be marks in it, so that what is inserted may be in one.
        report: Called with a format that Automerge cannot hold; it is left out.

    Returns:
        Whether formats were written.

    Raises:
        ValueError: It cuts a character in two halves, as no Automerge document can. What was written by then
            is to be rolled back.
    """
    splice = transaction.splice_text
    at = read = offset = 0  # what is written, in code points; what of the text is passed, in both
    formats: list[tuple[int, int, Mapping[str, Any], bool]] = []
    for operation in delta:
        if (inserted := operation.get("insert")) is not None:
            if isinstance(inserted, str):
                splice(made, at, 0, inserted)
                count = len(inserted)
            else:
                _fill(transaction, transaction.insert_object(made, at, ObjType.Map), inserted)
                count = 1
            attributes = operation.get("attributes")
            if attributes or has_marks:
                formats.append((at, at + count, attributes or {}, True))
            at += count
            continue
        is_deletion = "delete" in operation
        offset += operation["delete" if is_deletion else "retain"]
        end = from_utf16(text, offset)
        if is_deletion:
            splice(made, at, end - read, "")
        else:
            if attributes := operation.get("attributes"):
                formats.append((at, at + end - read, attributes, False))
            at += end - read
        read = end
    for start, stop, attributes, is_new in formats:
        # A mark of no length would make a document that nobody can load.
        if stop > start:
            known = _formats_at(transaction, made, start) if is_new and has_marks else {}
            _format(transaction, made, start, stop, attributes, known, report)
    return bool(formats)


def _formats_at(transaction: CoreTransaction, made: bytes, index: int) -> dict[str, Any]:
    formats = read_formats(transaction, made)
    return formats[bisect_right(formats, index, key=lambda piece: piece[0]) - 1][1]


def _format(
    transaction: CoreTransaction,
    made: bytes,
    start: int,
    stop: int,
    attributes: Mapping[str, Any],
    inherited: Mapping[str, Any],
    report: Callable[[Exception], object],
) -> None:
    wanted = dict.fromkeys(inherited) | dict(attributes)
    for name, value in wanted.items():
        if name in inherited and inherited[name] == value:
            continue
        if value is None:
            transaction.unmark(made, start, stop, name, _AFTER)
            continue
        try:
            check_text(name)
            kind, scalar = _scalar(value)
        except (TypeError, ValueError) as error:
            report(MirrorError(f"the format {name!r:.100} is left out in the document: {error}"))
        else:
            transaction.mark(made, start, stop, name, kind, scalar, _AFTER)


def _scalar(value: object) -> tuple[Any, Any]:
    match value:
        case bool():
            return ScalarType.Boolean, value
        case int() if -MAX_SAFE_INTEGER <= value < MAX_SAFE_INTEGER:
            return ScalarType.Int, value
        case int() | float():
            return ScalarType.F64, float(value)
        case str():
            check_text(value)
            return ScalarType.Str, value
        case None:
            return ScalarType.Null, None
    raise TypeError(f"Automerge has no marks of {type(value).__name__}")


def _fill(transaction: CoreTransaction, made: bytes, fields: Mapping[str, Any]) -> None:
    """Put JSON into a map, strings as texts, as JavaScript does."""
    for key, value in fields.items():
        match value:
            case str():
                transaction.splice_text(transaction.put_object(made, key, ObjType.Text), 0, 0, value)
            case dict():
                _fill(transaction, transaction.put_object(made, key, ObjType.Map), value)
            case list() | tuple():
                _fill_list(transaction, transaction.put_object(made, key, ObjType.List), value)
            case _:
                transaction.put(made, key, *_scalar(value))


def _fill_list(transaction: CoreTransaction, made: bytes, items: Iterable[Any]) -> None:
    for index, value in enumerate(items):
        match value:
            case str():
                text = transaction.insert_object(made, index, ObjType.Text)
                transaction.splice_text(text, 0, 0, value)
            case dict():
                _fill(transaction, transaction.insert_object(made, index, ObjType.Map), value)
            case list() | tuple():
                _fill_list(transaction, transaction.insert_object(made, index, ObjType.List), value)
            case _:
                transaction.insert(made, index, *_scalar(value))
