"""State vectors and delete sets: what pycrdt writes is read, and what is malformed is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from pycrdt import Map

from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.state import (
    EMPTY_UPDATE,
    decode_delete_set,
    decode_state_vector,
    deleted_up_to,
    missing,
)
from weft._codecs.yjs.update import parse_update
from weft.documents.yjs.document import create_doc
from weft.errors import RemoteProtocolError

STATES = st.dictionaries(st.integers(0, 2**53 - 1), st.integers(0, 2**31), max_size=5)


def test_what_the_binding_writes_is_read() -> None:
    doc = create_doc(client_id=7)
    shared = doc.get("m", type=Map)
    for key in ("a", "b", "c", "d"):
        shared[key] = 1
    del shared["b"]
    del shared["d"]
    assert decode_state_vector(doc.get_state()) == {7: 4}
    update = doc.get_update(doc.get_state())
    assert update[0] == 0
    assert decode_delete_set(update[1:]) == parse_update(update).deletes == {7: [(1, 1), (3, 1)]}
    assert deleted_up_to(update[1:]) == {7: 4}
    assert create_doc().get_update() == EMPTY_UPDATE


@given(STATES)
def test_state_vectors_come_back(state: dict[int, int]) -> None:
    writer = Writer().uint(len(state))
    for client, clock in state.items():
        writer.uint(client).uint(clock)
    assert decode_state_vector(writer.finish()) == state


@given(STATES, STATES)
def test_what_is_missing_of_a_state_makes_it_whole(state: dict[int, int], wanted: dict[int, int]) -> None:
    lacking = missing(state, wanted)
    assert not missing(state | lacking, wanted)
    assert all(lacking[client] == wanted[client] > state.get(client, 0) for client in lacking)


@pytest.mark.parametrize("decode", [decode_state_vector, decode_delete_set])
@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\x05", b"\x02\x01\x01", b"\xff\xff"])
def test_what_ends_too_early_is_refused(decode: object, data: bytes) -> None:
    assert callable(decode)
    with pytest.raises(RemoteProtocolError):
        decode(data)
