"""A mergeable document: the later stamp wins, events tell all of it, and what is wrong is refused whole."""

from __future__ import annotations

import logging
import threading
from itertools import permutations

import pytest

from weft.documents.mergeable import MergeableDocument, MergeableEvent, Undo, encode_hlc, from_json
from weft.errors import DocumentClosedError, LocalProtocolError, RemoteProtocolError, WrongThreadError
from weft.values import UNDEFINED


def document(name: str = "a", now: int = 1_000_000) -> MergeableDocument:
    return MergeableDocument(name, get_now=lambda: now)


def cell(stored: object, hlc: str = "") -> list[object]:
    return [[{"t": [{"r": [{"c": [stored, hlc] if hlc else [stored]}]}]}], [{}], 1]


def test_of_two_writes_the_later_wins_wherever_they_meet() -> None:
    changes = [cell(number, encode_hlc(1_000_000 + number, 0, "x")) for number in range(4)]
    for order in permutations(changes):
        merged = document()
        for change in order:
            merged.apply(change)
        assert merged.get_cell("t", "r", "c") == 3


def test_empty_stamps_converge_by_their_hashes() -> None:
    one, other = document("a"), document("b")
    one.set_cell("t", "r", "c", 5, "")
    other.set_cell("t", "r", "c", 1, "")
    ours, theirs = one.get_content(), other.get_content()
    one.apply(theirs)
    other.apply(ours)
    assert one.get_content() == other.get_content()


def test_a_default_is_written_only_where_nothing_else_is() -> None:
    one = document()
    one.set_cell("t", "r", "c", 1, "")
    one.set_cell("t", "r", "c", 2, "")
    assert one.get_cell("t", "r", "c") == 2
    one.set_cell("t", "r", "c", 3)
    one.set_cell("t", "r", "c", 4, "")
    assert one.get_cell("t", "r", "c") == 3


def test_subscribers_hear_of_each_transaction_once() -> None:
    one, events, origin = document(), list[MergeableEvent](), object()
    end = one.subscribe(events.append)
    with one.transaction(origin=origin):
        one.set_cell("t", "r", "c", 1)
        one.set_cell("t", "r", "c", UNDEFINED)
        one.set_value("v", "x")
    stamp = encode_hlc(1_000_000, 1, "a")
    assert events == [
        (
            [[{"t": [{"r": [{"c": [UNDEFINED, stamp]}]}]}], [{"v": ["x", encode_hlc(1_000_000, 2, "a")]}], 1],
            origin,
            True,
            False,
        )
    ]
    assert one.apply(cell(7, encode_hlc(1_000_001, 0, "b")), origin=end)
    assert not one.apply(cell(6, encode_hlc(1_000_000, 0, "b")))
    assert events[1:] == [(cell(7, encode_hlc(1_000_001, 0, "b")), end, False, False)]
    end()
    end()
    one.set_value("v", "y")
    assert len(events) == 2


def test_what_was_received_is_earlier_than_what_is_written_next() -> None:
    one = document()
    one.apply(cell(1, encode_hlc(1_200_000, 5, "b")))
    one.set_cell("t", "r", "c", 2)
    assert one.get_content()[0][0]["t"][0]["r"][0]["c"][1] == encode_hlc(1_200_000, 6, "a")


def test_a_clock_that_has_run_out_says_so_and_changes_nothing() -> None:
    one = document(now=2**42 - 1)
    one.apply(cell(1, "z" * 16))
    with pytest.raises(LocalProtocolError, match="no stamp later"):
        one.set_cell("t", "r", "c", 2)
    assert one.get_cell("t", "r", "c") == 1


def test_a_part_that_is_wrong_refuses_all() -> None:
    one = document()
    one.set_value("v", 1)
    before = one.get_content()
    late = encode_hlc(1_300_001, 0, "b")
    for changes in ([cell(1)[0], [{"w": [1, late]}], 1], [cell(1)[0], [{"w": [1, "x"]}], 1], "no"):
        with pytest.raises(RemoteProtocolError):
            one.apply(changes)
        assert one.get_content() == before


def test_replacing_content_takes_stamps_too() -> None:
    one, other = document("a"), document("b")
    one.set_cell("t", "r", "c", 1)
    one.set_value("v", 1)
    other.set_cell("t", "r", "d", 2)
    events: list[MergeableEvent] = []
    one.subscribe(events.append)
    one.set_content(other.get_content())
    assert one.content_text() == other.content_text()
    assert len(events) == 1
    with pytest.raises(RemoteProtocolError):
        one.set_content([[{}], [{}]])
    with one.transaction(), pytest.raises(LocalProtocolError):
        one.set_content(other.get_content())
    assert one.content_text() == other.content_text()


def test_receiving_inside_a_transaction_is_refused() -> None:
    one = document()
    with one.transaction():
        assert one.in_transaction
        with pytest.raises(LocalProtocolError):
            one.apply(cell(1))
        one.set_value("v", 1)
    one.apply(cell(1))
    assert repr(one) == f"<MergeableDocument {one.clock.client_id} of 1 tables>"


