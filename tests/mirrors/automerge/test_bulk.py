"""Much new content at once: written by hand, it is what a transaction would have written."""

from __future__ import annotations

from typing import Any

import pytest

from support.amdocs import numbered_document, project
from weft import Store
from weft._codecs.automerge.change import decode_change
from weft._codecs.automerge.change_builder import ChangeBuilder
from weft.documents.automerge import binding as _amcore, document as amdoc
from weft.documents.automerge.document import AutomergeDocument, DocumentEvent
from weft.errors import RemoteProtocolError
from weft.mirrors.automerge import AutomergeMirror, bulk as _ambulk

CELLS = [
    1,
    -1,
    0,
    2**53 - 1,
    1 - 2**53,
    2.0**60,
    1.5,
    -0.0,
    True,
    False,
    None,
    "",
    "text",
    "\U0001f469\u200d\U0001f469",
    [1, {}],
]


def _table(prefix: str, rows: int = 20) -> dict[str, dict[str, Any]]:
    cells = {f"c{number}": cell for number, cell in enumerate(CELLS)}
    return {f"{prefix}{row}": {**cells, "toString": row, "\0": f"text {row}"} for row in range(rows)}


def _changes(document: AutomergeDocument) -> list[DocumentEvent]:
    heard: list[DocumentEvent] = []
    document.subscribe(heard.append)
    return heard


def _written(*steps: Any) -> tuple[bytes, AutomergeDocument]:
    store, document = Store(), numbered_document(7)
    errors: list[Exception] = []
    with AutomergeMirror(store, document, on_error=errors.append):
        for step in steps:
            step(store)
        assert tuple(store.get_content()) == project(document)
    assert errors == []
    return document.save(), document


STEPS = {
    "an empty document": [lambda store: store.set_tables({"a": _table("r"), "hasOwnProperty": _table("s")})],
    "values too": [lambda store: store.set_content([{"a": _table("r")}, {f"v{i}": i for i in range(9)}])],
    "new rows among others": [
        lambda store: store.set_table("a", {"old": {"x": 1}}),
        lambda store: store.transaction(
            lambda: [store.set_row("a", row, cells) for row, cells in _table("r").items()]
        ),
        lambda store: store.set_cell("a", "r3", "c1", "new"),
        lambda store: store.del_row("a", "r4"),
        lambda store: store.set_table("b", _table("t")),
    ],
    "new cells of rows that are there": [
        lambda store: store.set_table("a", {f"r{row}": {"first": row} for row in range(20)}),
        lambda store: store.transaction(
            lambda: [store.set_partial_row("a", row, cells) for row, cells in _table("r").items()]
        ),
    ],
    "rows that were deleted": [
        lambda store: store.set_table("a", _table("r")),
        lambda store: store.del_tables(),
        lambda store: store.set_table("a", _table("r")),
    ],
    "cells that are overwritten": [
        lambda store: store.set_table("a", _table("r")),
        lambda store: store.set_table(
            "a", {row: {**cells, "c0": "other"} for row, cells in _table("q").items()}
        ),
        lambda store: store.set_table("a", {row: {**cells, "c0": 5} for row, cells in _table("q").items()}),
    ],
}


