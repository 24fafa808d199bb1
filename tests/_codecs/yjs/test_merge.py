from __future__ import annotations

import pytest

from support.ywriter import item, key_item, section, update
from weft._codecs.yjs.merge import diff_update, merge_updates, state_vector_of
from weft._codecs.yjs.state import EMPTY_UPDATE, decode_state_vector
from weft._codecs.yjs.update import parse_update
from weft.errors import RemoteProtocolError

A, B, C = key_item("a"), key_item("b"), key_item("c")


def text(content: str) -> bytes:
    data = content.encode()
    return item(4, bytes([len(data)]) + data)


def test_structs_that_follow_on_become_one_section() -> None:
    parts = [update(section(1, 1, B)), update(section(1, 0, A), section(9, 4, C)), update(section(1, 1, B))]
    assert merge_updates(parts) == update(section(9, 4, C), section(1, 0, A, B))
    assert merge_updates([]) == merge_updates([EMPTY_UPDATE]) == EMPTY_UPDATE


def test_a_hole_becomes_a_skip_and_is_filled_later() -> None:
    holed = merge_updates([update(section(1, 5, C)), update(section(1, 0, A))])
    assert holed == update(section(1, 0, A, b"\x0a\x04", C))
    assert state_vector_of(holed) == b"\x01\x01\x01"
    filling = update(section(1, 1, *[B] * 4))
    assert merge_updates([holed, filling]) == update(section(1, 0, A, *[B] * 4, C))


def test_what_overlaps_is_cut_where_the_other_ends() -> None:
    merged = merge_updates([update(section(1, 0, text("abc"))), update(section(1, 1, text("bcde")))])
    first, rest = parse_update(merged).items
    assert (first.clock, first.length, rest.clock, rest.length) == (0, 3, 3, 2)
    assert rest.origin == (1, 2)
    assert b"\x02de" in merged


def test_deletions_are_joined() -> None:
    merged = merge_updates([update(deletes=b"\1\5\1\0\2"), update(deletes=b"\1\5\2\2\1\7\1")])
    assert parse_update(merged).deletes == {5: [(0, 3), (7, 1)]}


def test_a_difference_begins_with_the_struct_that_holds_the_clock() -> None:
    data = update(section(9, 0, A), section(1, 0, text("abc"), B), deletes=b"\1\5\1\0\2")
    assert diff_update(data, b"\0") == data
    assert diff_update(data, b"\2\1\2\x09\1") == update(section(1, 0, text("abc"), B), deletes=b"\1\5\1\0\2")
    assert diff_update(data, b"\2\1\3\x09\1") == update(section(1, 3, B), deletes=b"\1\5\1\0\2")
    assert diff_update(data, b"\2\1\4\x09\1") == update(deletes=b"\1\5\1\0\2")


def test_the_state_vector_counts_from_zero_without_a_hole() -> None:
    data = update(section(9, 3, A), section(1, 0, text("abc"), b"\x0a\x05", B))
    assert decode_state_vector(state_vector_of(data)) == {1: 3}


@pytest.mark.parametrize("data", [b"", b"\1", b"\0\0\0"])
def test_what_is_no_update_raises(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        merge_updates([data])
    with pytest.raises(RemoteProtocolError):
        diff_update(data, b"\0")
    with pytest.raises(RemoteProtocolError):
        state_vector_of(data)
    with pytest.raises(RemoteProtocolError):
        diff_update(EMPTY_UPDATE, b"\1")
