"""One Y.Text read and written with UTF-16 offsets, formats, embeds and relative positions."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest
from pycrdt import Text

from weft.deltas import apply, compose, from_utf16, text_of, to_utf16, utf16_length
from weft.documents.yjs.binding import RawText, create_doc, raw_transaction
from weft.mirrors.yjs.positions import position_of, resolve
from weft.mirrors.yjs.texts import read_delta, read_string, to_utf16_delta, write_delta, write_text

WORDS = ["a", "hello", "é", "e\u0301", "🙂", "👩‍👩‍👧", "🇩🇪", "שלום", "\0", "\n", "中"]
FORMATS: list[dict[str, Any]] = [{}, {"bold": True}, {"link": "x", "size": 12}]


_held: list[Text] = []  # an observer ends with its text


def a_text() -> tuple[Any, RawText, list[Any]]:
    doc = create_doc()
    text = doc.get("t", type=Text)
    events: list[Any] = []
    text.observe(lambda event: events.append(event.delta))
    _held.append(text)
    return doc, cast("RawText", text.integrated), events


def test_random_deltas_come_back_as_they_were_written() -> None:
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    doc, text, events = a_text()
    model: Any = []
    for step in range(300):
        string = text_of(model)
        places = sorted(rng.choices(range(len(string) + 1), k=2))
        start, end = (to_utf16(string, place) for place in places)
        delta: Any = [{"retain": start}] if start else []
        match rng.randrange(5):
            case 0:
                delta.append({"insert": {"image": rng.choice(["x", "y"]), "n": 3}})
            case 1 if end > start:
                delta.append(
                    {"retain": end - start, "attributes": rng.choice([{"bold": None}, *FORMATS[1:]])}
                )
            case 2 if end > start:
                delta.append({"delete": end - start})
            case _:
                delta.append({"insert": rng.choice(WORDS)})
                if attributes := rng.choice(FORMATS):
                    delta[-1]["attributes"] = attributes
        expected = compose(model, delta)
        events.clear()
        with raw_transaction(doc) as txn:
            write_delta(txn, text, delta, text_of(expected))
        with raw_transaction(doc) as txn:
            said = f"seed {seed}, step {step}: {model!r} {delta!r}"
            assert read_delta(txn, text) == expected, said
            assert read_string(txn, text) == text_of(expected), said
            if events:
                heard = to_utf16_delta(events[0], string, text_of(expected))
                assert heard is not None, said
                assert compose(model, heard) == expected, said
        model = expected


def test_what_does_not_lead_to_the_string_is_replaced_by_the_smallest_edit() -> None:
    doc, text, _ = a_text()
    with raw_transaction(doc) as txn:
        write_text(txn, text, "héllo 🙂")
        write_text(txn, text, "héllo 🙂")
        write_delta(txn, text, [{"retain": 90}, {"insert": "x"}], "hello 🙂")
        assert read_string(txn, text) == "hello 🙂"
        write_delta(txn, text, [{"insert": "y"}], "hallo")
        assert read_string(txn, text) == "hallo"
    assert to_utf16_delta([{"retain": 1}, {"delete": 1}], "é", "") is None
    assert to_utf16_delta([{"delete": 2}], "é", "x") is None
    assert to_utf16_delta([{"retain": 2}, {"insert": {"n": 1.0}}], "é", "é\ufffc") == [
        {"retain": 1}, {"insert": {"n": 1}},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "position",
    [
        None, 5, {}, {"item": 5}, {"item": {"client": -1, "clock": 0}}, {"item": {"client": 1, "clock": 1}},
        {"tname": "other", "assoc": 0}, {"type": {"client": 1, "clock": 0}},
        {"item": {"client": "x", "clock": 0}},
    ],
)  # fmt: skip
def test_what_is_no_position_in_the_text_is_none(position: Any) -> None:
    doc, text, _ = a_text()
    with raw_transaction(doc) as txn:
        write_text(txn, text, "abc")
        assert resolve(doc, txn, text, position, lambda: "t") is None
        assert resolve(doc, txn, text, {"tname": "t"}, lambda: "t") == 3
        assert position_of(doc, txn, text, 9, 0, lambda: "t") is None
        assert position_of(doc, txn, text, 3, 0, lambda: None) is None


def test_positions_stick_to_characters() -> None:
    doc, text, _ = a_text()
    with raw_transaction(doc) as txn:
        write_text(txn, text, "a🙂b")
        behind = position_of(doc, txn, text, 3, 0, lambda: "t")
        before = position_of(doc, txn, text, 3, -1, lambda: "t")
        write_text(txn, text, "é a🙂b")
        write_text(txn, text, "é a🙂--b")
        assert resolve(doc, txn, text, behind, lambda: "t") == 7
        assert resolve(doc, txn, text, before, lambda: "t") == 5
        assert utf16_length("é a🙂") == 5
        assert from_utf16("é a🙂", 5) == 4
        assert apply("a", []) == "a"
