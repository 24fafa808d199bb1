"""Relative positions in a Y.Text, in the form that ``Y.relativePositionToJSON`` has.

A position names the code unit that it stands before (``assoc`` 0 or more) or behind, by client and clock; at
the ends of the text it names the text. Format: yjs ``RelativePosition.js``.

The binding makes and finds them as if the clock counted bytes, within one piece of text. So where a text is
not ASCII, the beginning of the piece is looked for, at which it is right, and counted from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from weft._codecs.yjs.state import decode_state_vector, encode_state_vector
from weft._codecs.yjs.update import parse_update
from weft.deltas import utf16_length
from weft.documents.yjs.binding import in_observer, sticky_id, sticky_place
from weft.mirrors.yjs.texts import measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from pycrdt import Doc

    from weft._codecs.yjs.update import ItemId
    from weft.documents.yjs.binding import RawText, Txn

__all__ = ["Identify", "item_id", "position_of", "resolve"]

Identify: TypeAlias = "Callable[[], ItemId | str | None]"
"""Gives the id of the text itself, its struct or the name of a root, where it can be had."""


def position_of(
    doc: Doc[Any], txn: Txn, text: RawText, offset: int, assoc: int, identify: Identify
) -> dict[str, Any] | None:
    """Make the relative position of an offset in UTF-16 code units.

    Returns:
        ``None`` where the text has no such offset, or cannot be identified at its end.
    """
    measured, _ = measure(txn, text)
    data = measured.encode()
    length = len(data) if measured.isascii() else utf16_length(measured)
    assoc = 0 if assoc >= 0 else -1
    unit = offset + assoc  # the one that is named
    if not 0 <= offset <= length:
        return None
    if not 0 <= unit < length:
        named = identify()
        if named is None:
            return None
        if isinstance(named, str):
            return {"tname": named, "assoc": assoc}
        return {"type": {"client": named[0], "clock": named[1]}, "assoc": assoc}
    client, clock = _id_of(doc, txn, text, data, measured, unit)
    return {"item": {"client": client, "clock": clock}, "assoc": assoc}


def resolve(doc: Doc[Any], txn: Txn, text: RawText, position: Any, identify: Identify) -> int | None:
    """Tell where a relative position is now, in UTF-16 code units.

    Returns:
        ``None`` where it is none, or of another text, as far as that can be told.
    """
    if not isinstance(position, dict):
        return None
    assoc = position.get("assoc", 0)
    is_before = isinstance(assoc, int) and assoc < 0
    measured, _ = measure(txn, text)
    item = item_id(position.get("item"))
    if item is None:
        named: Any = position.get("tname") or item_id(position.get("type"))
        if named is None or named != identify():
            return None
        return 0 if is_before else utf16_length(measured)
    if item[1] >= decode_state_vector(doc.get_state()).get(item[0], 0):
        return None
    place = sticky_place(txn, *item)
    data = measured.encode()
    if place is None or place > len(data):
        return None
    if place < len(data):
        units = utf16_length(measured)
        for is_careful in (False, True):
            start = place
            if len(data) != len(measured):
                start = _start(doc, txn, text, data, _aligned(data, place), is_careful=is_careful)
            unit = utf16_length(data[:start].decode()) + place - start
            if unit < units and _id_of(doc, txn, text, data, measured, unit) == item:
                return unit + 1 if is_before else unit
    return utf16_length(data[:place].decode(errors="ignore"))  # deleted: that is where it stood


def _id_of(doc: Doc[Any], txn: Txn, text: RawText, data: bytes, measured: str, unit: int) -> ItemId:
    """Client and clock of a code unit of the text."""
    if len(data) == len(measured):
        return sticky_id(text, txn, unit)
    units = measured.encode("utf-16-le")
    place = len(units[: 2 * unit].decode("utf-16-le", "ignore").encode())
    for is_careful in (False, True):
        start = _start(doc, txn, text, data, place, is_careful=is_careful)
        client, clock = sticky_id(text, txn, start)
        behind = unit - utf16_length(data[:start].decode())
        if sticky_place(txn, client, clock + behind) == start + behind:
            break
    return client, clock + behind


def _start(doc: Doc[Any], txn: Txn, text: RawText, data: bytes, place: int, *, is_careful: bool) -> int:
    """Where the piece of text begins that the character at a place belongs to.

    Within a piece the binding's clocks grow with the bytes. How far that goes is looked for in growing and
    then in halved steps, as pieces are long. Where there are characters of several bytes, two pieces may look
    like one by chance: what the client wrote from there on is read from the document. And the steps may lead
    into another piece, which being careful, step by step, does not.
    """
    place = _aligned(data, place)
    client, clock = sticky_id(text, txn, place)

    def belongs(other: int) -> bool:
        return sticky_id(text, txn, other) == (client, clock - (place - other))

    inside, outside, step = place, -1, 1
    while inside > 0:
        other = _aligned(data, max(0, inside - step))
        if not belongs(other):
            outside = other
            break
        inside, step = other, 1 if is_careful else 2 * step
    while (middle := _between(data, outside, inside)) is not None:
        if belongs(middle):
            inside = middle
        else:
            outside = middle
    if data[inside:place].isascii() or in_observer(doc):  # where the binding gives no update
        return inside
    lengths = _lengths(doc, client, clock - (place - inside))
    at = inside
    while (length := lengths.get(clock - (place - at))) is not None:
        end = at + len(
            data[at:].decode().encode("utf-16-le")[: 2 * length].decode("utf-16-le", "ignore").encode()
        )
        if end > place:
            return at
        at = end
    return inside


def _lengths(doc: Doc[Any], client: int, clock: int) -> dict[int, int]:
    """The lengths of a client's structs in code units, from a clock on, by their clocks."""
    state = decode_state_vector(doc.get_state())
    state[client] = clock
    update = doc.get_update(encode_state_vector(state))
    return {item.clock: item.length for item in parse_update(update).items if item.client == client}


def _between(data: bytes, low: int, high: int) -> int | None:
    """The beginning of a character between two places."""
    middle = _aligned(data, (low + high) // 2) if low >= 0 else _aligned(data, high // 2)
    if middle <= low:
        middle = _next(data, low)
    return middle if low < middle < high else None


def _next(data: bytes, place: int) -> int:
    """The beginning of the character behind the one that begins at a place."""
    place += 1
    while place < len(data) and data[place] & 0xC0 == 0x80:
        place += 1
    return place


def _aligned(data: bytes, place: int) -> int:
    """The beginning of the character that a byte is of."""
    while place > 0 and data[place] & 0xC0 == 0x80:
        place -= 1
    return place


def item_id(given: Any) -> ItemId | None:
    """The id that a position names; ``None`` where it names none, or not rightly."""
    if not isinstance(given, dict):
        return None
    client, clock = given.get("client"), given.get("clock")
    if type(client) is not int or type(clock) is not int:
        return None
    return (client, clock) if 0 <= client < 1 << 53 and 0 <= clock < 1 << 32 else None
