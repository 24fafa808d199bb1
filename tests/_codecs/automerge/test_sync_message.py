"""Automerge's sync messages: what the binding sends is read, what would end the process is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from support.amdocs import numbered_document
from support.automerge_chunks import JS_COUNTER, JS_FIRST
from weft._codecs.automerge.chunks import split_chunks
from weft._codecs.automerge.leb128 import write_uint
from weft._codecs.automerge.sync_message import (
    make_sync_message,
    parse_sync_message,
    with_chunks,
    with_needs,
)
from weft.documents.automerge.binding import ROOT, ScalarType
from weft.documents.automerge.document import AutomergeDocument
from weft.errors import RemoteProtocolError


def _written(number: int, changes: int) -> AutomergeDocument:
    document = numbered_document(number)
    for value in range(changes):
        with document.transaction() as transaction:
            transaction.put(ROOT, "a", ScalarType.Int, value)
    return document


def _filtered(*filters: bytes) -> bytes:
    """A message of a peer without heads that has what these filters say."""
    filters = tuple(b"\0" + write_uint(len(bloom)) + bloom for bloom in filters)
    return b"\x42\0\0" + write_uint(len(filters)) + b"".join(filters) + b"\0"


def _bloom(entries: int, bits: int, probes: int, size: int) -> bytes:
    return write_uint(entries) + write_uint(bits) + write_uint(probes) + b"\xff" * size


@pytest.mark.parametrize("changes", [0, 1, 200])
def test_what_the_binding_says_of_many_changes_is_read(changes: int) -> None:
    one, other = _written(1, changes), _written(2, 3)
    message = one.generate_sync_message(one.new_sync_state())
    assert message is not None
    assert parse_sync_message(message).heads == one.heads
    assert other.receive_sync_message(other.new_sync_state(), message) == one.heads


@pytest.mark.parametrize(
    "filters",
    [
        [_bloom(1, 8, 2**32 - 1, 1)],  # 16 GB of probes: the binding aborts the process
        [_bloom(1, 8, 10**6, 1)],
        [_bloom(1, 0, 7, 0)],  # a division by zero
        [_bloom(1, 2**31, 7, 0)],
        [_bloom(1, 10, 7, 3)],
        [_bloom(2**32 - 1, 2**32 - 1, 7, 4)],
        [b"\x01"],
        [b""] * 1000,
    ],
)
def test_a_filter_that_the_binding_could_not_bear_is_refused_and_nobody_suffers(filters: list[bytes]) -> None:
    document, other = _written(1, 2), AutomergeDocument()
    with pytest.raises(RemoteProtocolError):
        document.receive_sync_message(document.new_sync_state(), _filtered(*filters))
    assert not other.apply_changes(document.changes_since(()))
    assert other.heads == document.heads


def test_filters_of_nothing_are_what_a_new_peer_sends() -> None:
    document = _written(1, 2)
    state = document.new_sync_state()
    assert document.receive_sync_message(state, _filtered(b"", _bloom(0, 10, 7, 0))) == ()
    assert document.generate_sync_message(state)


def test_sync_messages_give_heads_needs_and_chunks() -> None:
    (first,), (second,) = split_chunks(JS_FIRST), split_chunks(JS_COUNTER)
    message = parse_sync_message(make_sync_message([second.hash], [JS_FIRST, JS_COUNTER]))
    assert message.heads == (second.hash,)
    assert message.needs == ()
    assert message.chunks == [first, second]
    for bad in (
        b"",
        b"\x41",
        b"\x42",
        b"\x42\x01",
        b"\x43\x00\x00\xff\xff\xff\xff\x0f",
        b"\x43\0\0\0\x01\x01x",
    ):
        with pytest.raises(RemoteProtocolError):
            parse_sync_message(bad)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse_sync_message(data)
    except RemoteProtocolError:
        return
    assert data[:1] in {b"\x42", b"\x43"}


@pytest.mark.parametrize("piece", [b"", b"\x85\x6f\x4a\x83"])
def test_many_pieces_with_nothing_in_them_are_refused_before_they_are_walked(piece: bytes) -> None:
    pieces = bytes([len(piece)]) + piece
    with pytest.raises(RemoteProtocolError, match="more strings"):
        parse_sync_message(b"\x42\0\0\0" + write_uint(1_000_000) + pieces * 1_000_000)
    with pytest.raises(RemoteProtocolError, match="too short"):
        parse_sync_message(b"\x42\0\0\0\x02" + pieces * 2 + bytes(30))


def test_a_message_is_changed_in_what_it_brings_and_asks_for() -> None:
    one, other = _written(1, 3), _written(2, 1)
    state = one.new_sync_state()
    hello = other.generate_sync_message(other.new_sync_state())
    assert hello is not None
    one.receive_sync_message(state, hello)
    data = one.generate_sync_message(state)
    assert data is not None
    message = parse_sync_message(data)
    assert message.needs == other.heads
    changed, taken = with_chunks(data, message, split_chunks(JS_FIRST))
    assert parse_sync_message(changed) == taken == message._replace(chunks=taken.chunks, end=taken.end)
    assert [chunk.data for chunk in taken.chunks] == [JS_FIRST]
    back, _ = with_chunks(changed, taken, message.chunks)  # the binding puts several into one piece
    assert parse_sync_message(back)[:3] == message[:3]
    wanted = [bytes(32), bytes([1]) * 32]
    asking = with_needs(data, lambda needs: [*wanted, *needs])
    assert parse_sync_message(asking).needs == (*wanted, *other.heads)
    assert with_needs(asking, lambda needs: needs[2:]) == data
