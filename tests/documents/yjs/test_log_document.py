from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Doc, Map

from support.ywriter import ANY_NULL, key_item, section, update
from weft.documents import UpdateLog, compact_updates
from weft.documents.yjs.log_document import LogDocument, unreadable_updates
from weft.errors import RemoteProtocolError
from weft.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterable

VALUE = b"\x01" + ANY_NULL
FIRST = update(section(1, 0, key_item("a")))
SECOND = update(section(1, 1, key_item("b")))
THIRD = update(section(1, 2, key_item("c")))
# Says of a value that it is a parent.
CHILD_OF_VALUE = update(section(2, 0, b"\x28\x00\x01\x00\x01k" + VALUE))


class Room:
    """Writes down what a document tells it."""

    def __init__(self, rows: Iterable[bytes] = ()) -> None:
        self.told: list[tuple[bytes, tuple[bytes, ...], object]] = []
        self.document = LogDocument(rows, taken_in=lambda *told: self.told.append(told))


def test_an_update_is_told_as_it_came() -> None:
    room, origin = Room(), object()
    assert room.document.apply(FIRST, origin=origin) is False
    assert room.told == [(FIRST, (FIRST,), origin)]


def test_who_brought_what_is_refused_late_is_blamed_also_after_a_compaction() -> None:
    blamed: list[tuple[object, str]] = []
    document = LogDocument(
        taken_in=lambda *_: None, blamed=lambda origin, error: blamed.append((origin, str(error)))
    )
    assert document.apply(CHILD_OF_VALUE, origin="culprit")
    document.shrink(UpdateLog())
    assert not document.apply(FIRST, origin="victim")
    assert blamed == [("culprit", "not a usable update: parent 1:0 is no type")]
    assert not document.is_waiting


def test_one_client_cannot_take_all_the_room_for_what_waits() -> None:
    document = LogDocument(taken_in=lambda *_: None)
    for clock in range(1, 17):  # 16 MB
        assert document.apply(update(section(9, clock, key_item("k" * 1_000_000))), origin="greedy")
    with pytest.raises(RemoteProtocolError, match="waits already"):
        document.apply(update(section(9, 17, key_item("k" * 1_000_000))), origin="greedy")
    assert document.apply(update(section(8, 1, key_item("k" * 500_000))), origin="other")


def test_what_is_known_is_told_to_nobody() -> None:
    room = Room([FIRST])
    assert room.document.apply(FIRST, origin=None) is False
    assert room.told == []


def test_what_waits_is_to_be_stored_and_told_when_its_gap_closes() -> None:
    room = Room()
    assert room.document.apply(SECOND, origin="b") is True
    assert room.told == [(SECOND, (), "b")]
    assert room.document.is_waiting
    assert room.document.apply(SECOND, origin="b") is True
    assert len(room.told) == 1
    assert room.document.apply(FIRST, origin="a") is False
    received, news, origin = room.told[1]
    assert (received, origin) == (FIRST, "a")
    other = Room()
    for each in news:
        other.document.apply(each, origin=None)
    assert other.document.state() == {1: 2}


def test_it_answers_as_a_document_does() -> None:
    doc: Doc[Any] = Doc()
    doc.get("m", type=Map)["k"] = "v"
    room = Room([doc.get_update()])
    assert room.document.state() == {doc.client_id: 1}
    assert room.document.state_vector() == doc.get_state()
    assert room.document.diff(b"\0") == doc.get_update()
    assert room.document.diff(doc.get_state()) == b"\0\0"


def test_a_checked_update_is_walked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room()
    checked = room.document.check(FIRST, DEFAULT_LIMITS)
    assert checked.ends() == {1: 1}
    monkeypatch.setattr("weft.documents.yjs.update_log.read_update", None)
    room.document.apply(FIRST, origin=None, spans=checked)
    assert room.document.state() == {1: 1}


def test_what_is_refused_changes_nothing() -> None:
    room = Room([FIRST])
    before = room.document.diff(b"\0")
    for bad in (b"\x01", CHILD_OF_VALUE):
        with pytest.raises(RemoteProtocolError):
            room.document.apply(bad, origin=None)
    with pytest.raises(RemoteProtocolError):
        room.document.check(SECOND, Limits(max_string=0))
    assert room.document.diff(b"\0") == before
    assert room.told == []


def test_what_others_have_stored_is_taken_in_and_told_to_nobody() -> None:
    room = Room([FIRST])
    assert room.document.take_stored([THIRD]) == []
    news = room.document.take_stored([SECOND])
    assert room.document.state() == {1: 3}
    other = Room([FIRST, *news])
    assert other.document.state() == {1: 3}
    assert room.told == []


def test_what_was_stored_and_is_refused_is_said_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    document = LogDocument([FIRST, CHILD_OF_VALUE, SECOND], taken_in=lambda *_: None, name="room 'farm'")
    assert document.state() == {1: 2}
    assert caplog.text.count("room 'farm'") == 1
    assert "is no type" in caplog.text


def test_it_holds_a_compacted_log_in_the_place_of_what_that_stands_for() -> None:
    doc: Doc[Any] = Doc(client_id=7)
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(bytes(event.update)))
    root = doc.get("m", type=Map)
    for number in range(200):
        root["k"] = f"value {number}" * 10
    compacted = compact_updates(updates[:150])
    assert compacted is not None
    room = Room(updates)
    # Something waits meanwhile, and must go on doing so.
    assert room.document.apply(update(section(9, 1, key_item("b"))), origin=None) is True
    before = len(room.document.diff(b"\0")), room.document.state()
    room.document.shrink(UpdateLog.of([compacted.snapshot]))
    assert len(room.document.diff(b"\0")) < before[0] / 2
    assert room.document.state() == before[1]
    assert room.document.is_waiting
    root["k"] = "last"
    room.document.apply(updates[-1], origin=None)
    room.document.apply(update(section(9, 0, key_item("a"))), origin=None)
    reader: Doc[Any] = Doc()
    reader.apply_update(room.document.diff(b"\0"))
    assert reader.get("m", type=Map).to_py() == {"k": "last"}
    assert room.document.state() == {7: 201, 9: 2}


def test_stored_updates_that_are_none_are_told_apart() -> None:
    faults = unreadable_updates([FIRST, b"", THIRD, b"no update", FIRST[:-1], SECOND])
    assert list(faults) == [1, 3, 4]
    assert all(faults.values())
    assert unreadable_updates([THIRD, FIRST]) == {}
