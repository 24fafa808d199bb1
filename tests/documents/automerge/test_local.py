"""Writing without a peer: transactions, and the lean way for single letters."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from support.amdocs import content
from weft.documents.automerge.binding import LARGE, ROOT, ObjType, ScalarType
from weft.documents.automerge.document import AutomergeDocument, DocumentEvent
from weft.errors import LocalProtocolError

if TYPE_CHECKING:
    from weft.documents.automerge.binding import CoreTransaction


def _put(document: AutomergeDocument, key: str, number: int) -> None:
    document.write(lambda tx: tx.put(ROOT, key, ScalarType.Int, number))


def test_what_a_function_writes_is_told_with_its_bytes_also_where_these_are_asked_for_late() -> None:
    document, events = AutomergeDocument(), list[DocumentEvent]()
    document.subscribe(events.append)
    for number in range(5):
        _put(document, "n", number)
    other = AutomergeDocument()
    for event in events:
        assert not other.apply_changes(event.changes)
        assert other.heads == event.after
    assert content(other) == {"n": 4}
    assert [len(event.changes) for event in events] == [1] * 5
    assert [len(list(event.decoded())) for event in events] == [1] * 5


def test_a_function_that_raises_or_writes_nothing_leaves_the_document_as_it_was() -> None:
    document, events = AutomergeDocument(), list[DocumentEvent]()
    _put(document, "n", 1)
    document.subscribe(events.append)
    before = document.heads

    def fail(tx: CoreTransaction) -> None:
        tx.put_object(ROOT, "text", ObjType.Text)
        with pytest.raises(LocalProtocolError):
            _put(document, "n", 2)
        raise KeyError("no")

    with pytest.raises(KeyError):
        document.write(fail)
    document.write(lambda _: None)
    assert (document.heads, events, content(document)) == (before, [], {"n": 1})


def test_a_large_document_that_was_loaded_is_the_same_once_it_is_written() -> None:
    noise, origin = random.Random(1), AutomergeDocument()
    with origin.transaction() as transaction:
        for number in range(18_000):
            transaction.put(ROOT, f"k{number}", ScalarType.F64, noise.random())
    saved = origin.save()
    assert len(saved) >= LARGE
    received = AutomergeDocument()
    received.apply_changes([saved])
    written: list[AutomergeDocument] = []
    for document in (AutomergeDocument(saved), received):
        core = document.core
        _put(document, "n", 1)
        assert document.core is not core  # in the form that is quickly written
        core = document.core
        with suppress(ZeroDivisionError), document.transaction() as transaction:
            transaction.put(ROOT, "n", ScalarType.Int, 1 // 0)
        _put(document, "m", 2)
        assert document.core is core
        written.append(document)
    written[0].apply_changes(written[1].changes_since(origin.heads))
    written[1].apply_changes(written[0].changes_since(origin.heads))
    assert written[0].heads == written[1].heads
    assert content(written[0]) == content(written[1]) == content(origin) | {"n": 1, "m": 2}


def test_a_document_is_read_from_what_it_was_loaded_from_until_it_changes() -> None:
    origin = AutomergeDocument()
    _put(origin, "n", 1)
    data = origin.save()
    document = AutomergeDocument(data)
    assert document.saved() is data
    _put(document, "n", 2)
    assert content(AutomergeDocument(document.saved())) == {"n": 2}
