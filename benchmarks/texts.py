"""Shared texts: letters typed one by one, each a transaction, beside the raw bindings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pycrdt import Map, Text

from benchmarks._measure import EFFORT, measure, report
from benchmarks._table import Line
from benchmarks._texts_automerge import automerge_lines
from weft import Store, YjsMirror, create_doc

if TYPE_CHECKING:
    from weft.store import Text as SharedText

__all__ = ["lines"]

LETTERS = 10_000
KEY = ("notes", "n1", "body")


def lines() -> list[Line]:
    """The lines of the table; in milliseconds."""
    letters = LETTERS // EFFORT.shrink
    report(f"texts: {letters} letters typed into a Yjs document")
    raw = measure(_raw_text, partial(_type_raw, letters))
    ours = measure(_shared_text, partial(_type_ours, letters))
    name = f"Yjs: {letters} letters typed, each a transaction"
    typed = Line(name, ours.min, "raw pycrdt with an observer", raw.min, at_most=1.5)
    return [typed, *automerge_lines()]


def _raw_text() -> Any:
    doc = create_doc()
    root = doc.get("notes", type=Map)
    root["n1"] = Map({"body": Text("")})
    text = root["n1"]["body"]
    return doc, text, text.observe(lambda _: None)


def _type_raw(letters: int, made: Any) -> None:
    doc, text, _ = made
    for at in range(letters):
        with doc.transaction():
            text.insert(at, "x")


def _shared_text() -> tuple[YjsMirror, SharedText]:
    store = Store().set_tables_schema({KEY[0]: {KEY[2]: {"type": "text"}}})
    return YjsMirror(store, create_doc()).start(), store.text(*KEY).set("")


def _type_ours(letters: int, made: tuple[YjsMirror, SharedText]) -> None:
    mirror, text = made
    for at in range(letters):
        text.insert(at, "x")
    mirror.stop()