def test_stamps_of_tinybase_5_are_kept_and_hashed() -> None:
    early, late = encode_hlc(1, 0, "b"), encode_hlc(2, 0, "b")
    one, other = document(), document("b")
    for stamp in (early, late, early):
        one.apply([[{"t": [{"r": [{"c": [1]}, stamp]}, stamp]}, stamp], [{}, stamp], 1])
    other.apply([[{"t": [{"r": [{"c": [1]}, late]}, late]}, late], [{}, late], 1])
    assert one.get_content() == other.get_content()
    assert one.get_content()[0][1] == late


def test_what_a_subscriber_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    one, heard = document(), list[MergeableEvent]()

    def fail(event: MergeableEvent) -> None:
        raise ValueError(str(event.is_local))

    one.subscribe(fail)
    one.subscribe(heard.append)
    with caplog.at_level(logging.ERROR):
        one.set_value("v", 1)
    assert "a subscriber of a mergeable document failed" in caplog.text
    assert len(heard) == 1


def test_a_document_belongs_to_its_subscribers_thread() -> None:
    one, errors = document(), list[Exception]()
    one.subscribe(lambda event: None)

    def write() -> None:
        try:
            one.set_value("v", 1)
        except WrongThreadError as error:
            errors.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert len(errors) == 1
    one.close("the document", "it is over")
    with pytest.raises(DocumentClosedError):
        one.set_value("v", 1)
    with pytest.raises(DocumentClosedError):
        one.apply(cell(1))


def test_what_is_not_told_at_once_is_told_later_or_taken_back() -> None:
    one, events, undo = document(), list[MergeableEvent](), list[Undo]()
    one.set_cell("t", "r", "c", 0)
    one.set_value("v", 0)
    before = one.content_text()
    one.subscribe(events.append)

    def write(value: int) -> None:
        with one.transaction(undo=undo):
            one.set_cell("t", "r", "c", value)
            one.set_cell("t", "new", "c", value)
            one.set_cell("u", "r", "c", value)
            one.set_value("v", value)
            one.set_value("w", value)

    write(1)
    one.get_content_hashes()
    one.take_back(undo)
    assert one.content_text() == before == document_of(before).content_text()
    assert events == []
    undo.clear()
    write(2)
    with one.transaction(origin=one):
        one.tell(undo)
        one.set_value("x", 3)
    assert [event.origin for event in events] == [one]
    assert events[0].changes[0][0].keys() == {"t", "u"}
    assert list(events[0].changes[1][0]) == ["v", "w", "x"]


def test_another_stamp_that_has_come_since_is_not_taken_back() -> None:
    one, undo = document(), list[Undo]()
    with one.transaction(undo=undo):
        one.set_cell("t", "r", "c", 1)
        one.set_value("v", 1)
    one.apply(cell(2, encode_hlc(1_000_000, 9, "z")))
    one.take_back(undo)
    assert one.get_living() == ({"t": {"r": {"c": 2}}}, {})


def test_who_does_not_want_to_hear_of_an_origin_does_not() -> None:
    one, heard, origin = document(), list[MergeableEvent](), object()
    one.subscribe(heard.append, but=origin)
    one.write_cell("t", "r", "c", 1, origin)
    with one.transaction(origin=origin):
        one.set_value("v", 1)
    assert heard == []
    one.subscribe(heard.append)
    one.write_cell("t", "r", "c", 2, origin)
    one.write_cell("t", "r", "c", 3, None)
    assert [event.origin for event in heard] == [origin, None, None]
    assert one.get_cell("t", "r", "c") == 3


def test_events_come_in_their_order_where_a_subscriber_writes() -> None:
    one, told = document(), list[object]()

    def answer(event: MergeableEvent) -> None:
        if "answer" not in event.changes[1][0]:
            one.set_value("answer", 1)

    one.subscribe(answer)
    one.subscribe(lambda event: told.append(list(event.changes[1][0])))
    one.set_value("question", 1)
    assert told == [["question"], ["answer"]]


def test_replaced_content_is_told_of_as_that() -> None:
    one, events = document(), list[MergeableEvent]()
    one.set_cell("t", "r", "gone", 1)
    one.subscribe(events.append)
    one.set_content([[{}, "", 0], [{"v": [1, "", 0]}, "", 0]])
    assert [(event.is_whole, event.changes) for event in events] == [(True, [[{}], [{"v": [1]}], 1])]
    assert one.get_living() == ({}, {"v": 1})
    with one.transaction(), pytest.raises(LocalProtocolError):
        one.set_content([[{}, "", 0], [{}, "", 0]])


def document_of(text: str) -> MergeableDocument:
    copied = document("copy")
    copied.set_content(from_json(text))
    return copied
