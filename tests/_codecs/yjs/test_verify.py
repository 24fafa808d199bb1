from __future__ import annotations

import pytest

from support.ywriter import ANY_NULL, item, key_item, section, update
from weft._codecs.yjs.compact import collected
from weft._codecs.yjs.verify import difference
from weft.documents.yjs.update_log import UpdateLog

VALUE = b"\x01" + ANY_NULL
MAP = item(7, b"\x01")
TEXT = item(4, b"\x03abc")
CHILD = b"\x28\x00\x01\x00\x01k" + VALUE
DELETES = b"\x01\x01\x02\x00\x01\x03\x01"  # the map, and the second letter
BEFORE = [MAP, CHILD, TEXT, key_item("k")]


def differs(
    structs: list[bytes], *, gc: bool = True, before: list[bytes] = BEFORE, other: bytes = b""
) -> str | None:
    def log(found: list[bytes]) -> UpdateLog:
        return UpdateLog.of([update(*([other] if other else []), section(1, 0, *found), deletes=DELETES)])

    old = log(before).structs()
    return difference(old, log(structs).structs(), collected(old) if gc else None)


@pytest.mark.parametrize(
    "structs",
    [
        BEFORE,
        [
            item(1, b"\x01"),
            b"\x00\x01",
            item(4, b"\x01a"),
            b"\x81\x01\x02\x01",
            b"\x84\x01\x03\x01c",
            key_item("k"),
        ],
        [MAP, CHILD, item(4, b"\x01a"), b"\x84\x01\x02\x02bc", key_item("k")],
    ],
)
def test_what_comes_to_the_same_does_not_differ(structs: list[bytes]) -> None:
    assert differs(structs) is None
    assert differs(BEFORE, before=structs, gc=False) is None or b"\x00\x01" in structs


@pytest.mark.parametrize(
    ("structs", "reason"),
    [
        ([MAP, CHILD, TEXT], "missing"),
        ([*BEFORE, key_item("k")], "new"),
        ([MAP, CHILD, TEXT, key_item("l")], "another"),
        ([MAP, CHILD, TEXT, key_item("k", b"\x01\x78")], "another"),
        ([MAP, CHILD, TEXT, item(8, VALUE)], "another"),
        ([MAP, CHILD, item(4, b"\x03abd"), key_item("k")], "another"),
        ([MAP, CHILD, item(4, b"\x01a"), item(4, b"\x02bc"), key_item("k")], "another"),
        ([MAP, CHILD, item(1, b"\x03"), key_item("k")], "lost its content"),
        ([MAP, CHILD, item(4, b"\x01a"), item(1, b"\x01"), b"\x84\x01\x03\x01c", key_item("k")], "elsewhere"),
        ([b"\x00\x01", CHILD, TEXT, key_item("k")], "was collected"),
        ([MAP, CHILD, b"\x00\x03", key_item("k")], "was collected"),
    ],
)
def test_what_comes_to_something_else_is_said(structs: list[bytes], reason: str) -> None:
    said = differs(structs)
    assert said is not None
    assert reason in said


def test_without_collecting_nothing_may_be_given_up() -> None:
    for structs in ([item(1, b"\x01"), CHILD, TEXT, key_item("k")], [MAP, b"\x00\x01", TEXT, key_item("k")]):
        assert differs(structs) is None
        assert differs(structs, gc=False) is not None


def test_nothing_that_is_left_may_refer_to_what_was_collected() -> None:
    astray = section(2, 0, b"\x48\x01\x01" + VALUE, b"\xc8\x01\x02\x01\x01" + VALUE)
    after = [MAP, b"\x00\x01", TEXT, key_item("k")]
    said = differs(after, other=astray)
    assert said is not None
    assert "refers to 1:1" in said


def test_the_clients_must_be_the_same() -> None:
    one = UpdateLog.of([update(section(1, 0, MAP))]).structs()
    assert difference(one, {}, None) == "other clients"
