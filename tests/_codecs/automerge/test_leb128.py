"""LEB128 integers and what is counted by them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from weft._codecs.automerge.leb128 import (
    read_bytes,
    read_hashes,
    read_int,
    read_list,
    read_uint,
    write_bytes,
    write_int,
    write_uint,
)
from weft.errors import RemoteProtocolError


@given(st.integers(0, 2**64 - 1))
def test_unsigned_integers_come_back(value: int) -> None:
    data = write_uint(value)
    assert read_uint(b"x" + data + b"y", 1, 1 + len(data)) == (value, 1 + len(data))
    with pytest.raises(RemoteProtocolError):
        read_uint(data, 0, len(data) - 1)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00", 0),
        ("3f", 63),
        ("40", -64),
        ("7f", -1),
        ("8001", 128),
        ("c000", 64),
        ("bf7f", -65),
        ("ff00", 127),
    ],
)
def test_signed_integers_are_extended_by_bit_six(data: str, value: int) -> None:
    raw = bytes.fromhex(data)
    assert read_int(raw, 0, len(raw)) == (value, len(raw))


def test_integers_of_more_than_64_bits_are_refused() -> None:
    for read in (read_uint, read_int):
        with pytest.raises(RemoteProtocolError):
            read(b"\xff" * 9 + b"\x03", 0, 10)
        with pytest.raises(RemoteProtocolError):
            read(b"\x80" * 12, 0, 12)


@given(st.integers(-(2**63), 2**63 - 1))
def test_signed_integers_come_back(value: int) -> None:
    data = write_int(value)
    assert read_int(b"x" + data + b"y", 1, 1 + len(data)) == (value, 1 + len(data))
    with pytest.raises(RemoteProtocolError):
        read_int(data, 0, len(data) - 1)


@given(st.lists(st.binary(max_size=130), max_size=5))
def test_lists_of_bytes_come_back(values: list[bytes]) -> None:
    data = write_uint(len(values)) + b"".join(map(write_bytes, values))
    assert read_list(data, 0, len(data)) == (values, len(data))
    with pytest.raises(RemoteProtocolError):
        read_list(data, 0, len(data) - 1)


def test_hashes_come_back_and_are_not_made_up() -> None:
    hashes = (b"\x01" * 32, b"\x02" * 32)
    data = write_uint(2) + b"".join(hashes)
    assert read_hashes(data, 0, len(data)) == (hashes, 65)
    for end in (1, 64):
        with pytest.raises(RemoteProtocolError):
            read_hashes(data, 0, end)


def test_what_is_announced_and_not_there_is_refused() -> None:
    for read in (read_bytes, read_list, read_hashes):
        with pytest.raises(RemoteProtocolError):
            read(b"\xff\xff\xff\xff\x0f", 0, 5)
