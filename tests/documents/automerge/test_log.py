"""Compacting an Automerge document's log: from its rows, and by the document that is in memory."""

from __future__ import annotations

import pytest

from support.repoclient import put, read
from weft.documents.automerge.log import LogRows, compact_changes, unreadable_rows
from weft.errors import RemoteProtocolError
from weft.mirrors import AutomergeDocument


def written(document: AutomergeDocument, log_rows: LogRows | None = None, **cells: int) -> bytes:
    """Write into a document; the row that is appended for it."""
    before = document.heads
    put(document, **cells)
    row = b"".join(document.changes_since(before))
    if log_rows is not None:
        log_rows.note(row)
    return row


def test_rows_are_compacted_without_loss_in_whatever_order_they_are() -> None:
    document = AutomergeDocument()
    rows = [written(document, None, **{f"k{number}": number}) for number in range(12)]
    compacted = compact_changes(rows)
    assert compacted is not None
    assert compacted.kept == frozenset()
    assert AutomergeDocument(compacted.snapshot).heads == document.heads
    with_gap = [saved_part := b"".join(rows[:4]), *rows[6:]]
    again = compact_changes([rows[0], *with_gap])
    assert again is not None
    assert again.kept == frozenset(range(2, 8))
    left = [again.snapshot, *rows[6:]]
    assert AutomergeDocument.from_rows(left).heads == AutomergeDocument.from_rows([saved_part]).heads
    assert AutomergeDocument.from_rows([*left, *rows[4:6]]).heads == document.heads
    assert compact_changes(rows[:1]) is None
    with pytest.raises(RemoteProtocolError):
        compact_changes([rows[0], rows[1][:-1]])


def test_the_saved_document_stands_for_the_rows_noted_before_and_for_no_others() -> None:
    document = AutomergeDocument()
    rows = [written(document, a=number) for number in range(5)]
    log_rows = LogRows(document, rows)
    rows += [written(document, log_rows, b=number) for number in range(5)]
    compactor = log_rows.compactor()
    later = [written(document, log_rows, c=1), written(document, log_rows, c=2)]  # while storage is at work
    compacted = compactor([*rows, *later])
    assert compacted is not None
    assert compacted.kept == {10, 11}
    assert read(AutomergeDocument(compacted.snapshot)) == {"a": 4, "b": 4}
    left = [compacted.snapshot, *later]
    assert AutomergeDocument.from_rows(left).heads == document.heads
    # And again, with what the first left. What it stands for is kept in memory no more.
    log_rows.compacted()
    assert len(log_rows._rows) == 3
    more = written(document, log_rows, d=1)
    compacted = log_rows.compactor()([*left, more])
    assert compacted is not None
    assert compacted.kept == frozenset()
    assert AutomergeDocument(compacted.snapshot).heads == document.heads


def test_a_row_that_the_document_has_not_taken_in_stays() -> None:
    document, another = AutomergeDocument(), AutomergeDocument()
    rows = [written(document, a=number) for number in range(3)]
    strange = written(another, x=1)
    compacted = LogRows(document, rows).compactor()([rows[0], strange, rows[1]])
    assert compacted is not None
    assert compacted.kept == {1}
    assert LogRows(document, rows).compactor()([strange, rows[0]]) is None


def test_rows_that_wait_for_others_stay() -> None:
    source = AutomergeDocument()
    rows = [written(source, a=number) for number in range(5)]
    del rows[2]  # what comes after it waits
    document = AutomergeDocument.from_rows(rows)
    assert read(document) == {"a": 1}
    compacted = LogRows(document, rows).compactor()(rows)
    assert compacted is not None
    assert compacted.kept == {2, 3}
    assert read(AutomergeDocument(compacted.snapshot)) == {"a": 1}


def test_rows_that_cannot_be_read_are_told_apart() -> None:
    document, other, twin = AutomergeDocument(actor=b"a"), AutomergeDocument(), AutomergeDocument(actor=b"a")
    rows = [written(document, k=number) for number in range(4)]
    later = written(other, k=9)
    assert unreadable_rows([*rows, later, document.save()]) == {}
    faults = unreadable_rows([rows[0], b"rubbish", rows[1], rows[2][:-1], later, b"", rows[3]])
    assert list(faults) == [1, 3]
    assert all(faults.values())
    # The same actor and number for another change: each can be read, but not both.
    written(twin, other=1)
    assert list(unreadable_rows([document.save(), later, twin.save(), *rows])) == [2]
