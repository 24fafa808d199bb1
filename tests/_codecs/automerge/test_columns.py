"""Columns: what is written comes back, and what is malformed or too much is refused before it is unpacked."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from weft._codecs.automerge.columns import (
    count_entries,
    cut_columns,
    read_column,
    read_deltas,
    read_flags,
    read_layout,
    read_runs,
    read_string,
    write_column,
    write_columns,
    write_flags,
    write_string,
)
from weft._codecs.automerge.leb128 import read_int, read_uint, write_int, write_uint
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

UINTS = st.one_of(st.none(), st.integers(0, 3), st.integers(0, 2**63))
STRINGS = st.one_of(st.none(), st.text(max_size=3), st.text(min_size=125, max_size=131))
COUNTERS = st.one_of(st.none(), st.integers(0, 3), st.integers(0, 2**32))


@given(st.lists(UINTS, max_size=40))
def test_unsigned_integers_come_back(entries: list[int | None]) -> None:
    column = write_column(entries, write_uint)
    assert read_column(column, read_uint, len(entries)) == entries
    if any(entry is not None for entry in entries):
        assert read_column(column, read_uint) == entries


@given(st.lists(STRINGS, max_size=20))
def test_strings_come_back(entries: list[str | None]) -> None:
    assert read_column(write_column(entries, write_string), read_string, len(entries)) == entries


@given(st.lists(COUNTERS, max_size=40))
def test_differences_come_back(entries: list[int | None]) -> None:
    known = [0, *(entry for entry in entries if entry is not None)]
    deltas = iter([after - before for before, after in pairwise(known)])
    column = write_column([None if entry is None else next(deltas) for entry in entries], write_int)
    assert read_deltas(column, len(entries)) == entries


@given(st.lists(st.booleans(), max_size=40))
def test_booleans_come_back(entries: list[bool]) -> None:
    assert read_flags(write_flags(entries), len(entries)) == entries


def test_entries_that_are_missing_at_the_end_are_null_or_false() -> None:
    assert read_column(b"\x7f\x05", read_uint, 3) == [5, None, None]
    assert read_column(b"", read_string, 2) == [None, None]
    assert read_flags(b"\x00\x01", 3) == [True, False, False]


@pytest.mark.parametrize(
    "column",
    [
        write_int(10**9) + b"\x01",  # equal values
        b"\0" + write_uint(10**9),  # nulls
        write_int(-(10**9)) + b"\x01" * 50,  # values one by one
    ],
)
def test_no_more_entries_are_read_than_there_may_be(column: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="more than 2,097,152 operations"):
        read_column(column, read_uint)
    with pytest.raises(RemoteProtocolError, match="more entries"):
        read_column(column, read_uint, 49)
    with pytest.raises(RemoteProtocolError, match="for this test"):
        count_entries(column, 49, "too many for this test")
    with pytest.raises(RemoteProtocolError, match="for this test"):
        list(read_runs(column, read_uint, 49, "too many for this test"))
    with pytest.raises(RemoteProtocolError, match="more entries"):
        read_flags(write_uint(10**9), 49)


def test_columns_are_written_with_their_layout_and_without_the_empty_ones() -> None:
    data = write_columns([(1, b"abc"), (2, b""), (193, b"d")])
    layout, at = read_layout(data, 0, len(data))
    assert layout == [(1, 3), (193, 1)]
    assert list(cut_columns(data, at, layout, 4)) == [(1, b"abc"), (193, b"d")]
    with pytest.raises(RemoteProtocolError, match="too large"):
        list(cut_columns(data, at, layout, 3))
    with pytest.raises(RemoteProtocolError, match="longer"):
        list(cut_columns(data[:-1], at, layout, 4))


@pytest.mark.parametrize("data", ["02010102", "ff", "", "7f0101", "01c800", "02c801ff01"])
def test_a_layout_that_ends_too_early_is_refused(data: str) -> None:
    raw = bytes.fromhex(data)
    with pytest.raises(RemoteProtocolError):
        read_layout(raw, 0, len(raw))


@given(st.binary(max_size=40), st.sampled_from([read_uint, read_int, read_string]))
def test_arbitrary_bytes_are_refused_and_nothing_else(
    data: bytes, read: Callable[[bytes, int, int], tuple[Any, int]]
) -> None:
    try:
        entries = read_column(data, read, 100)
    except (RemoteProtocolError, IndexError, UnicodeDecodeError):
        return
    assert len(entries) == 100


@given(st.lists(UINTS, max_size=200))
def test_entries_are_counted_as_they_are_read(entries: list[int | None]) -> None:
    column = write_column(entries, write_uint)
    assert count_entries(column, 200, "too many") == len(read_column(column, read_uint))


@given(st.binary(max_size=40))
def test_of_arbitrary_bytes_as_many_are_counted_as_read(data: bytes) -> None:
    counted: int | None
    try:
        counted = count_entries(data, 100, "too many")
    except (RemoteProtocolError, IndexError):
        counted = None
    try:
        read = sum(times * len(values) for times, values in read_runs(data, read_uint, 100))
    except (RemoteProtocolError, IndexError):
        assert counted is None
    else:
        assert counted == read
