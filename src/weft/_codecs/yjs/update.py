"""Reading the structs of Yjs v1 updates one by one.

Format: yjs ``encoding.js``, ``UpdateDecoderV1``, ``Item.js``, ``Content*.js``; values: lib0 ``decoding.js``.
An update is a list of structs for each client, in the order of their clocks, and a delete set.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, NoReturn, TypeAlias

from weft._codecs.yjs.guard import MAX_CLOCK
from weft._codecs.yjs.lib0 import MAX_UINT, Reader
from weft._codecs.yjs.state import DeleteSet, read_delete_set
from weft.errors import RemoteProtocolError
from weft.limits import DEFAULT_LIMITS

__all__ = ["AnyValue", "Item", "ItemId", "ParsedUpdate", "parse_update"]

AnyValue: TypeAlias = "str | int | float | bool | bytes | list[AnyValue] | dict[str, AnyValue] | None"
ItemId: TypeAlias = tuple[int, int]

_SKIP = 10


class Item(NamedTuple):
    """One struct of an update.

    Attributes:
        client: Who wrote it.
        clock: Its first clock tick.
        length: How many clock ticks it spans.
        ref: Content: 1 deleted, 2 JSON, 3 binary, 4 string, 5 embed, 6 format, 7 type, 8 any, 9 document;
            0 is a collected struct (GC) and 10 a gap (Skip).
        origin: Its left neighbour when it was written, as client and clock.
        right_origin: Its right neighbour when it was written.
        parent: Name of a root or id of the struct that is the parent type; ``None`` where it is to be taken
            from a neighbour, as in every struct that has one.
        key: Key in a parent that is a map; ``None`` where it is to be taken from a neighbour.
        type_ref: Of a type (ref 7): 0 array, 1 map, 2 text; of XML 3 element, 4 fragment, 5 hook, 6 text.
        values: Of ref 8 the values and of ref 2 their JSON texts. ``undefined`` reads as ``None``, as the
            binding has it.
    """

    client: int
    clock: int
    length: int
    ref: int
    origin: ItemId | None
    right_origin: ItemId | None
    parent: str | ItemId | None
    key: str | None
    type_ref: int | None
    values: tuple[AnyValue, ...] | None


class ParsedUpdate(NamedTuple):
    """An update in pieces.

    Attributes:
        items: Structs in the order of the update.
        deletes: For each client, deleted ranges as first clock and length.
    """

    items: list[Item]
    deletes: DeleteSet


def parse_update(data: bytes) -> ParsedUpdate:
    """Take an update apart.

    It reads content of ref 2 too, which :func:`check_update` refuses: a document of long ago may hold it.

    Args:
        data: Yjs v1 update.

    Raises:
        RemoteProtocolError: The bytes are not one.
    """
    reader = Reader(data)
    items: list[Item] = []
    for _ in range(reader.uint()):
        count, client, clock = reader.uint(), reader.uint(), reader.uint()
        for _ in range(count):
            item = _read_struct(reader, client, clock)
            items.append(item)
            clock += item.length
            if clock > MAX_CLOCK:
                _refuse("clock out of range", reader)
    deletes = read_delete_set(reader)
    reader.expect_end()
    return ParsedUpdate(items, deletes)


def _refuse(reason: str, reader: Reader) -> NoReturn:
    raise RemoteProtocolError(f"not an update: {reason} before byte {reader.position}")


def _read_id(reader: Reader) -> ItemId:
    return reader.uint(), reader.uint()


def _read_struct(reader: Reader, client: int, clock: int) -> Item:
    info = reader.byte()
    ref = info & 0x1F
    if ref in {0, 10}:
        return Item(client, clock, reader.uint(), ref, None, None, None, None, None, None)
    origin = _read_id(reader) if info & 0x80 else None
    right_origin = _read_id(reader) if info & 0x40 else None
    parent: str | ItemId | None = None
    key = None
    if origin is None and right_origin is None:
        parent = reader.string() if reader.uint() == 1 else _read_id(reader)
        if info & 0x20:
            key = reader.string()
    length = 1
    type_ref = None
    values: tuple[AnyValue, ...] | None = None
    match ref:
        case 1:  # deleted
            length = reader.uint()
        case 2:  # JSON
            values = tuple([reader.string() for _ in range(_count(reader))])
            length = len(values)
        case 3:  # binary
            reader.bytes()
        case 4:  # string
            length = len(reader.string().encode("utf-16-le")) // 2
        case 5:  # embed
            reader.string()
        case 6:  # format
            reader.string()
            reader.string()
        case 7:  # type
            type_ref = reader.uint()
            if type_ref in {3, 5}:
                reader.string()
            elif type_ref > 6:
                _refuse(f"unknown type {type_ref}", reader)
        case 8:  # any
            values = tuple(_read_values(reader, _count(reader)))
            length = len(values)
        case 9:  # document
            reader.string()
            _read_values(reader, 1)
        case _:
            _refuse(f"unknown struct {info:#04x}", reader)
    return Item(client, clock, length, ref, origin, right_origin, parent, key, type_ref, values)


def _count(reader: Reader) -> int:
    count = reader.uint()
    if count > reader.remaining:
        _refuse(f"{count} values announced", reader)
    return count


def _read_integer(reader: Reader) -> int:
    byte = reader.byte()
    sign = -1 if byte & 0x40 else 1
    value, shift = byte & 0x3F, 6
    while byte >= 0x80:
        byte = reader.byte()
        if shift > 48:
            _refuse("integer out of range", reader)
        value |= (byte & 0x7F) << shift
        shift += 7
    if value > MAX_UINT:
        _refuse("integer out of range", reader)
    return sign * value


def _read_values(reader: Reader, count: int) -> list[AnyValue]:
    """Read values in lib0's ``any`` encoding, the nested ones without recursion."""
    values: list[AnyValue] = []
    into: list[AnyValue] | dict[str, AnyValue] = values
    outer: list[tuple[list[AnyValue] | dict[str, AnyValue], int]] = []
    while True:
        while count:
            count -= 1
            key = reader.string() if isinstance(into, dict) else ""
            value, nested = _read_value(reader)
            if isinstance(into, dict):
                into[key] = value
            else:
                into.append(value)
            if nested and isinstance(value, list | dict):
                if len(outer) >= DEFAULT_LIMITS.max_depth:
                    _refuse("value nested too deeply", reader)
                outer.append((into, count))
                into, count = value, nested
        if not outer:
            return values
        into, count = outer.pop()


def _read_value(reader: Reader) -> tuple[AnyValue, int]:
    """Read one value; of a container, an empty one and how many entries are to be read into it."""
    match reader.byte():
        case 127 | 126:  # undefined, null
            return None, 0
        case 125:
            return _read_integer(reader), 0
        case 124:
            return _read_number(reader, ">f"), 0
        case 123:
            return _read_number(reader, ">d"), 0
        case 122:
            return _read_number(reader, ">q"), 0
        case 121:
            return False, 0
        case 120:
            return True, 0
        case 119:
            return reader.string(), 0
        case 118:
            return {}, _count(reader)
        case 117:
            return [], _count(reader)
        case 116:
            return reader.bytes(), 0
        case tag:
            _refuse(f"unknown value {tag}", reader)


def _read_number(reader: Reader, form: str) -> float:
    data = bytes([reader.byte() for _ in range(struct.calcsize(form))])
    number: float = struct.unpack(form, data)[0]
    return number
