from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from support.fuzzing import cases, fuzz_seed, splits
from weft._codecs.yjs.lib0 import MAX_UINT, Reader, Writer
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from support.node import SyncJsPeer

uints = st.integers(0, MAX_UINT) | st.integers(0, 300) | st.integers(0, 52).map(lambda bit: 1 << bit)


@given(st.lists(st.tuples(uints, st.binary(max_size=300), st.text(), st.integers(0, 255))))
def test_what_was_written_is_read_back(items: list[tuple[int, bytes, str, int]]) -> None:
    writer = Writer()
    for number, data, text, byte in items:
        writer.uint(number).bytes(data).string(text).byte(byte).raw(data)
    reader = Reader(writer.finish())
    for number, data, text, byte in items:
        assert (reader.uint(), reader.bytes(), reader.string(), reader.byte()) == (number, data, text, byte)
        assert bytes(reader.byte() for _ in data) == data
    assert reader.at_end
    assert reader.remaining == 0
    reader.expect_end()


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (2**32 - 1, b"\xff\xff\xff\xff\x0f"),
        (MAX_UINT, b"\xff\xff\xff\xff\xff\xff\xff\x0f"),
    ],
)
def test_integers_have_lib0s_form(number: int, encoded: bytes) -> None:
    assert Writer().uint(number).finish() == encoded
    assert Reader(encoded).uint() == number


def test_a_longer_form_of_an_integer_is_read_too() -> None:
    assert Reader(b"\x81\x80\x80\x00").uint() == 1


@pytest.mark.parametrize("number", [-1, MAX_UINT + 1, 2**200])
def test_an_integer_out_of_range_is_not_written(number: int) -> None:
    writer = Writer().uint(5)
    with pytest.raises(ValueError, match="no integer of lib0"):
        writer.uint(number)
    assert writer.finish() == b"\x05"


def test_a_lone_surrogate_is_not_written() -> None:
    writer = Writer()
    with pytest.raises(UnicodeEncodeError):
        writer.string("\ud800")
    assert writer.finish() == b""


@pytest.mark.parametrize(
    ("data", "method"),
    [
        (b"", "uint"),
        (b"\x80", "uint"),
        (b"\xff" * 7, "uint"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x10", "uint"),
        (b"\x80\x80\x80\x80\x80\x80\x80\x80\x00", "uint"),
        (b"", "byte"),
        (b"\x02a", "bytes"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x0f", "bytes"),
        (b"\x02\xc3\x28", "string"),
        (b"\x03\xed\xa0\x80", "string"),
        (b"\x05four", "string"),
    ],
)
def test_malformed_bytes_are_refused(data: bytes, method: str) -> None:
    with pytest.raises(RemoteProtocolError):
        getattr(Reader(data), method)()


def test_a_string_over_the_limit_is_refused_by_its_bytes() -> None:
    data = Writer().string("éé").finish()
    assert Reader(data, max_string=4).string() == "éé"
    with pytest.raises(RemoteProtocolError, match="more than 3 bytes"):
        Reader(data, max_string=3).string()


def test_bytes_after_the_end_are_refused_where_none_are_expected() -> None:
    with pytest.raises(RemoteProtocolError, match="unexpected bytes"):
        Reader(b"\x00").expect_end()


def test_f5_a_long_integer_is_refused_after_eight_bytes() -> None:
    reader = Reader(b"\xff" * 1_000_000)
    with pytest.raises(RemoteProtocolError, match="out of range"):
        reader.uint()
    assert reader.position == 0


def test_f6_a_string_is_as_long_as_it_says_in_bytes() -> None:
    assert Writer().string("héllo").finish() == b"\x06h\xc3\xa9llo"
    with pytest.raises(RemoteProtocolError, match="unexpected end"):
        Reader(b"\x06h\xc3\xa9ll").string()


def _corpus() -> list[bytes]:
    return [
        Writer().uint(number).string(text).bytes(text.encode() * 3).uint(number).finish()
        for number, text in [(0, ""), (300, "abc"), (2**32 - 1, "é😀"), (MAX_UINT, "x" * 200)]
    ]


def test_any_bytes_are_read_or_refused() -> None:
    script = random.Random(5)
    refused = 0
    for data in cases(fuzz_seed("lib0"), _corpus(), 20_000):
        reader = Reader(data, max_string=1_000)
        try:
            while not reader.at_end:
                before = reader.position
                value = getattr(reader, script.choice(("uint", "string", "bytes", "byte")))()
                assert before < reader.position <= len(data)
                assert not isinstance(value, int) or 0 <= value <= MAX_UINT
        except RemoteProtocolError:
            refused += 1
    assert refused > 1_000


def test_a_cut_message_is_refused_at_every_place() -> None:
    whole = Writer().uint(70_000).string("é😀").bytes(b"abc").finish()
    for head, tail in splits(whole):
        reader = Reader(head)
        if tail:
            with pytest.raises(RemoteProtocolError):
                (reader.uint(), reader.string(), reader.bytes())
        else:
            assert (reader.uint(), reader.string(), reader.bytes()) == (70_000, "é😀", b"abc")


@pytest.mark.interop
def test_lib0_reads_the_same_or_we_are_stricter(sync_js: SyncJsPeer) -> None:
    for kind in ("uint", "string", "bytes"):
        items = list(cases(fuzz_seed(f"lib0-{kind}"), _corpus(), 4_000))
        items += [data[1:] for data in items]
        answers = sync_js("codec.read", kind=kind, items=items)
        agreed = 0
        for data, answer in zip(items, answers, strict=True):
            try:
                ours = getattr(Reader(data), kind)()
            except RemoteProtocolError:
                if "ok" in answer:
                    assert _is_stricter_by_intent(data, answer["ok"]), data
                continue
            assert answer == {"ok": ours}, data
            agreed += 1
        assert agreed > 1_000


def _is_stricter_by_intent(data: bytes, theirs: object) -> bool:
    """Integers of more than 8 bytes or 53 bits, and strings that are not UTF-8, where lib0 puts U+FFFD."""
    if isinstance(theirs, str):
        return "\ufffd" in theirs or data[7] >= 0x80
    return data[7] >= 0x80 or (isinstance(theirs, int | float) and theirs > MAX_UINT)
