from __future__ import annotations

from support.ywriter import item, section, update
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.run import Long, TypeParent
from weft._codecs.yjs.structs import read_update


def struct(info: int, *ids: int, content: bytes, key: str | None = None) -> bytes:
    out = Writer().byte(info)
    if not info & 0xC0:
        out.byte(0)
    for number in ids:
        out.uint(number)
    if key is not None:
        out.string(key)
    return out.raw(content).finish()


def test_a_run_knows_in_what_or_beside_what_its_types_are() -> None:
    structs = [
        item(7, b"\x01"),
        struct(0x27, 5, 0, content=b"\x01", key="k"),
        struct(0x87, 5, 0, content=b"\x01"),
        struct(0xE7, 6, 300, 7, 1, content=b"\x01"),
        struct(0x47, 7, 1, content=b"\x01"),
    ]
    wanted = [
        TypeParent(0, None, None, False),
        TypeParent(1, None, (5, 0), True),
        TypeParent(2, (5, 0), None, False),
        TypeParent(3, (6, 300), None, True),
        TypeParent(4, (7, 1), None, False),
    ]
    for times in (1, 20):  # one by one, and many at a time
        (run,), _ = read_update(update(section(5, 0, *structs, *[item(7, b"\x01")] * 64 * (times - 1))))
        assert [run.type_parent(at) for at in range(5)] == wanted
        assert len(run.types) == run.count


def test_a_run_knows_what_may_be_several_values_of_one_key() -> None:
    text = b"\x03abc"
    structs = [
        item(4, text),
        struct(0x84, 5, 0, content=text),
        struct(0x24, 6, 0, content=text, key="k"),
        struct(0x88, 6, 9, content=b"\x02\x7e\x7e"),
        struct(0x88, 6, 9, content=b"\x01\x7e"),
        struct(0x81, 6, 9, content=b"\x02"),
    ]
    (run,), _ = read_update(update(section(5, 0, *structs)))
    assert [run.long(at) for at in range(run.longs)] == [
        Long(3, 6, (5, 0)),
        Long(6, 9, None),
        Long(9, 11, (6, 9)),
    ]
