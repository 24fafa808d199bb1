"""Columns: how Automerge's changes and documents hold what their operations have in common.

Format: the Automerge binary document format specification, version 1. A column has an entry for each
operation (or change, or overwritten operation). Integers and strings are run-length encoded: a positive count
and a value, a negative count and so many values, or zero and a count of nulls. Booleans are counts of
``False``, ``True`` and so on by turns. What is malformed is a ``RemoteProtocolError``, or an ``IndexError``
where it ends too early.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from weft._codecs.automerge.chunks import MAX_OPS, inflate
from weft._codecs.automerge.leb128 import read_bytes, read_int, read_uint, write_bytes, write_int, write_uint
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "Layout", "Spec", "count_entries", "cut_columns", "read_column", "read_deltas", "read_flags",
    "read_layout", "read_runs", "read_string", "write_column", "write_columns",
    "write_flags", "write_string",
]  # fmt: skip


class Spec:
    """Specifications: an id times 16, a bit for what is deflated, and a type."""

    DEFLATED = 8
    OBJECT_ACTOR, OBJECT_COUNTER = 1, 2
    ELEMENT_ACTOR, ELEMENT_COUNTER, KEY = 17, 19, 21
    ID_ACTOR, ID_COUNTER, INSERT, ACTION, VALUE_META, VALUE = 33, 35, 52, 66, 86, 87
    PREDECESSOR_COUNT, PREDECESSOR_ACTOR, PREDECESSOR_COUNTER, SUCCESSOR_COUNT = 112, 113, 115, 128
    TIME = 35  # among the columns of changes; all others are of operations


V = TypeVar("V")
Layout: TypeAlias = list[tuple[int, int]]
"""Specification and size of each column, in the order in which they follow."""

_Read: TypeAlias = "Callable[[bytes, int, int], tuple[V, int]]"
_ONE = 0x7F  # head of a run of one literal, which is all that a column of a change of one operation holds
_TOO_LARGE = f"an Automerge change has more than {MAX_OPS:,} operations: write in several transactions"
_TOO_MANY = "a column of an Automerge change has more entries than it has operations"


def _small_ints(raw: bytes) -> list[int]:
    return [byte if byte < 0x40 else byte - 0x80 for byte in raw]


# How literals of one byte each are read at once.
_SMALL: dict[object, Any] = {read_uint: list, read_int: _small_ints}


_HEADS = [bytes((count,)) for count in range(0x40)]  # of short runs


def read_layout(data: bytes, at: int, end: int) -> tuple[Layout, int]:
    """Read which columns follow; gives them and where the list ends."""
    count, at = read_uint(data, at, end)
    if count * 2 > end - at:
        raise RemoteProtocolError("Automerge data names more columns than it holds")
    layout = []
    for _ in range(count):
        if at + 2 <= end and (spec := data[at]) < 0x80 and (size := data[at + 1]) < 0x80:
            at += 2
        else:
            spec, at = read_uint(data, at, end)
            size, at = read_uint(data, at, end)
        layout.append((spec, size))
    return layout, at


def cut_columns(data: bytes, at: int, layout: Layout, bound: int) -> Iterator[tuple[int, bytes]]:
    """Give each column's specification, without the bit, and content, inflated if need be.

    Args:
        data: All that they are in.
        at: Where the first begins.
        layout: Which follow.
        bound: Bytes that they may have altogether.
    """
    for spec, size in layout:
        column = data[at : at + size]
        if len(column) < size:
            raise RemoteProtocolError("a column of Automerge data is longer than the data")
        at += size
        if spec & Spec.DEFLATED:
            column = inflate(column, bound)
        bound -= len(column)
        if bound < 0:
            raise RemoteProtocolError("an Automerge document is too large when it is unpacked")
        yield spec & ~Spec.DEFLATED, column


def read_runs(
    column: bytes, read: _Read[V], bound: int, too_many: str = _TOO_MANY
) -> Iterator[tuple[int, list[V | None]]]:
    """Read a run-length encoded column; gives values, and how many times they follow on each other.

    Args:
        column: Its bytes.
        read: Reads one value.
        bound: How many entries it has at most; no more are read.
        too_many: What is said if it has more.
    """
    small = _SMALL.get(read)
    at, end = 0, len(column)
    while at < end:
        count = column[at]
        if count < 0x80:  # as nearly always
            at += 1
            if count >= 0x40:
                count -= 0x80
        else:
            count, at = read_int(column, at, end)
        values: list[V | None]
        if count > 0:
            value, at = read(column, at, end)
            values = [value]
            bound -= count
        elif count:
            bound += count
            values = []
            stop = at - count
            if small is not None and bound >= 0 and stop <= end and (raw := column[at:stop]).isascii():
                values = small(raw)
                at = stop
            else:
                for _ in range(-count if bound >= 0 else 0):
                    value, at = read(column, at, end)
                    values.append(value)
            count = 1
        else:
            count, at = read_uint(column, at, end)
            values = [None]
            bound -= count
        if bound < 0:
            raise RemoteProtocolError(too_many)
        yield count, values


def count_entries(column: bytes, bound: int, too_many: str) -> int:
    """Count the entries of a run-length encoded column of unsigned integers, without reading them all.

    Args:
        column: Its bytes.
        bound: How many entries it has at most; no more are counted.
        too_many: What is said if it has more.
    """
    at, end, total = 0, len(column), 0
    while at < end:
        count = column[at]
        if count < 0x40 and count:  # as most have: one byte, and one of the value
            at += 1
        else:
            count, at = read_int(column, at, end)
        if count > 0:
            if at < end and column[at] < 0x80:
                at += 1
            else:
                _, at = read_uint(column, at, end)
        elif count:
            count = -count
            if total + count > bound:
                raise RemoteProtocolError(too_many)
            stop = at + count
            if stop <= end and column[at:stop].isascii():
                at = stop
            else:
                for _ in range(count):
                    _, at = read_uint(column, at, end)
        else:
            count, at = read_uint(column, at, end)
        total += count
        if total > bound:
            raise RemoteProtocolError(too_many)
    return total


def read_column(column: bytes, read: _Read[V], total: int | None = None) -> list[V | None]:
    """Read a run-length encoded column; missing entries at its end are null.

    Args:
        column: Its bytes.
        read: Reads one value: ``read_uint``, ``read_int`` or ``read_string``.
        total: How many entries it has at most; ``None`` where it is the column that says so.
    """
    if (total == 1 or total is None) and column and column[0] == _ONE:
        value, at = read(column, 1, len(column))
        if at == len(column):
            return [value]
    entries: list[V | None] = []
    most, too_many = (MAX_OPS, _TOO_LARGE) if total is None else (total, _TOO_MANY)
    for times, values in read_runs(column, read, most, too_many):
        entries += values if times == 1 else values * times
    if total is not None:
        entries += [None] * (total - len(entries))
    return entries


def read_deltas(column: bytes, total: int) -> list[int | None]:
    """Read a column of differences, each to the last one that is not null."""
    entries = read_column(column, read_int, total)
    last = 0
    for place, delta in enumerate(entries):
        if delta is not None:
            entries[place] = last = last + delta
    return entries


def read_string(data: bytes, at: int, end: int) -> tuple[str, int]:
    """Read a string; gives it and where it ends."""
    stop = at + 1 + data[at]
    if stop <= end and data[at] < 0x80:
        return data[at + 1 : stop].decode(), stop
    raw, at = read_bytes(data, at, end)
    return raw.decode(), at


def read_flags(column: bytes, total: int) -> list[bool]:
    """Read a column of booleans; missing ones at its end are false."""
    at, end = 0, len(column)
    flags: list[bool] = []
    flag = False
    while at < end:
        count, at = read_uint(column, at, end)
        if count > total - len(flags):
            raise RemoteProtocolError(_TOO_MANY)
        flags += [flag] * count
        flag = not flag
    return flags + [False] * (total - len(flags))


def write_columns(columns: Iterable[tuple[int, bytes]]) -> bytes:
    """Write the layout and content of columns, leaving out empty ones."""
    written = [(spec, column) for spec, column in columns if column]
    return b"".join(
        (
            write_uint(len(written)),
            *(write_uint(spec) + write_uint(len(column)) for spec, column in written),
            *(column for _, column in written),
        )
    )


def write_column(entries: Iterable[V | None], write: Callable[[V], bytes]) -> bytes:
    """Write a run-length encoded column; nothing, if all entries are null."""
    out: list[bytes] = []
    single: list[bytes] = []  # values that differ each from the next
    only_nulls = True
    heads = _HEADS
    for value, group in groupby(entries):
        count = len(list(group))
        if value is not None:
            only_nulls = False
            if count == 1:
                single.append(write(value))
                continue
        if single:
            out.append(write_int(-len(single)))
            out += single
            single.clear()
        if value is None:
            out += (b"\0", write_uint(count))
        else:
            out += (heads[count] if count < 0x40 else write_int(count), write(value))
    if single:
        out.append(write_int(-len(single)))
        out += single
    return b"" if only_nulls else b"".join(out)


def write_string(text: str) -> bytes:
    """Write a string."""
    return write_bytes(text.encode())


def write_flags(entries: Iterable[bool]) -> bytes:
    """Write a column of booleans."""
    out: list[bytes] = []
    expected = False
    for value, group in groupby(entries):
        if value is not expected:
            out.append(b"\0")
        out.append(write_uint(len(list(group))))
        expected = not value
    return b"".join(out)
