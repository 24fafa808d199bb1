from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Doc, Map

from support.fuzzing import cases, fuzz_seed, splits
from support.yupdates import binding_updates, honest_updates, numbered, yjs_updates
from support.ywriter import item, key_item, section, update
from weft._codecs.yjs.update import Item, parse_update
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from support.node import SyncJsPeer

CONTENTS = {
    0: "GC",
    1: "ContentDeleted",
    2: "ContentJSON",
    3: "ContentBinary",
    4: "ContentString",
    5: "ContentEmbed",
    6: "ContentFormat",
    7: "ContentType",
    8: "ContentAny",
    9: "ContentDoc",
    10: "Skip",
}


def test_a_struct_is_taken_apart() -> None:
    data = update(
        section(
            7,
            3,
            key_item("k", b"\x02\x7d\x41\x77\x02\xc3\xa9"),
            b"\xe8\x07\x03\x09\x08\x01\x7f",
            b"\x27\x00\x09\x05\x03row\x01",
            b"\x04\x01\x01t\x05\xf0\x9f\x98\x80x",
            b"\x0a\x05",
            b"\x00\x02",
            b"\x61\x07\x01\x04",
        ),
        deletes=b"\x02\x07\x02\x00\x01\x05\x03\x09\x01\x02\x02",
    )
    parsed = parse_update(data)
    assert parsed.items == [
        Item(7, 3, 2, 8, None, None, "root", "k", None, (-1, "é")),
        Item(7, 5, 1, 8, (7, 3), (9, 8), None, None, None, (None,)),
        Item(7, 6, 1, 7, None, None, (9, 5), "row", 1, None),
        Item(7, 7, 3, 4, None, None, "t", None, None, None),
        Item(7, 10, 5, 10, None, None, None, None, None, None),
        Item(7, 15, 2, 0, None, None, None, None, None, None),
        Item(7, 17, 4, 1, None, (7, 1), None, None, None, None),
    ]
    assert parsed.deletes == {7: [(0, 1), (5, 3)], 9: [(2, 2)]}


def test_values_of_javascript_are_read() -> None:
    values = [each.values for each in parse_update(yjs_updates()["values"]).items if each.values is not None]
    flat: list[Any] = [value for group in values for value in group]
    expected: list[Any] = [
        None, None, True, False, 0, 0, 1, -1, 63, 64, -64, 2**31, 2**53 - 1, -(2**53 - 1), 0.5, 0.1, 1e21,
        1e-7,
        math.nan, math.inf, -math.inf, 12, -(2**63), "", "a", "é😀", "\0", "x" * 200, [], {}, [1, [2, [3]]],
        {"a": {"b": {"c": [None]}}, "é": 1},
    ]  # fmt: skip
    assert len(flat) == len(expected)
    for ours, theirs in zip(flat, expected, strict=True):
        assert ours == theirs or (math.isnan(ours) and math.isnan(theirs))
        assert isinstance(ours, bool) == isinstance(theirs, bool)
    binary = [each.length for each in parse_update(yjs_updates()["values"]).items if each.ref == 3]
    assert binary == [1, 1]


def test_values_of_the_binding_are_read_as_it_reads_them() -> None:
    (doc, root) = (numbered(1, lambda _: None), "root")
    doc.apply_update(binding_updates()["values"])
    shared = doc.get(root, type=Map)
    parsed = parse_update(binding_updates()["values"])
    read = {each.key: each.values[-1] for each in parsed.items if each.values is not None and each.key}
    assert read
    assert {key: shared[key] for key in read} == read


def test_nested_values_are_taken_apart_without_recursion_and_not_beyond_the_limit() -> None:
    def nested(depth: int) -> bytes:
        return update(section(1, 0, item(8, b"\x01" + b"u\x01" * depth + b"\x7e")))

    value: Any = parse_update(nested(64)).items[0].values
    for _ in range(65):
        (value,) = value
    assert value is None
    for depth in (65, 100_000):
        with pytest.raises(RemoteProtocolError, match="too deeply"):
            parse_update(nested(depth))


def test_content_that_the_guard_refuses_can_be_taken_apart() -> None:
    (json,) = parse_update(yjs_updates()["json"]).items
    assert (json.ref, json.length, json.values) == (2, 3, ("1", '{"a":[2]}', "undefined"))
    (hook,) = parse_update(yjs_updates()["hook"]).items
    assert (hook.ref, hook.type_ref) == (7, 5)


def test_a_cut_update_is_refused_at_every_place() -> None:
    for data in honest_updates():
        if len(data) < 700:
            for head, tail in splits(data):
                if tail:
                    with pytest.raises(RemoteProtocolError):
                        parse_update(head)


def test_announced_counts_are_compared_with_what_is_there() -> None:
    for content in (b"\xff\xff\xff\x7f", b"\x01u\xff\xff\xff\x7f", b"\x01v\xff\xff\xff\x7f"):
        with pytest.raises(RemoteProtocolError, match="announced"):
            parse_update(update(section(1, 0, item(8, content))))


def test_any_bytes_are_taken_apart_or_refused() -> None:
    parsed = refused = 0
    corpus = [each for each in honest_updates() if len(each) < 700]
    for data in cases(fuzz_seed("parse"), corpus, 20_000):
        try:
            parse_update(data)
            parsed += 1
        except RemoteProtocolError:
            refused += 1
    assert parsed > 1_000
    assert refused > 5_000


def test_applied_structs_are_those_that_were_parsed() -> None:
    for data in honest_updates():
        ends: dict[int, int] = {}
        whole = True
        for each in parse_update(data).items:
            whole = whole and each.ref != 10 and each.clock == ends.get(each.client, 0)
            ends[each.client] = each.clock + each.length
        if whole:
            doc: Doc[Any] = Doc()
            doc.apply_update(data)
            again = parse_update(doc.get_update()).items
            assert {each.client: each.clock + each.length for each in again} == ends


@pytest.mark.interop
def test_yjs_takes_updates_apart_the_same_way(sync_js: SyncJsPeer) -> None:
    updates = [*yjs_updates().values(), *binding_updates().values()]
    for data, answer in zip(updates, sync_js("codec.read", kind="update", items=updates), strict=True):
        parsed = parse_update(data)
        structs = [[each.client, each.clock, each.length, CONTENTS[each.ref]] for each in parsed.items]
        deletes = [[client, *each] for client, ranges in parsed.deletes.items() for each in ranges]
        assert answer["ok"] == {"structs": structs, "deletes": deletes}


@pytest.mark.interop
def test_the_updates_kept_with_the_tests_are_what_yjs_writes(sync_js: SyncJsPeer) -> None:
    assert sync_js("codec.examples") == yjs_updates()
