from __future__ import annotations

import random
from array import array

import pytest

from support.fuzzing import fuzz_seed
from weft._codecs.yjs.ranges import Ranges, encode_deletes
from weft._codecs.yjs.state import decode_delete_set


def of(*ranges: tuple[int, int]) -> Ranges:
    return Ranges.of(array("I", [clock for clock, _ in ranges]), array("I", [length for _, length in ranges]))


@pytest.mark.parametrize("step", [1, 200])
def test_ranges_are_the_clocks_that_were_added(step: int) -> None:
    rng = random.Random(fuzz_seed(f"ranges {step}"))
    ranges, clocks = Ranges(), set[int]()
    for _ in range(300):
        added = [(rng.randrange(2_000), rng.randrange(1, 9)) for _ in range(step)]
        new = {clock + at for clock, length in added for at in range(length)} - clocks
        assert ranges.covers(of(*added)) is not bool(new)
        assert ranges.update(of(*added)) == bool(new)
        clocks |= new
        assert {clock for start, end in ranges for clock in range(start, end)} == clocks
        edges = [edge for found in ranges for edge in found]
        assert edges == sorted(set(edges))  # neither empty nor touching
        clock = rng.randrange(2_000)
        assert (clock in ranges) == (clock in clocks)
    assert ranges


def test_a_delete_set_is_written_as_yjs_has_it() -> None:
    assert not Ranges()
    ranges = of((300, 2), (5, 1))
    assert (len(ranges), ranges.end, Ranges().end) == (2, 302, 0)
    data = encode_deletes({3: ranges, 900: of((0, 1))})
    assert decode_delete_set(data) == {900: [(0, 1)], 3: [(5, 1), (300, 2)]}
    assert list(decode_delete_set(data)) == [900, 3]
    assert encode_deletes({}) == b"\0"
