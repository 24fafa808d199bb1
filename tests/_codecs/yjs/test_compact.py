"""What becomes of structs; what documents come to is in tests/documents/yjs/test_compact_log.py."""

from __future__ import annotations

import pytest

from support.ywriter import ANY_NULL, item, key_item, section, update
from weft._codecs.yjs.compact import DEAD, StoredClient, collected, compact
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.ranges import Ranges
from weft.documents.yjs.update_log import UpdateLog

VALUE = b"\x01" + ANY_NULL
MAP = item(7, b"\x01")
CHILD = b"\x28\x00\x01\x00\x01k" + VALUE  # of the map of client 1 at clock 0


def after(clock: int, content: bytes, ref: int = 4, client: int = 1) -> bytes:
    return Writer().byte(0x80 | ref).uint(client).uint(clock).raw(content).finish()


def compacted(data: bytes, *, gc: bool = True) -> bytes:
    log = UpdateLog.of([data])
    assert not log.is_waiting
    structs = log.structs()
    return compact(structs, log.deletes(), collected(structs) if gc else None)


def deletes(*ranges: tuple[int, int], client: int = 1) -> bytes:
    out = Writer().uint(1).uint(client).uint(len(ranges))
    for clock, length in ranges:
        out.uint(clock).uint(length)
    return out.finish()


A, BC = item(4, b"\x01a"), after(0, b"\x02bc")


@pytest.mark.parametrize(
    ("structs", "joined"),
    [
        pytest.param([A, BC], [item(4, b"\x03abc")], id="text"),
        pytest.param(
            [item(8, VALUE), after(0, b"\x02\x78\x79", 8)], [item(8, b"\x03\x7e\x78\x79")], id="values"
        ),
        pytest.param(
            [item(2, b"\x01\x011"), after(0, b"\x01\x012", 2)], [item(2, b"\x02\x011\x012")], id="JSON"
        ),
        pytest.param([item(1, b"\x01"), after(0, b"\x04", 1)], [item(1, b"\x05")], id="deleted"),
        pytest.param([b"\x00\x02", b"\x00\x03"], [b"\x00\x05"], id="collected"),
        pytest.param([A, item(4, b"\x01b")], None, id="another place"),
        pytest.param([A, BC, after(1, b"\x01d")], [item(4, b"\x03abc"), after(1, b"\x01d")], id="within"),
        pytest.param([A, after(0, VALUE, 8)], None, id="another content"),
        pytest.param([A, b"\xc4\x01\x00\x01\x00\x01b"], None, id="another right neighbour"),
        pytest.param([key_item("k"), after(0, VALUE, 0x28)], None, id="values of a key"),
        pytest.param([item(3, b"\x01x"), after(0, b"\x01x", 3)], None, id="bytes"),
        pytest.param([MAP, after(0, b"\x01", 7)], None, id="types"),
        pytest.param(
            [item(4, "\x04a\ufffd".encode()), after(1, "\x04\ufffdb".encode())],
            [item(4, "\x08a\ufffd\ufffdb".encode())],
            id="halves of a pair",
        ),
    ],
)
def test_neighbours_are_joined_where_yjs_would(structs: list[bytes], joined: list[bytes] | None) -> None:
    data = update(section(1, 0, *structs))
    wanted = update(section(1, 0, *(joined or structs)))
    assert compacted(data) == compacted(data, gc=False) == wanted


def test_what_is_deleted_loses_its_content_and_what_is_not_keeps_it() -> None:
    data = update(section(1, 0, item(4, b"\x04abcd"), after(3, b"\x02ef")), deletes=deletes((1, 2), (5, 1)))
    wanted = [A, after(0, b"\x02", 1), after(2, b"\x02de"), after(4, b"\x01", 1)]
    assert compacted(data) == update(section(1, 0, *wanted), deletes=deletes((1, 2), (5, 1)))
    kept = [A, after(0, b"\x02bc"), after(2, b"\x02de"), after(4, b"\x01f")]
    assert compacted(data, gc=False) == update(section(1, 0, *kept), deletes=deletes((1, 2), (5, 1)))


def test_a_pair_that_was_cut_becomes_what_yjs_writes() -> None:
    data = update(section(1, 0, item(4, "\x06a🔴b".encode())), deletes=deletes((2, 1)))
    wanted = [item(4, "\x04a\ufffd".encode()), after(1, b"\x01", 1), after(2, b"\x01b")]
    assert compacted(data) == update(section(1, 0, *wanted), deletes=deletes((2, 1)))


def test_children_of_a_deleted_type_are_collected_at_any_depth_and_through_neighbours() -> None:
    inner = b"\x27\x00\x01\x00\x01m\x01"  # a map in the map, at clock 2
    structs = [MAP, CHILD, inner, b"\x28\x00\x01\x02\x01k" + VALUE, after(3, VALUE, 0x28), item(8, VALUE)]
    other = section(2, 0, after(1, VALUE, 0x28), b"\x48\x02\x00" + VALUE, item(8, VALUE))
    data = update(other, section(1, 0, *structs), deletes=deletes((0, 1)))
    log = UpdateLog.of([data])
    assert {client: list(fates) for client, fates in collected(log.structs()).items()} == {
        1: [1, DEAD, DEAD, DEAD, DEAD, 1],
        2: [DEAD, DEAD, 1],
    }
    assert compacted(data) == update(
        section(2, 0, b"\x00\x02", item(8, VALUE)),
        section(1, 0, item(1, b"\x01"), b"\x00\x04", item(8, VALUE)),
        deletes=deletes((0, 1)),
    )
    assert compacted(data, gc=False) == data


def test_types_nested_very_deep_are_followed_without_recursion() -> None:
    number = 20_000
    nested = [Writer().byte(0x27).byte(0).uint(1).uint(at).string("k").byte(1) for at in range(number - 1)]
    structs = [MAP, *(each.finish() for each in nested)]
    gone = Ranges()
    gone.add(0, 1)
    clients = {1: StoredClient(1, b"".join(structs), number, gone)}
    wanted = section(1, 0, item(1, b"\x01"), Writer().byte(0).uint(number - 1).finish())
    assert compact(clients, deletes((0, 1)), collected(clients)) == update(wanted, deletes=deletes((0, 1)))
