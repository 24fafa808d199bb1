"""Automerge's chunks: cut apart, verified, inflated; malformed bytes are refused and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from support.automerge_chunks import JS_COUNTER, JS_FIRST, deflated
from weft._codecs.automerge.chunks import CHANGE, change_hash, inflate, split_chunks
from weft.errors import RemoteProtocolError


def test_chunks_are_cut_apart_and_named_by_their_hashes() -> None:
    chunks = split_chunks(JS_FIRST + JS_COUNTER)
    assert [each.data for each in chunks] == [JS_FIRST, JS_COUNTER]
    assert [each.kind for each in chunks] == [CHANGE, CHANGE]
    assert [each.hash for each in chunks] == [change_hash(JS_FIRST), change_hash(JS_COUNTER)]
    assert split_chunks(b"") == []


@pytest.mark.parametrize("end", range(1, len(JS_COUNTER)))
def test_a_chunk_cut_off_anywhere_is_refused(end: int) -> None:
    with pytest.raises(RemoteProtocolError):
        split_chunks(JS_FIRST + JS_COUNTER[:end])


@pytest.mark.parametrize("at", [0, 4, 8, 20, len(JS_FIRST) - 1])
def test_a_chunk_that_is_damaged_anywhere_is_refused(at: int) -> None:
    damaged = bytearray(JS_FIRST + JS_COUNTER)
    damaged[at] ^= 1
    with pytest.raises(RemoteProtocolError):
        split_chunks(bytes(damaged))


def test_what_is_deflated_is_inflated_within_bounds() -> None:
    packed = deflated(b"abc" * 20)
    assert inflate(packed) == b"abc" * 20
    with pytest.raises(RemoteProtocolError, match="goes on"):
        inflate(packed + b"x")
    with pytest.raises(RemoteProtocolError, match="too large or incomplete"):
        inflate(packed[:-1])
    with pytest.raises(RemoteProtocolError, match="too large or incomplete"):
        inflate(packed, 20)
    with pytest.raises(RemoteProtocolError, match="cannot be read"):
        inflate(b"\xff" * 20)


@given(st.binary(min_size=1, max_size=200))
def test_arbitrary_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        split_chunks(data)
