"""The expressions match what the Python loop would have read, byte for byte, or nothing."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings, strategies as st

from support.ywriter import ANY_NULL, key_item
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.patterns import BATCH, patterns
from weft._codecs.yjs.skip import skip_values
from weft.limits import DEFAULT_LIMITS

PLAIN = st.one_of(
    st.sampled_from([b"\x78", b"\x79", b"\x7e", b"\x7f"]),
    st.integers(0, 2**40).map(lambda number: b"\x7d" + Writer().uint(number).finish()),
    st.text(max_size=15).map(lambda text: b"\x77" + Writer().string(text).finish()),
    st.binary(min_size=8, max_size=8).map(lambda raw: b"\x7b" + raw),
    st.binary(min_size=4, max_size=4).map(lambda raw: b"\x7c" + raw),
)
RANGES = st.tuples(st.integers(0, 2**28 - 1), st.integers(1, 2**28 - 1))


@settings(max_examples=25)
@given(st.lists(PLAIN, min_size=BATCH, max_size=BATCH + 3))
def test_plain_values_are_matched_up_to_where_they_end(values: list[bytes]) -> None:
    data = b"".join(values)
    found = patterns().values.match(data)
    assert found is not None
    assert found.end() == len(b"".join(values[:BATCH])) == skip_values(data, 0, BATCH, DEFAULT_LIMITS)


@settings(max_examples=25)
@given(st.lists(RANGES, min_size=BATCH, max_size=BATCH))
def test_ranges_are_matched_up_to_where_they_end(ranges: list[tuple[int, int]]) -> None:
    writer = Writer()
    for clock, length in ranges:
        writer.uint(clock).uint(length)
    data = writer.finish()
    found = patterns().ranges.match(data + b"\x00")
    assert found is not None
    assert found.end() == len(data)


@pytest.mark.parametrize("wrong", [b"\x05\x00", b"\x05\x80\x00", b"\x80\x80\x80\x80\x01\x01"])
def test_ranges_that_are_empty_padded_or_out_of_range_are_left_to_the_loop(wrong: bytes) -> None:
    assert patterns().ranges.match(b"\x05\x01" * (BATCH - 1) + wrong) is None


def test_units_are_matched_a_batch_at_a_time_and_only_whole() -> None:
    unit = key_item("key")
    batch = unit * BATCH
    for pattern in (patterns().units, patterns().linked):
        found = pattern.match(batch + unit)
        assert found is not None
        assert found.end() == len(batch)
        assert pattern.match(batch[:-1]) is None
    linked = Writer().byte(0x88).uint(5).uint(7).raw(b"\x01" + ANY_NULL).finish()
    assert patterns().units.match(linked * BATCH) is None
    assert patterns().linked.match(linked * BATCH) is not None
    assert patterns().origins.findall(unit + linked) == [b"", linked[:3]]


def test_heads_are_matched_up_to_their_content() -> None:
    for head in (
        b"\x28\x01\x01m\x01k",  # root and key
        b"\x08\x00\x05\x07",  # parent by id
        b"\x88\x05\x07",  # left neighbour
        b"\xc8\x05\x07\x05\x08",  # both
    ):
        found = patterns().head.match(head + b"\x01" + ANY_NULL)
        assert found is not None
        assert found.end() == len(head)
    for other in (b"\x00\x05", b"\x0a\x05", b"\x02\x01\x01m", b"\x0b\x01\x01m", b"\x88\x05"):
        assert patterns().head.match(other) is None


def test_what_fails_late_has_nothing_to_try_again() -> None:
    data = key_item("k" * 30) * (BATCH - 1) + b"\xff" * 40
    started = time.process_time()
    for _ in range(100):
        assert patterns().units.match(data) is None
        assert patterns().linked.match(data) is None
    assert time.process_time() - started < 1  # it takes milliseconds
