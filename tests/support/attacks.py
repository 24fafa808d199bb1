"""Updates that were made to stop or to spoil a server, in the order in which they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.ywriter import ANY_NULL, item, key_item, section, update
from weft._codecs.yjs.lib0 import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    Updates: TypeAlias = Callable[[], Iterator[bytes]]

__all__ = ["KEPT", "REFUSED", "far_too_many_clients"]

_MAP = b"\x01"
_HAS_ORIGIN = 0x80


def _deletes(client: int, *ranges: tuple[int, int]) -> bytes:
    out = Writer().uint(1).uint(client).uint(len(ranges))
    for clock, length in ranges:
        out.uint(clock).uint(length)
    return out.finish()


def _child(client: int, clock: int, *, ref: int = 7, content: bytes = _MAP) -> bytes:
    """An item at a key of the type at a clock."""
    return Writer().byte(0x20 | ref).uint(0).uint(client).uint(clock).string("k").raw(content).finish()


def _after(client: int, clock: int, content: bytes = b"\x01" + ANY_NULL, *, ref: int = 8) -> bytes:
    """An item behind the one at a clock."""
    return Writer().byte(_HAS_ORIGIN | ref).uint(client).uint(clock).raw(content).finish()


def nested_types() -> Iterator[bytes]:
    """Types in types, by many updates; the outermost is deleted: yrs recurses, and ends the process."""
    depth, each = 100_000, 500
    for first in range(0, depth, each):
        structs = [
            _child(7, clock - 1) if clock else key_item("k", _MAP, ref=7)
            for clock in range(first, first + each)
        ]
        yield update(section(7, first, *structs))
    yield update(deletes=_deletes(7, (0, 1)))


def one_key_by_many() -> Iterator[bytes]:
    """20,000 clients that write one key without having heard of each other: 16 s in yrs."""
    for client in range(20_000):
        yield update(section(1_000 + client, 0, key_item("k")))


def one_key_at_once() -> Iterator[bytes]:
    """C8: 40,000 clients that write one key, in one update: 31 s in yrs, at each load again."""
    yield update(*(section(100_000 - client, 0, key_item("k")) for client in range(40_000)))


def many_clients() -> Iterator[bytes]:
    """An update of 100,000 clients, of which each writes a key of its own."""
    yield update(*(section(1_000_000 - client, 0, key_item(f"k{client}")) for client in range(100_000)))


def far_too_many_clients() -> Iterator[bytes]:
    """980,000 clients in an update of 16 MB, each with a key of its own: 512 MiB do not suffice for them."""
    yield update(
        *(section(2_000_000 - client, 0, key_item(f"{client:x}", root="")) for client in range(980_000))
    )


def released_for_ever() -> Iterator[bytes]:
    """C1: a held update that stays incomplete, of which each look found something new."""
    yield bytes.fromhex(
        "0102030004010874696e796261736504f09f9880c8010002030275027702c3a974035234257c2eef1659020201020202011001"
    )
    yield bytes.fromhex("0103030004010874696e7962617365016184010104f09f9880480103017cc12361df00")


def refused_at_release() -> Iterator[bytes]:
    """C2: what waited cannot be taken in when the gap closes; then nobody could write, nor open the room."""
    yield bytes.fromhex("0101030108000300017d0500")
    yield bytes.fromhex("0101030004010161017800")


def parents_that_are_no_types() -> Iterator[bytes]:
    """C3: ids used twice, and parents that are no types: yrs ends the process."""
    yield bytes.fromhex(
        "020603000901016d046775696475027601007502797875027e7601007e0701016d0303646976210101780161054703000108"
        "01016d047ca0326c5a7cf47267ee7403c2433f77095f5f70726f746f5f5f470301040301012800ffffffff0f020161027403"
        "92936877016105000301035b315d00010203011302ffffffff07010c01"
    )
    yield bytes.fromhex(
        "030c03000901016d04677569647604086175746f4c6f6164790a73686f756c644c6f6164790267637808656e636f64696e67"
        "7d010701016d030364697621010178016103a86502047601007bd12d98b6217ae0be7601016b7403022cfa75027f79750275"
        "027c2a93b7197403c5637d75027974032ca9590003470301040a0900030a052801016d00017e0a450401000668c3a96c6c6f"
        "0202000a01616602010501002401016d016b09787878787878787878a101080aa401121f7878787878787878787878787878"
        "78787878787878787878787878787878780a0361012b02040102090a350202010101030302030903160365010201"
    )
    yield bytes.fromhex(
        "01030305846500327878787878787878787878787878787878787878787878787878787878787878787878787878787878"
        "787878787878787878787878e4ffffffff070002003278787878787878787878787878787878787878787878787878787878"
        "7878787878787878787878787878787878787878787878787878787800060102010a0a"
    )


def backwards() -> Iterator[bytes]:
    """5,000 updates of one client, the last first: each waits for the one that comes after it."""
    for clock in range(5_000, 0, -1):
        yield update(section(9, clock, _after(9, clock - 1)))
    yield update(section(9, 0, item(8, b"\x01" + ANY_NULL)))


def gaps_across_clients() -> Iterator[bytes]:
    """20,000 clients of which each waits for the next, and the last one closes all gaps."""
    count = 20_000
    for client in range(1, count):
        yield update(section(client, 0, _after(client + 1, 0)))
    yield update(section(count, 0, item(8, b"\x01" + ANY_NULL)))


def waiting_twice() -> Iterator[bytes]:
    """Updates of many structs of which each waits for another client: the gaps close one by one."""
    clients, structs = 50, 100
    for client in range(clients):
        some = (_after(50_000 + client * structs + at, 0) for at in range(structs))
        yield update(section(1_000 + client, 0, *some))
    for client in range(clients * structs):
        yield update(section(50_000 + client, 0, item(8, b"\x01" + ANY_NULL)))


def children_of_what_is_gone() -> Iterator[bytes]:
    """Structs whose parent stands behind a large text, which need not be looked through each time."""
    text = "é" * 2_000_000
    yield update(
        section(
            5,
            0,
            item(4, Writer().string(text).finish()),
            Writer().byte(1).uint(1).string("r").uint(1).finish(),
        )
    )
    for clock in range(3_000):
        yield update(section(6, clock, _child(5, len(text), ref=8, content=b"\x01" + ANY_NULL)))


def scattered_deletions() -> Iterator[bytes]:
    """Every other of 20,000 values deleted, each by an update of its own and the last first."""
    count = 20_000
    yield update(section(4, 0, item(8, Writer().uint(count).raw(ANY_NULL * count).finish())))
    for clock in range(count - 2, 0, -2):
        yield update(deletes=_deletes(4, (clock, 1)))


def overlapping() -> Iterator[bytes]:
    """The same text again and again, each time with one letter more: a part of it is known."""
    for size in range(10_000, 11_000):
        yield update(section(8, 0, item(4, Writer().string("é" * size).finish())))


def nested_arrays() -> Iterator[bytes]:
    """26 kB of nested arrays: yrs decodes by recursion, and ends the process."""
    yield update(section(3, 0, item(8, b"\x01" + b"\x75\x01" * 13_000 + b"\x78")))


def nested_json() -> Iterator[bytes]:
    yield update(section(3, 0, item(5, Writer().string("[" * 20_000 + "]" * 20_000).finish())))


def announced() -> Iterator[bytes]:
    """Counts of what is not there."""
    yield b"\xff\xff\xff\xff\xff\xff\xff\x0f" * 3


def endless_integer() -> Iterator[bytes]:
    yield b"\xff" * 200_000


KEPT: dict[str, Updates] = {
    made.__name__: made
    for made in (
        many_clients, released_for_ever, backwards, gaps_across_clients, waiting_twice,
        children_of_what_is_gone, scattered_deletions, overlapping,
    )
}  # fmt: skip
"""What a server takes in."""

REFUSED: dict[str, Updates] = {
    made.__name__: made
    for made in (
        nested_types, one_key_by_many, refused_at_release, parents_that_are_no_types, nested_arrays,
        nested_json, announced, endless_integer, one_key_at_once,
    )
}  # fmt: skip
"""What a server refuses, with its sender."""
