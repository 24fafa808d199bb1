"""What changes of an Automerge document did in a text, as a delta.

The text is read anew, which takes the binding 33 ns a character. Where one piece was replaced, comparing the
two strings tells it, and the binding says which of two equal letters is the new one. Anything else is told by
comparing which elements were there and which are, at 0.8 µs an element.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from weft._support.prefixes import common_prefix
from weft.deltas import utf16_length
from weft.mirrors.automerge.keys import op_id
from weft.mirrors.automerge.text_form import read_formats, with_embeds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weft._codecs.automerge.change import OpId
    from weft._codecs.automerge.text_ops import TextOps
    from weft.deltas import Delta
    from weft.documents.automerge.binding import CoreDocument, Reading
    from weft.mirrors.automerge.text_form import Formats

__all__ = ["elements", "read_change", "read_other"]

# Places at which a letter among equal ones is looked for, at 4 µs each, before all elements are read.
_MOST_LOOKS, _ELEMENTS_A_LOOK = 16, 4
_MOST_LOOKS_BACK = 3  # and a deleted one
_MARK_ENDS = frozenset({"markBegin", "markEnd"})


class _Piece(NamedTuple):
    """One replacement, in code points."""

    start: int
    deleted: int
    inserted: int


def elements(core: Reading, made: bytes, heads: list[bytes] | None = None) -> list[tuple[OpId, str]]:
    """The elements of a text and what each is in its string; takes time linear in the text."""
    found = core.values(made) if heads is None else core.values(made, heads)
    return [
        (op_id(element), kind[1] if type(kind) is tuple and type(kind[1]) is str else "\ufffc")
        for kind, element in found
        if not (type(kind) is tuple and kind[1] in _MARK_ENDS)
    ]


def read_change(
    core: CoreDocument, made: bytes, old: str, before: list[bytes], ops: TextOps, *, has_marks: bool
) -> tuple[str, Delta]:
    """Read a text that changes were made in.

    Args:
        core: The document, which has them.
        made: The text.
        old: What it held before.
        before: Heads of the document then.
        ops: What they did in it.
        has_marks: Whether there may be marks in it.

    Returns:
        What it holds now, and the delta that leads there.
    """
    new = core.text(made)
    piece = _one_piece(core, made, old, new, before, ops)
    pieces = [piece] if piece is not None else list(_pieces(core, made, before))
    then: Formats = read_formats(core, made, before) if has_marks else []
    return new, _delta(core, made, old, new, pieces, then, has_marks=has_marks)


def read_other(core: CoreDocument, made: bytes, old: str, then: Formats, *, has_marks: bool) -> Delta:
    """Read a text that has come in the place of another one.

    Args:
        core: The document.
        made: The text.
        old: What the other one held.
        then: Its formats.
        has_marks: Whether there may be marks in the new one.

    Returns:
        The delta that leads from the one to the other.
    """
    new = core.text(made)
    first = common_prefix(old, new, min(len(old), len(new)))
    last = common_prefix(old[first:][::-1], new[first:][::-1], min(len(old), len(new)) - first)
    pieces = [_Piece(first, len(old) - last - first, len(new) - last - first)]
    return _delta(core, made, old, new, pieces, then, has_marks=has_marks)


def _delta(
    core: CoreDocument,
    made: bytes,
    old: str,
    new: str,
    pieces: list[_Piece],
    then: Formats,
    *,
    has_marks: bool,
) -> Delta:
    now: Formats = read_formats(core, made) if has_marks else []
    read = written = 0
    delta: Delta = []
    for start, deleted, inserted in pieces:
        delta += _kept(old[read:start], read, written, then, now)
        written += start - read
        read = start + deleted
        for offset, length, attributes in _parts(now, written, inserted):
            text = new[offset : offset + length]
            delta += with_embeds(core, made, text, offset, attributes)
        written += inserted
        if deleted:
            delta.append({"delete": utf16_length(old[start:read])})
    delta += _kept(old[read:], read, written, then, now)
    while delta and "retain" in delta[-1] and "attributes" not in delta[-1]:
        delta.pop()
    return delta


def _one_piece(
    core: CoreDocument, made: bytes, old: str, new: str, before: list[bytes], ops: TextOps
) -> _Piece | None:
    """The one replacement that was made, if it was one and can be told."""
    gone = ops.deleted.intersection(ops.inserted)
    inserted, deleted = len(ops.inserted) - len(gone), len(ops.deleted) - len(gone)
    if not (ops.is_plain and ops.is_run and len(old) - deleted + inserted == len(new)):
        return None
    if not inserted and not deleted:
        return _Piece(0, 0, 0) if old == new else None
    first = common_prefix(old, new, min(len(old) - deleted, len(new) - inserted))
    if old[first + deleted :] != new[first + inserted :]:
        return None
    # The same comes of it further to the left, as far as what is replaced repeats itself.
    last = first
    most = _MOST_LOOKS + len(new) // _ELEMENTS_A_LOOK
    while last and first - last <= most and old[last - 1 + deleted] == new[last - 1 + inserted]:
        last -= 1
    if last == first:
        return _Piece(first, deleted, inserted)
    # To look at a place as it was takes the binding as long as to read the text up to there.
    wanted, length, heads = (
        (set(ops.inserted), inserted, None) if inserted else (ops.deleted, deleted, before)
    )
    if first - last < (most if heads is None else _MOST_LOOKS_BACK):
        for start in range(first, last - 1, -1):
            ends = [core.get(made, at, heads) for at in (start, start + length - 1)]
            if all(found is not None and op_id(found[1]) in wanted for found in ends):
                return _Piece(start, deleted, inserted)
    return None


def _pieces(core: CoreDocument, made: bytes, before: list[bytes]) -> Iterator[_Piece]:
    """All replacements, by elements."""
    then, now = elements(core, made, before), elements(core, made)
    kept = {element for element, _ in then}.intersection([element for element, _ in now])
    read = 0
    old_at = new_at = 0
    while old_at < len(then) or new_at < len(now):
        deleted = inserted = 0
        start = read
        while old_at < len(then) and then[old_at][0] not in kept:
            deleted += len(then[old_at][1])
            old_at += 1
        while new_at < len(now) and now[new_at][0] not in kept:
            inserted += len(now[new_at][1])
            new_at += 1
        read += deleted
        if deleted or inserted:
            yield _Piece(start, deleted, inserted)
        if old_at < len(then):
            read += len(then[old_at][1])
            old_at += 1
            new_at += 1


def _parts(formats: Formats, start: int, length: int) -> Iterator[tuple[int, int, Mapping[str, Any]]]:
    """Cut a piece of a text where its formats change: where each part begins, its length and formats."""
    end = start + length
    for number, (at, attributes) in enumerate(formats or [(0, {})]):
        until = formats[number + 1][0] if number + 1 < len(formats) else end
        begin, until = max(at, start), min(until, end)
        if begin < until:
            yield begin, until - begin, attributes


def _kept(text: str, old_at: int, new_at: int, then: Formats, now: Formats) -> Delta:
    """Retain a piece of a text, with what has changed in its formats."""
    delta: Delta = []
    for start, length, attributes in _parts(now, new_at, len(text)):
        for old_start, part, was in _parts(then, old_at + start - new_at, length):
            first = old_start - old_at
            changed = {name: value for name, value in attributes.items() if was.get(name) != value}
            changed |= {name: None for name in was if name not in attributes}
            operation: dict[str, Any] = {"retain": utf16_length(text[first : first + part])}
            if changed:
                operation["attributes"] = changed
            elif delta and "attributes" not in delta[-1]:
                delta[-1]["retain"] += operation["retain"]
                continue
            delta.append(operation)
    return delta
