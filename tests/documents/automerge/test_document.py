"""AutomergeDocument: what is told, what is refused, and that a refusal leaves the document as it was."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.amdocs import content, log_of, put, sync
from support.automerge_chunks import OTHER, honest_changes
from weft._codecs.automerge import saved_document
from weft._codecs.automerge.chunks import split_chunks
from weft._codecs.automerge.sync_message import make_sync_message
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
from weft.documents.automerge.document import AutomergeDocument
from weft.errors import DataError, LocalProtocolError, RemoteProtocolError
from weft.limits import Limits

# -- transactions


def test_an_exception_rolls_back_and_propagates() -> None:
    document = AutomergeDocument()
    put(document, "a", 1)
    before = document.heads
    with pytest.raises(ZeroDivisionError), document.transaction() as tx:  # noqa: PT012 - the block is the test
        tx.put(ROOT, "a", ScalarType.Int, 2)
        raise ZeroDivisionError
    assert (document.heads, content(document), document.in_transaction) == (before, {"a": 1}, False)


def test_nothing_else_can_be_done_while_a_transaction_is_open() -> None:
    document = AutomergeDocument()
    state = document.new_sync_state()
    with document.transaction() as tx:
        assert document.in_transaction
        tx.put(ROOT, "a", ScalarType.Int, 1)
        for attempt in (
            lambda: document.transaction().__enter__(),
            lambda: document.apply_changes([]),
            lambda: document.generate_sync_message(state),
            lambda: document.receive_sync_message(state, b""),
            lambda: document.includes([bytes(32)]),
            document.save,
        ):
            with pytest.raises(LocalProtocolError):
                attempt()
    assert content(document) == {"a": 1}


def test_a_process_that_ends_within_a_transaction_ends_in_order() -> None:
    program = (
        "from weft.documents.automerge.document import AutomergeDocument\n"
        "from weft.documents.automerge.binding import ROOT, ScalarType\n"
        "document = AutomergeDocument()\n"
        "manager = document.transaction()\n"
        "manager.__enter__().put(ROOT, 'a', ScalarType.Int, 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


# -- receiving


def test_changes_may_come_in_any_order_and_wait_for_each_other() -> None:
    changes = log_of(4)
    names = [each.hash for change in changes for each in split_chunks(change)]
    document = AutomergeDocument()
    assert not document.apply_changes(changes[:1])
    assert document.apply_changes(changes[2:])
    assert content(document) == {"k0": 0}
    assert not document.includes(names)
    assert document.includes(names[:1])
    assert not document.apply_changes(changes[1:2])
    assert content(document) == {"k0": 0, "k1": 1, "k2": 2, "k3": 3}
    assert document.includes(names)
    assert document.includes(document.heads)
    assert not document.includes([b"\x11" * 32])


def test_a_document_may_have_more_operations_the_larger_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_document, "MAX_OPS", 50)
    long_history, bomb = AutomergeDocument(), AutomergeDocument()
    for number in range(400):
        put(long_history, f"k{number % 7}", number * 999)
    with bomb.transaction() as tx:
        tx.splice_text(tx.put_object(ROOT, "text", ObjType.Text), 0, 0, "x" * 20_000)
    document = AutomergeDocument()
    assert not document.apply_changes([long_history.save()])
    assert document.heads == long_history.heads
    with pytest.raises(RemoteProtocolError, match="too many operations"):
        document.apply_changes([bomb.save()])
    assert document.heads == long_history.heads


def test_malformed_and_too_large_messages_are_refused() -> None:
    document = AutomergeDocument(limits=Limits(max_message=100))
    state = document.new_sync_state()
    changes = log_of(2)
    for bad in (b"", b"\x42", b"hello", make_sync_message([], [changes[0][:-1]]), bytes(101)):
        with pytest.raises(RemoteProtocolError):
            document.receive_sync_message(state, bad)
    assert document.heads == ()
    heads = [bytes([number]) * 32 for number in (9, 3)]
    assert document.receive_sync_message(state, make_sync_message(heads)) == tuple(sorted(heads))


# -- data


def test_a_saved_document_followed_by_changes_is_loaded_and_nothing_else_is() -> None:
    saved, changes = honest_changes()
    document = AutomergeDocument(saved + changes[0])
    assert document.changes_since(AutomergeDocument(saved).heads) == [changes[0]]
    for bad in (b"x", saved[:-1], saved + changes[0][:-1], changes[0], saved[:40] + b"x" + saved[41:]):
        with pytest.raises(RemoteProtocolError):
            AutomergeDocument(bad)
    with pytest.raises(DataError):
        AutomergeDocument(actor=b"")
    assert AutomergeDocument(saved, actor=OTHER).core.get_actor() == OTHER


def test_rows_in_any_order_make_the_document() -> None:
    rows = log_of(12)
    whole = AutomergeDocument.from_rows(reversed(rows))
    assert len(content(whole)) == 12
    assert whole.heads == AutomergeDocument.from_rows(rows).heads


def test_documents_that_were_made_apart_are_one_after_both_are_rows() -> None:
    documents = [AutomergeDocument(), AutomergeDocument()]
    for number, document in enumerate(documents):
        put(document, f"k{number}", number)
    both = AutomergeDocument.from_rows([document.save() for document in documents])
    assert content(both) == {"k0": 0, "k1": 1}
    put(both, "own", 1)
    assert both.core.get_actor() == both.actor


def test_nested_objects_arrive() -> None:
    one, other = AutomergeDocument(), AutomergeDocument()
    with one.transaction() as tx:
        text = tx.put_object(tx.put_object(ROOT, "m", ObjType.Map), "t", ObjType.Text)
        tx.splice_text(text, 0, 0, "hé👩")
    sync(one, other)
    found = other.core.get(ROOT, "m")
    assert found is not None
    inner = other.core.get(found[1], "t")
    assert inner is not None
    assert other.core.text(inner[1]) == "hé👩"
