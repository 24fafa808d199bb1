"""What may become of content on its way; tests/differential/updates/test_resent.py has histories of Node."""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING

import pytest

from support.ywriter import item, key_item, section, update
from weft._codecs.yjs.agreement import contradiction
from weft._codecs.yjs.items import read_items
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.structs import read_update

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft._codecs.yjs.items import StoredItem


def items(structs: list[bytes]) -> Iterator[StoredItem]:
    (run,), _ = read_update(update(section(5, 0, *structs)))
    return read_items(run.data, run.begin, run.count, run.client, run.clock)


def after(content: bytes, clock: int, ref: int = 4, right: int | None = None) -> bytes:
    out = Writer().byte((0x80 if right is None else 0xC0) | ref).uint(5).uint(clock)
    return (out if right is None else out.uint(9).uint(right)).raw(content).finish()


def string(text: str) -> bytes:
    return Writer().string(text).finish()


def any_(*values: bytes) -> bytes:
    return Writer().uint(len(values)).raw(b"".join(values)).finish()


BIG = b"\x7a" + pack(">q", 2**62)
OBJECT, REORDERED = b"\x76\x02\x01a\x7d\x01\x01b\x78", b"\x76\x02\x01b\x78\x01a\x7d\x01"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([item(4, string("abcd"))], [item(4, string("ab")), after(string("cd"), 1)]),
        ([item(4, string("abcd"))], [item(1, b"\x04")]),
        ([item(4, string("abcd"))], [b"\x00\x04"]),
        ([item(4, string("a\U0001f534b"))], [item(4, string("a�")), after(string("�b"), 1)]),
        ([item(4, string("a\U0001f534bc"))], [item(4, string("a�")), after(string("xyc"), 1)]),
        ([item(8, any_(BIG))], [item(8, any_(b"\x7b" + pack(">d", 2.0**62)))]),
        ([item(8, any_(b"\x7d\x0c"))], [item(8, any_(b"\x7a" + pack(">q", 12)))]),
        ([item(8, any_(b"\x7d\x41"))], [item(8, any_(b"\x7c" + pack(">f", -1.0)))]),
        ([item(8, any_(b"\x7d\x40"))], [item(8, any_(b"\x7d\x00"))]),
        ([item(8, any_(b"\x7b" + pack(">d", float("nan"))))], [item(8, any_(b"\x7e"))]),
        ([item(8, any_(b"\x7f"))], [item(8, any_(b"\x7e"))]),
        ([item(8, any_(OBJECT, b"\x7e"))], [item(8, any_(REORDERED)), after(any_(b"\x7e"), 0, 8)]),
        ([item(5, string('{"a": 1.0, "b": [2]}'))], [item(5, string('{"b":[2],"a":1}'))]),
        (
            [item(6, string("size") + string("0.12259305753897932"))],
            [item(6, string("size") + string("0.12259305753897931"))],
        ),
        ([item(6, string("bold") + string("true"))], [item(6, string("bold") + string(" true"))]),
        ([item(2, any_(string("1")))], [item(8, any_(b"\x7d\x01"))]),
        ([key_item("k")], [b"\x28\x81\x00\x04root\x01k\x01\x7e".replace(b"\x81\x00", b"\x01")]),
        # What is beyond what cannot be compared is not.
        ([item(4, string("\U0001f534")), after(string("a"), 1)], [item(4, string("�b")), after(b"\x01c", 1)]),
    ],
)
def test_the_same_in_other_words_is_no_contradiction(one: list[bytes], other: list[bytes]) -> None:
    end = min([*items(one)][-1].end, [*items(other)][-1].end)
    assert contradiction(items(one), items(other), end) is None
    assert contradiction(items(other), items(one), end) is None


@pytest.mark.parametrize(
    ("one", "other", "clock"),
    [
        ([item(4, string("abcd"))], [item(4, string("ab")), after(string("cx"), 1)], 2),
        ([item(4, string("abcd"))], [item(4, string("ab")), after(string("cd"), 1, right=7)], 2),
        ([item(4, string("ab"))], [item(4, string("ab"), root="s")], 0),
        ([key_item("k")], [key_item("l")], 0),
        ([item(7, b"\x00")], [item(7, b"\x01")], 0),
        ([item(8, any_(b"\x7d\x01"))], [item(7, b"\x01")], 0),
        ([item(8, any_(b"\x7d\x01", b"\x7e"))], [item(8, any_(b"\x7d\x02", b"\x7e"))], 0),
        ([item(8, any_(b"\x78"))], [item(8, any_(b"\x7d\x01"))], 0),
        ([item(8, any_(OBJECT))], [item(8, any_(b"\x75\x00"))], 0),
        ([item(8, any_(b"\x75\x01\x7e"))], [item(8, any_(b"\x75\x02\x7e\x7e"))], 0),
        ([item(8, any_(b"\x74\x01a"))], [item(8, any_(b"\x74\x01b"))], 0),
        ([item(3, b"\x01a")], [item(3, b"\x01b")], 0),
        ([item(5, string("[1]"))], [item(5, string("[2]"))], 0),
        ([item(6, string("bold") + string("true"))], [item(6, string("thin") + string("true"))], 0),
    ],
)
def test_something_else_is_one(one: list[bytes], other: list[bytes], clock: int) -> None:
    end = min([*items(one)][-1].end, [*items(other)][-1].end)
    assert contradiction(items(one), items(other), end) == clock
    assert contradiction(items(other), items(one), end) == clock
    assert contradiction(items(one), items(other), clock) is None  # what is compared ends before it
