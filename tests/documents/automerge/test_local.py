"""Writing without a peer: transactions, and the lean way for single letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.amdocs import content
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
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
