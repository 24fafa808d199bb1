"""Shared texts in Automerge documents, beside the raw binding with the same transactions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from automerge.core import ROOT, Document, ObjType

from benchmarks._measure import EFFORT, measure, measure_each, report
from benchmarks._table import Line
from weft import Store
from weft.documents import AutomergeDocument
from weft.mirrors.automerge import AutomergeMirror

if TYPE_CHECKING:
    from weft.store import Text

__all__ = ["automerge_lines"]

LETTERS = 10_000
KEY = ("notes", "n1", "body")
RAW = "raw automerge"


def automerge_lines() -> list[Line]:
    """Typing letter by letter, and letters that a peer types; in milliseconds."""
    letters = LETTERS // EFFORT.shrink
    report(f"texts: {letters} letters typed into an Automerge document")
    raw = measure(_raw_text, partial(_type_raw, letters))
    ours = measure(_shared_text, partial(_type_ours, letters))
    lines = [
        Line(f"Automerge: {letters} letters typed, each a transaction", ours.min, RAW, raw.min, at_most=1.5)
    ]
    for size in (letters // 10, letters):
        report(f"texts: a letter of a peer in an Automerge text of {size}")
        theirs, mine = _raw_letters(size), _our_letters(size)
        name = f"Automerge: a peer's letter in a text of {size}, until the Store's listener has the delta"
        lines.append(Line(name, mine, f"{RAW}: receive, and read the text", theirs))
    return lines


def _raw_text() -> tuple[Any, bytes]:
    core = Document()
    with core.transaction() as transaction:
        return core, transaction.put_object(ROOT, "text", ObjType.Text)


def _type_raw(letters: int, made: tuple[Any, bytes]) -> None:
    core, text = made
    for at in range(letters):
        with core.transaction() as transaction:
            transaction.splice_text(text, at, 0, "x")


def _shared_text() -> tuple[AutomergeMirror, Text]:
    store = Store().set_tables_schema({KEY[0]: {KEY[2]: {"type": "text"}}})
    mirror = AutomergeMirror(store, AutomergeDocument()).start()
    return mirror, store.text(*KEY).set("")


def _type_ours(letters: int, made: tuple[AutomergeMirror, Text]) -> None:
    _, text = made
    for at in range(letters):
        text.insert(at, "x")


def _changes(size: int) -> tuple[bytes, list[bytes]]:
    """A document with a text, and changes of another peer that each type a letter in its middle."""
    mirror, text = _shared_text()
    text.set("x" * size)
    saved = mirror.document.save()
    other = AutomergeDocument(saved)
    store = Store().set_tables_schema({KEY[0]: {KEY[2]: {"type": "text"}}})
    changes = []
    with AutomergeMirror(store, other):
        for number in range(EFFORT.warmup_each + EFFORT.rounds_each):
            before = other.heads
            store.text(*KEY).insert(size // 2 + number, chr(ord("a") + number % 26))
            changes += other.changes_since(before)
    return saved, changes


def _our_letters(size: int) -> float:
    saved, changes = _changes(size)
    store = Store().set_tables_schema({KEY[0]: {KEY[2]: {"type": "text"}}})
    document = AutomergeDocument(saved)
    heard: list[object] = []
    with AutomergeMirror(store, document):
        store.text(*KEY).add_listener(lambda _text, delta, _is_local: heard.append(delta))
        times = measure_each(lambda number: document.apply_changes([changes[number]]))
    if len(heard) != len(changes):
        raise RuntimeError("the listener was not told of each letter")
    return times.median


def _raw_letters(size: int) -> float:
    saved, changes = _changes(size)
    document = AutomergeDocument(saved)
    found: Any = (None, ROOT)
    for key in ("tinybase", "t", *KEY):
        found = document.core.get(found[1], key)

    def receive(number: int) -> None:
        document.apply_changes([changes[number]])
        document.core.text(found[1])

    return measure_each(receive).median
