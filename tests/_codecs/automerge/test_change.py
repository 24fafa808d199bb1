"""Automerge's changes: what is read of them, and that malformed bytes are refused and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from support.automerge_chunks import (
    ACTOR,
    JS_ACTOR,
    JS_COUNTER,
    JS_FIRST,
    OTHER,
    chunk,
    deflated,
    honest_changes,
    refit,
)
from weft._codecs.automerge.change import DEL, MAKE_MAP, MAKE_TEXT, SET, decode_change
from weft._codecs.automerge.chunks import COMPRESSED, split_chunks
from weft._codecs.automerge.leb128 import write_uint
from weft.errors import RemoteProtocolError


def test_a_change_of_javascript_tells_each_key_it_touches() -> None:
    change = decode_change(JS_FIRST)
    assert (change.actor, change.seq, change.deps) == (JS_ACTOR, 1, ())
    assert [(op.obj and op.obj[1], op.key, op.action) for op in change.ops if op.action != SET or op.key] == [
        (None, "tinybase", MAKE_MAP),
        (1, "t", MAKE_MAP),
        (1, "v", MAKE_MAP),
        (2, "pets", MAKE_MAP),
        (4, "fido", MAKE_MAP),
        (5, "a", SET),
        (5, "name", MAKE_TEXT),
    ]
    text = change.ops[-1]
    assert text.key is None
    assert text.obj == (JS_ACTOR, 7)
    assert {op.id[0] for op in change.ops} == {JS_ACTOR}


def test_an_overwriting_change_names_what_it_overwrites() -> None:
    (first,) = split_chunks(JS_FIRST)
    change = decode_change(JS_COUNTER)
    assert change.deps == (first.hash,)
    (op,) = change.ops
    assert (op.key, op.action) == ("a", SET)
    assert op.preds == ((JS_ACTOR, 6),)
    assert op.obj == (JS_ACTOR, 5)


def test_changes_of_the_binding_name_objects_and_predecessors_of_other_actors() -> None:
    _, changes = honest_changes()
    decoded = [decode_change(change) for change in changes]
    assert decoded[0].ops[0].obj == (ACTOR, 5)
    assert decoded[0].ops[0].preds == ((ACTOR, 6),)
    assert decoded[0].actor == OTHER
    assert (decoded[3].ops[0].key, decoded[3].ops[0].action) == ("fido", DEL)
    many = decoded[11].ops
    assert [op.key for op in many] == ["rex", *[f"c{n}" for n in range(8)], "s", None, "a", "b"]
    assert many[1].obj == many[0].id
    assert [op.id[1] for op in many[-4:]] == [26, 27, 30, 31]  # the text's other characters are left out


def test_a_compressed_change_reads_as_the_change_in_it() -> None:
    (plain,) = split_chunks(JS_FIRST)
    packed = deflated(JS_FIRST[plain.start :])
    data = JS_FIRST[:8] + bytes([COMPRESSED]) + write_uint(len(packed)) + packed
    (compressed,) = split_chunks(data)
    assert compressed.hash == plain.hash
    assert decode_change(data) == decode_change(JS_FIRST)


def test_runs_that_unpack_to_too_much_are_refused() -> None:
    billion = b"\x80\x94\xeb\xdc\x03"
    head = b"\x00\x01\x07\x01\x01\x00\x00\x00"  # no dependency, actor 07, first change, first operation
    bomb = chunk(1, head + b"\x01\x42\x06" + billion + b"\x01")
    with pytest.raises(RemoteProtocolError, match="more than 2,097,152 operations"):
        decode_change(bomb)
    preds = b"\x02\x42\x02\x70\x06" + b"\x7f\x01" + b"\x7f\x80\x94\xeb\xdc\x03"
    with pytest.raises(RemoteProtocolError, match="overwrites too much"):
        decode_change(chunk(1, head + preds))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_change(data)


@given(st.data())
def test_a_damaged_change_is_read_or_refused(data: st.DataObject) -> None:
    honest = data.draw(st.sampled_from(_CHANGES))
    damaged = bytearray(honest)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(10, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        change = decode_change(refit(bytes(damaged)))
    except RemoteProtocolError:
        return
    assert all(op.id[0] == change.actor for op in change.ops)


_CHANGES = [*honest_changes()[1], JS_FIRST, JS_COUNTER]
