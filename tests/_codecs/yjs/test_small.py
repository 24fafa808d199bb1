from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.fuzzing import cases, fuzz_seed
from support.yupdates import honest_updates, yjs_updates
from support.ywriter import ANY_NULL, item, key_item, section, update
from weft._codecs.yjs.small import read_small
from weft._codecs.yjs.structs import read_update

if TYPE_CHECKING:
    from weft._codecs.yjs.small import SmallUpdate

VALUE = b"\x01" + ANY_NULL
DELETES = b"\x01\x05\x01\x07\x02"
SMALL = [
    update(section(5, 9, key_item("a"))),
    update(section(5, 9, key_item("a")), deletes=DELETES),
    update(section(300, 900, key_item("a", ref=7, content=b"\x01")), deletes=b"\x01\xac\x02\x01\x80\x01\x02"),
    update(section(5, 9, item(4, b"\x03abc")), deletes=DELETES),
    update(section(300, 9, b"\x84\xac\x02\x08\x03abc"), deletes=DELETES),
    update(section(5, 9, b"\xc8\x05\x08\x05\x07" + VALUE)),
    update(section(5, 9, b"\xe8\x06\x80\x01\x05\x07" + VALUE)),
    update(section(5, 9, b"\x48\x06\x07" + VALUE)),
    update(section(5, 9, b"\x28\x00\x06\x07\x01k" + VALUE)),
    update(section(5, 9, b"\x08\x00\x05\x07" + VALUE)),
    update(section(5, 9, b"\x27\x00\x05\x07\x01k\x01")),
    update(section(5, 9, b"\x81\x05\x08\x01")),
]


def check(data: bytes, small: SmallUpdate) -> None:
    """What is read at once is what the walk reads."""
    (run,), deletes = read_update(data)
    assert (run.client, run.clock, run.end, run.begin, run.stop, run.count) == (*small[:5], 1)
    assert list(run.types) == [small.clock] * small.is_type
    needs = [run.need(at) for at in range(run.needs)]
    wanted = {(need.client, need.needed) for need in needs}
    needed = {each for each in small.ids if each[0] != small.client or small.is_parent}
    assert wanted <= needed
    for client, clock in needed:
        assert any(other == client and clock <= found for other, found in wanted)
    assert all(need.is_parent == small.is_parent for need in needs)
    assert [(client, list(ranges)) for client, ranges in deletes.items()] == (
        [] if small.deleted is None else [(small.deleted[0], [(small.deleted[1], sum(small.deleted[1:]))])]
    )


@pytest.mark.parametrize("data", SMALL)
def test_one_struct_and_one_deletion_are_read_at_once(data: bytes) -> None:
    small = read_small(data)
    assert small is not None
    check(data, small)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0",
        update(section(5, 9, key_item("a"), key_item("b"))),
        update(section(5, 9, b"\x00\x03")),
        update(section(5, 9, item(4, b"\x02\xc3\xa9"))),
        update(section(5, 9, item(4, b"\x00"))),
        update(section(5, 9, key_item("a")), deletes=b"\x01\x05\x01\x07\x00"),
        update(section(5, 9, key_item("a")), deletes=b"\x01\x05\x02\x07\x01\x09\x01"),
        update(section(5, 9, key_item("a"))) + b"\0",
        update(section(5, 9, b"\x88\x05\x09" + VALUE)),
    ],
)
def test_what_is_more_or_else_is_left_to_the_walk(data: bytes) -> None:
    assert read_small(data) is None


def test_it_reads_nothing_that_the_walk_refuses() -> None:
    found = 0
    for data in cases(fuzz_seed("small"), [*SMALL * 5, *honest_updates(), *yjs_updates().values()], 5_000):
        small = read_small(data)
        if small is None:
            continue
        check(data, small)
        found += 1
    assert found > 100
