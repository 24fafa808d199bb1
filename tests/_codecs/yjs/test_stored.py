from __future__ import annotations

import pytest

from support.yupdates import honest_updates, yjs_updates
from support.ywriter import item
from weft._codecs.yjs.stored import content_at, find_struct, references, skip_head, struct_ends
from weft._codecs.yjs.structs import read_update
from weft._codecs.yjs.update import parse_update


@pytest.mark.parametrize("data", [*honest_updates(), *yjs_updates().values()])
def test_every_struct_is_found_and_says_what_it_names(data: bytes) -> None:
    parsed = [each for each in parse_update(data).items if each.ref != 10]
    for run in read_update(data)[0]:
        at, clock = run.begin, run.clock
        for length, stop in struct_ends(bytearray(data), at, run.count):
            each = parsed.pop(0)
            assert length == each.length
            assert content_at(data, at) == each.ref
            if each.ref:
                named = [
                    each.origin,
                    each.right_origin,
                    each.parent if isinstance(each.parent, tuple) else None,
                ]
                assert references(data, at) == [id_ for id_ in named if id_ is not None]
                assert at < skip_head(data, at) < stop
            for wanted in {clock, clock + length - 1}:
                assert find_struct(data, run.begin, run.count, run.clock, wanted)[1:] == (at, clock)
            at, clock = stop, clock + length
        assert (at, clock) == (run.stop, run.end)
    assert parsed == []


def test_a_struct_without_a_clock_is_found_before_the_next() -> None:
    data = bytearray(item(4, b"\x01a") + item(4, b"\x00") + item(4, b"\x02bc"))
    place = len(item(4, b"\x01a"))
    assert find_struct(data, 0, 3, 5, 5) == (0, 0, 5)
    assert find_struct(data, 0, 3, 5, 6) == (1, place, 6)
    assert find_struct(data, 0, 3, 5, 7) == (2, place + len(item(4, b"\x00")), 6)


def test_walking_keeps_no_bytearray_from_growing() -> None:
    data = bytearray(item(8, b"\x01\x7e") + b"\x00\x02" + item(4, b"\x01a"))
    for _, stop in struct_ends(data, 0, 3):
        data += bytes([stop])
