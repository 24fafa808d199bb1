from __future__ import annotations

from typing import TYPE_CHECKING

from weft.documents.automerge import AutomergeDocument
from weft.documents.automerge.binding import ROOT, ScalarType
from weft.protocols.automerge_repo import Flushed
from weft.protocols.automerge_repo.document_sync import DocumentSync

if TYPE_CHECKING:
    from weft.documents.automerge import Heads


def put(document: AutomergeDocument, value: int) -> Heads:
    with document.transaction() as transaction:
        transaction.put(ROOT, "a", ScalarType.Int, value)
    return document.heads


def test_a_flush_is_done_when_the_other_end_s_heads_build_upon_what_was_there() -> None:
    document = AutomergeDocument()
    sync = DocumentSync(document, document.new_sync_state(), read_only=False)
    first, second, third = (put(document, number) for number in range(3))
    sync.flushes = {1: first, 2: second, 3: third}
    assert sync.covered() == []  # the other end has announced nothing
    sync.peer_heads = second
    assert sync.covered() == [Flushed(1), Flushed(2)]
    assert sync.covered() == []
    sync.peer_heads = third
    assert sync.covered() == [Flushed(3)]


def test_heads_that_are_not_known_here_say_nothing_until_they_are() -> None:
    document, other = AutomergeDocument(), AutomergeDocument()
    sync = DocumentSync(document, document.new_sync_state(), read_only=False)
    sync.flushes = {1: put(document, 1)}
    other.apply_changes(document.changes_since(()))
    sync.peer_heads = put(other, 2)
    assert sync.covered() == []
    document.apply_changes(other.changes_since(document.heads))
    assert sync.covered() == [Flushed(1)]


def test_heads_made_beside_what_was_written_do_not_confirm_it() -> None:
    document, other = AutomergeDocument(), AutomergeDocument()
    sync = DocumentSync(document, document.new_sync_state(), read_only=False)
    beside = put(other, 2)
    sync.flushes = {1: put(document, 1)}
    document.apply_changes(other.changes_since(()))
    sync.peer_heads = beside
    assert sync.covered() == []
    sync.peer_heads = document.heads
    assert sync.covered() == [Flushed(1)]
