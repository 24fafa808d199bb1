from __future__ import annotations

import pytest

from support.yupdates import honest_updates, yjs_updates
from support.ywriter import item
from weft._codecs.yjs.items import StoredItem, cut_front, read_items
from weft._codecs.yjs.stored import struct_ends
from weft._codecs.yjs.structs import read_update
from weft._codecs.yjs.update import parse_update


def one(struct: bytes, clock: int = 10) -> StoredItem:
    (found,) = read_items(struct, 0, 1, 7, clock)
    return found


@pytest.mark.parametrize("data", [*honest_updates(), *yjs_updates().values()])
def test_structs_are_what_the_parser_reads(data: bytes) -> None:
    found = [
        each
        for run in read_update(data)[0]
        for each in read_items(data, run.begin, run.count, run.client, run.clock)
    ]
    wanted = [each for each in parse_update(data).items if each.ref != 10]
    assert len(found) == len(wanted)
    for item_, parsed in zip(found, wanted, strict=True):
        assert (item_.client, item_.clock, item_.end - item_.clock) == (
            parsed.client,
            parsed.clock,
            parsed.length,
        )
        assert (item_.ref, item_.origin, item_.right_origin) == (
            parsed.ref,
            parsed.origin,
            parsed.right_origin,
        )
        assert item_.parent == (parsed.parent if isinstance(parsed.parent, tuple) else None)
        whole = item_.head(item_.clock, item_.ref) if item_.ref else b"\0"
        assert item_.whole().startswith(whole)
        assert item_.whole().endswith(item_.content(item_.clock, item_.end))


@pytest.mark.parametrize(
    ("struct", "pieces"),
    [
        (item(4, b"\x04abcd"), [b"a", b"b", b"c", b"d"]),
        (item(4, "\x05aé🔴".encode()[:1].replace(b"\x05", b"\x07") + "aé🔴".encode()), []),
        (item(8, b"\x03\x7e\x77\x01x\x75\x01\x7e"), [b"\x7e", b"\x77\x01x", b"\x75\x01\x7e"]),
        (item(2, b"\x02\x011\x0222"), [b"\x011", b"\x0222"]),
        (item(1, b"\x02"), [b"", b""]),
    ],
)
def test_content_is_cut_at_each_clock(struct: bytes, pieces: list[bytes]) -> None:
    found = one(struct)
    wanted = pieces or [b"a", "é".encode(), "\ufffd".encode(), "\ufffd".encode()]
    assert [found.content(clock, clock + 1) for clock in range(10, found.end)] == wanted


@pytest.mark.parametrize(
    ("struct", "offset", "rest"),
    [
        (b"\x00\x05", 2, b"\x00\x03"),
        (item(1, b"\x05"), 2, b"\x81\x07\x0b\x03"),
        (item(4, b"\x04abcd"), 3, b"\x84\x07\x0c\x01d"),
        (item(4, "\x06a🔴b".encode()), 2, b"\x84\x07\x0b\x04\xef\xbf\xbdb"),
        (item(8, b"\x03\x7e\x77\x01x\x7d\x01"), 1, b"\x88\x07\x0a\x02\x77\x01x\x7d\x01"),
        (item(2, b"\x02\x011\x012"), 1, b"\x82\x07\x0a\x01\x012"),
        (b"\xc4\x01\x02\x03\x04\x02ab", 1, b"\xc4\x07\x0a\x03\x04\x01b"),
        (b"\x44\x03\x04\x02ab", 1, b"\xc4\x07\x0a\x03\x04\x01b"),
        (b"\x24\x01\x01r\x01k\x02ab", 1, b"\xa4\x07\x0a\x01b"),
    ],
)
def test_the_rest_of_a_struct_is_what_yjs_writes(struct: bytes, offset: int, rest: bytes) -> None:
    ((length, _),) = struct_ends(struct, 0, 1)
    assert cut_front(b"??" + struct + b"??", 2, 7, 10, offset) == (rest, 10 + length, 2 + len(struct))


def test_a_struct_without_a_clock_is_left_out() -> None:
    data = item(4, b"\x00") + item(4, b"\x01a")
    assert [each.clock for each in read_items(data, 0, 2, 7, 5)] == [5]
