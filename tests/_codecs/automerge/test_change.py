"""Automerge's chunks and changes: what is read, and that malformed bytes are refused and nothing else."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, strategies as st

from support.automerge_chunks import ACTOR, OTHER, chunk, honest_changes, refit
from weft._codecs.automerge.change import DEL, MAKE_MAP, MAKE_TEXT, SET, VALUE_COUNTER, decode_change
from weft._codecs.automerge.chunks import (
    COMPRESSED,
    DOCUMENT,
    inflate,
    split_chunks,
    split_log,
)
from weft._codecs.automerge.leb128 import read_int, read_uint, write_uint
from weft._codecs.automerge.saved_document import check_document
from weft._codecs.automerge.sync_message import make_sync_message, parse_sync_message
from weft.errors import RemoteProtocolError

# Made by @automerge/automerge 3.5.0, actor aa…: {tinybase: {t: {pets: {fido: {a: 1, name: "Al"}}}, v: {}}},
# then pets.fido.a = new Counter(2).
JS_FIRST = bytes.fromhex(
    "856f4a836d705be1017a0010aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01010000000a0104020b110413051521340242075607"
    "5703700200010800000102017e02040205020700087f0000077e0008790874696e7962617365017401760470657473046669"
    "646f0161046e616d650002070205007e0104020105007e1400021601416c0900"
)
JS_COUNTER = bytes.fromhex(
    "856f4a8346a85381015f016d705be1a21d30f4bda82f5d3612a2d43cf02539d84ce1a73cf9c8f5166578f010aaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaa020a0000000a01020202150334014202560257017002710273027f007f057f0161017f017f18027f"
    "017f007f06"
)
JS_ACTOR = b"\xaa" * 16


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


def test_an_overwriting_change_names_what_it_overwrites_and_the_type_of_its_value() -> None:
    (first,) = split_chunks(JS_FIRST)
    change = decode_change(JS_COUNTER)
    assert change.deps == (first.hash,)
    (op,) = change.ops
    assert (op.key, op.action, op.value_type) == ("a", SET, VALUE_COUNTER)
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
    deflater = zlib.compressobj(wbits=-15)
    content = JS_FIRST[plain.start :]
    packed = deflater.compress(content) + deflater.flush()
    data = JS_FIRST[:8] + bytes([COMPRESSED]) + write_uint(len(packed)) + packed
    (compressed,) = split_chunks(data)
    assert compressed.hash == plain.hash
    assert decode_change(data) == decode_change(JS_FIRST)
    with pytest.raises(RemoteProtocolError, match="goes on"):
        inflate(packed + b"x")
    with pytest.raises(RemoteProtocolError, match="too large or incomplete"):
        inflate(packed[:-1])
    with pytest.raises(RemoteProtocolError, match="too large or incomplete"):
        inflate(packed, 20)
    with pytest.raises(RemoteProtocolError, match="cannot be read"):
        inflate(b"\xff" * 20)


@pytest.mark.parametrize("end", range(1, len(JS_COUNTER)))
def test_a_log_cut_off_anywhere_in_its_last_chunk_gives_the_others(end: int) -> None:
    chunks, torn = split_log(JS_FIRST + JS_COUNTER[:end])
    assert [each.data for each in chunks] == [JS_FIRST]
    assert torn == end
    with pytest.raises(RemoteProtocolError):
        split_chunks(JS_FIRST + JS_COUNTER[:end])


@pytest.mark.parametrize("at", [0, 4, 8, 20, len(JS_FIRST) - 1])
def test_a_log_that_is_wrong_anywhere_else_is_an_error(at: int) -> None:
    damaged = bytearray(JS_FIRST + JS_COUNTER)
    damaged[at] ^= 1
    with pytest.raises(RemoteProtocolError):
        split_log(bytes(damaged))


def test_runs_that_unpack_to_too_much_are_refused() -> None:
    billion = b"\x80\x94\xeb\xdc\x03"
    head = b"\x00\x01\x07\x01\x01\x00\x00\x00"  # no dependency, actor 07, first change, first operation
    bomb = chunk(1, head + b"\x01\x42\x06" + billion + b"\x01")
    with pytest.raises(RemoteProtocolError, match="more entries"):
        decode_change(bomb)
    document = b"\x00\x00\x00\x01\x42\x06" + billion + b"\x01"
    (as_document,) = split_chunks(chunk(DOCUMENT, document))
    with pytest.raises(RemoteProtocolError, match="too many operations"):
        check_document(as_document)
    preds = b"\x02\x42\x02\x70\x06" + b"\x7f\x01" + b"\x7f\x80\x94\xeb\xdc\x03"
    with pytest.raises(RemoteProtocolError, match="overwrites too much"):
        decode_change(chunk(1, head + preds))


def test_a_document_that_inflates_to_too_much_is_refused() -> None:
    deflater = zlib.compressobj(9, wbits=-15)
    packed = deflater.compress(bytes(1_000_000)) + deflater.flush()
    content = b"\x00\x00\x00\x01" + write_uint(86 | 8 | 1) + write_uint(len(packed)) + packed
    (document,) = split_chunks(chunk(DOCUMENT, content))
    check_document(document)
    with pytest.raises(RemoteProtocolError, match="too large"):
        check_document(document, 500_000)


def test_the_documents_of_the_binding_pass_the_look_at_them() -> None:
    saved, _ = honest_changes()
    for each in split_chunks(saved):
        check_document(each)


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


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    for attempt in (split_chunks, split_log, parse_sync_message, decode_change):
        try:
            attempt(data)
        except RemoteProtocolError:
            continue
        assert not data or attempt is split_log or data[:1] in {b"\x42", b"\x43"}


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
