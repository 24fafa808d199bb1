from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.fuzzing import cases, fuzz_seed
from support.yupdates import honest_updates, yjs_updates
from support.ywriter import ANY_NULL, item, key_item, section, update
from weft._codecs.yjs.guard import MAX_CLOCK
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.structs import read_update
from weft._codecs.yjs.update import parse_update
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY = [*honest_updates(), *yjs_updates().values()]
STRING = b"\x01r"


@pytest.mark.parametrize("data", EVERY)
def test_the_runs_of_an_honest_update_are_its_structs(data: bytes) -> None:
    """Also those that only Yjs can read, such as XML hooks and JSON of old."""
    runs, deletes = read_update(data)
    parsed = parse_update(data)
    found = {client: [(start, end - start) for start, end in ranges] for client, ranges in deletes.items()}
    assert found == parsed.deletes
    assert sum(run.count for run in runs) == len([each for each in parsed.items if each.ref != 10])
    ends = {each.client: each.clock + each.length for each in parsed.items}
    assert {run.client: run.end for run in runs} == ends
    assert [clock for run in runs for clock in run.types] == [
        each.clock for each in parsed.items if each.ref == 7
    ]


def test_what_structs_refer_to_is_noted_once() -> None:
    child = item(8, b"\x01" + ANY_NULL)[:1] + b"\x00\x07\x05" + b"\x01" + ANY_NULL
    beside = b"\x88\x09\x03\x01" + ANY_NULL
    (run,), _ = read_update(
        update(section(1, 0, child, child, beside, beside, b"\x88\x01\x00\x01" + ANY_NULL))
    )
    assert [run.need(at) for at in range(run.needs)] == [
        (0, 7, 5, True),
        (2, 9, 3, False),
    ]


def refused() -> Iterator[object]:
    for name, content in {
        "text that is not UTF-8": (4, b"\x02\xc3\x28"),
        "surrogate in UTF-8": (4, b"\x03\xed\xa0\x80"),
        "value that is not UTF-8": (8, b"\x01w\x01\xff"),
        "key that is not UTF-8": (8, b"\x01v\x01\x01\xff\x7e"),
        "JSON that is not JSON": (5, b"\x02{]"),
        "JSON that Python alone reads": (5, b"\x03NaN"),
        "format without JSON": (6, b"\x01b\x00"),
        "undefined where it cannot be": (5, b"\x09undefined"),
        "JSON of old that is not JSON": (2, b"\x01\x01{"),
        "document without options": (9, b"\x01g\x7e"),
        "type of a later day": (7, b"\x07"),
        "move": (11, b"\x00"),
        "nothing deleted": (1, b"\x00"),
        "nested too deeply": (8, b"\x01" + b"u\x01" * 65 + ANY_NULL),
    }.items():
        yield pytest.param(update(section(1, 0, item(*content))), id=name)
    yield pytest.param(
        update(section(1, 0, item(8, b"\x01\x7e", root="r").replace(b"r", b"\xff"))), id="root"
    )
    yield pytest.param(update(section(1, 4, b"\x88\x01\x04\x01" + ANY_NULL)), id="itself")
    yield pytest.param(update(section(1, 4, b"\x48\x01\x07\x01" + ANY_NULL)), id="one after it")
    yield pytest.param(update(section(1, 4, b"\x08\x00\x01\x04\x01" + ANY_NULL)), id="its own parent")
    yield pytest.param(update(section(1, 4), section(2, 0, key_item("a"))), id="no structs")
    yield pytest.param(update(section(1, 4, b"\x0a\x01")), id="only a hole")
    yield pytest.param(update(section(1, 0, key_item("a")), section(1, 1, key_item("a"))), id="twice")


@pytest.mark.parametrize("data", list(refused()))
def test_what_yjs_would_refuse_or_misread_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read_update(data)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param((2, b"\x02\x09undefined\x05[1,2]"), id="JSON of old"),
        pytest.param((5, b"\x07" + b"9" * 7), id="embed"),
        pytest.param((5, b"\xa8\x46" + b"9" * 9_000), id="number of many digits"),
        pytest.param((7, b"\x05\x01h"), id="XML hook"),
        pytest.param((9, b"\x01g\x76\x00"), id="document"),
        pytest.param((8, b"\x03\x7f\x7a" + b"\x80" * 8 + b"\x7d\x40"), id="undefined, BigInt, -0"),
        pytest.param((4, "\x04🔴".encode()), id="emoji"),
    ],
)
def test_what_yjs_reads_passes(content: tuple[int, bytes]) -> None:
    data = update(section(1, 0, item(*content)))
    ((run,), _) = read_update(data)
    assert run.stop == len(data) - 1


def test_no_bytes_raise_anything_else() -> None:
    for data in cases(fuzz_seed("structs"), EVERY, 3_000):
        try:
            read_update(data)
        except RemoteProtocolError:
            continue


def test_many_ranges_out_of_order_are_refused_and_in_order_are_read() -> None:
    ranges = [Writer().uint(2 * at + 200).uint(1).finish() for at in range(2**18 + 1)]
    head = Writer().uint(1).uint(5).uint(len(ranges)).finish()
    _, deletes = read_update(update(deletes=head + b"".join(ranges)))
    assert len(deletes[5]) == len(ranges)
    with pytest.raises(RemoteProtocolError, match="not in order"):
        read_update(update(deletes=head + b"".join([*ranges[1:], ranges[0]])))


@pytest.mark.parametrize(
    ("clock", "structs"),
    [
        (MAX_CLOCK, [key_item("a")]),
        (MAX_CLOCK + 1, [b"\x00\x01"]),
        (MAX_CLOCK - 1, [b"\x0a\x02", b"\x00\x01"]),
    ],
)
def test_clocks_are_bounded_wherever_they_come_from(clock: int, structs: list[bytes]) -> None:
    with pytest.raises(RemoteProtocolError, match="out of range"):
        read_update(update(section(1, clock, *structs)))
    assert read_update(update(section(1, MAX_CLOCK - 1, key_item("a"))))[0][0].end == MAX_CLOCK