@pytest.mark.parametrize("case", STEPS)
def test_the_document_is_byte_for_byte_what_transactions_make(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, document = _written(*STEPS[case])
    monkeypatch.setattr(_ambulk, "_MIN_CELLS", 10**9)
    assert made == _written(*STEPS[case])[0]
    again = AutomergeDocument(made)
    assert again.heads == document.heads
    assert project(again) == project(document)


def test_one_transaction_of_the_store_is_one_change_that_others_can_take() -> None:
    store, document, other = Store(), AutomergeDocument(), AutomergeDocument()
    heard = _changes(document)
    with AutomergeMirror(store, document):
        store.set_tables({"a": _table("r")})
    assert [len(event.changes) for event in heard] == [1, 1]  # the containers of all Stores, and the content
    for event in heard:
        assert not other.apply_changes(event.changes)
    assert project(other) == project(document)


@pytest.mark.parametrize("between", ["nothing", "a refused message", "its own changes from a peer"])
def test_one_bulk_after_another_is_taken_whatever_came_between(between: str) -> None:
    store, document = Store(), numbered_document(7)
    heard = _changes(document)
    errors: list[Exception] = []
    with AutomergeMirror(store, document, on_error=errors.append):
        if between == "its own changes from a peer":
            elder = numbered_document(7)
            with AutomergeMirror(Store().set_table("b", _table("r")), elder):
                document.apply_changes(elder.changes_since(()))
        for table in ("a", "c", "d"):
            store.set_table(table, _table("r"))
            if between == "a refused message":
                with pytest.raises(RemoteProtocolError):
                    document.apply_changes([_on_nothing(document)])
        store.set_cell("a", "r1", "c1", "after")
        assert tuple(store.get_content()) == project(document)
    assert errors == []
    changes = [change for event in heard for change in event.changes]
    own = [decoded.seq for decoded in map(decode_change, changes) if decoded.actor == document.actor]
    assert own == list(range(1, len(own) + 1))
    assert AutomergeDocument(document.save()).heads == document.heads


def _on_nothing(document: AutomergeDocument) -> bytes:
    """A change at which the binding panics: it works on an object that is nowhere."""
    builder = ChangeBuilder(actor=b"\x09", seq=1, start_op=1000, deps=document.heads)
    builder.put((b"\x08", 5), "x", 1)
    return builder.chunk()


def test_cells_that_are_deleted_at_the_same_time_are_written_in_a_transaction() -> None:
    store, document = Store(), AutomergeDocument()
    with AutomergeMirror(store, document):
        store.set_table("a", {"old": {"x": 1, "y": 2}})
        store.transaction(lambda: (store.del_cell("a", "old", "x"), store.set_table("b", _table("r"))))
        assert project(document) == tuple(store.get_content())
        assert not store.has_cell("a", "old", "x")


def test_a_binding_that_refuses_the_change_as_a_fake_here_gets_a_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, document = Store(), AutomergeDocument()
    errors: list[Exception] = []
    chunk = ChangeBuilder.chunk
    monkeypatch.setattr(ChangeBuilder, "chunk", lambda builder: chunk(builder)[:-1] + b"\7")
    with AutomergeMirror(store, document, on_error=errors.append):
        store.set_tables({"a": _table("r")})
        assert project(document) == tuple(store.get_content())
        store.set_cell("a", "r1", "c1", "after")
        assert project(document) == tuple(store.get_content())
    assert len(errors) == 1


@pytest.fixture
def _all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (_amcore, amdoc):
        monkeypatch.setattr(module, "LARGE", 1)


@pytest.mark.usefixtures("_all_are_large")
def test_a_large_document_goes_on_under_the_actor_it_was_saved_under() -> None:
    store, document = Store(), numbered_document(7)
    with AutomergeMirror(store, document):
        store.set_tables({"a": _table("r", 50)})
    saved = document.save()
    again, other = AutomergeDocument(saved, actor=document.actor), AutomergeDocument.from_rows([saved])
    assert again.heads == other.heads == document.heads
    with AutomergeMirror(Store(), again) as mirror:
        assert mirror.store.get_tables() == store.get_tables()
        mirror.store.set_tables({"b": _table("s")})
        mirror.store.del_row("b", "s1")
        assert project(again) == tuple(mirror.store.get_content())
    assert not other.apply_changes(again.changes_since(other.heads))
    assert project(other) == project(again)


@pytest.mark.usefixtures("_all_are_large")
def test_a_large_document_that_comes_as_a_whole_goes_on_and_loses_nothing_that_waited_for_more() -> None:
    store, source = Store(), numbered_document(7)
    with AutomergeMirror(store, source):
        store.set_tables({"a": _table("r", 50)})
        saved = source.save()
        early, late = AutomergeDocument(), AutomergeDocument()
        store.set_cell("a", "r1", "c0", "missing")
        missing = source.changes_since(AutomergeDocument(saved).heads)
        store.set_cell("a", "r2", "c0", "waits")
        *_, waits = source.changes_since(())
        for document, waiting in ((early, [waits]), (late, [])):
            copy = Store()
            with AutomergeMirror(copy, document):
                assert document.apply_changes(waiting) == bool(waiting)
                assert document.apply_changes([saved]) == bool(waiting)
                assert len(copy.get_table("a")) == 50
                actor = document.actor
                assert bytes(document.core.get_actor()) == actor
                copy.set_cell("a", "r3", "c0", "own")
                assert not document.apply_changes([*missing, *([] if waiting else [waits])])
                assert copy.get_table("a") == {**store.get_table("a"), "r3": copy.get_row("a", "r3")}
                assert copy.get_cell("a", "r3", "c0") == "own"
                assert project(document) == tuple(copy.get_content())
