from __future__ import annotations

import random

import pytest

from support.amdocs import numbered_document
from weft._codecs.automerge import cut, saved_document
from weft._codecs.automerge.chunks import CHANGE, COMPRESSED, DOCUMENT
from weft._codecs.automerge.cut import cut_sync_message
from weft._codecs.automerge.sync_message import parse_sync_message
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
from weft.documents.automerge.document import AutomergeDocument
from weft.errors import RemoteProtocolError
from weft.protocols.automerge_repo.document_sync import DocumentSync


def _written(changes: int, size: int) -> AutomergeDocument:
    document = numbered_document(1)
    for number in range(changes):
        with document.transaction() as transaction:
            transaction.put(ROOT, f"k{number}", ScalarType.Bytes, random.Random(number).randbytes(size))
    return document


def _message(document: AutomergeDocument, other: AutomergeDocument) -> bytes:
    """The first message with which the document brings something to the other one."""
    here, there = document.new_sync_state(), other.new_sync_state()
    while True:
        message = document.generate_sync_message(here)
        assert message is not None
        if parse_sync_message(message).chunks:
            return message
        other.receive_sync_message(there, message)
        answer = other.generate_sync_message(there)
        assert answer is not None
        document.receive_sync_message(here, answer)


def _all(document: AutomergeDocument) -> list[tuple[bytes, int]]:
    return DocumentSync(document, document.new_sync_state(), read_only=False).all_changes()


@pytest.mark.parametrize("known", [0, 1, 30])
def test_the_parts_bring_what_the_message_brings_and_say_the_same_of_its_sender(known: int) -> None:
    document = _written(60, 100)
    other = AutomergeDocument()
    other.apply_changes(document.changes_since(())[:known])
    message = _message(document, other)
    parts = cut_sync_message(message, 1_000, lambda: _all(document))
    assert len(parts) > 3
    assert all(len(part) <= 1_000 for part in parts)
    for part in parts:
        assert parse_sync_message(part)[:2] == parse_sync_message(message)[:2]
        assert all(chunk.kind != DOCUMENT for chunk in parse_sync_message(part).chunks)
        assert other.heads != document.heads
        other.receive_sync_message(other.new_sync_state(), part)
    assert other.heads == document.heads


def test_what_is_small_enough_is_left_as_it_is() -> None:
    document = _written(60, 100)
    message = _message(document, AutomergeDocument())
    assert parse_sync_message(message).chunks[0].kind == DOCUMENT
    assert cut_sync_message(message, len(message), list) == [message]


def test_a_change_that_is_too_large_is_a_part_of_its_own() -> None:
    document = _written(2, 2_000)
    with document.transaction() as transaction:
        transaction.put(ROOT, "last", ScalarType.Int, 1)
    message = _message(document, AutomergeDocument())
    parts = cut_sync_message(message, 1_000, lambda: _all(document))
    assert [len(part) > 1_000 for part in parts] == [True, True, False]


def _text(document: AutomergeDocument, changes: int, characters: int) -> AutomergeDocument:
    with document.transaction() as transaction:
        text = transaction.put_object(ROOT, "text", ObjType.Text)
    for _ in range(changes):
        with document.transaction() as transaction:
            transaction.splice_text(text, 0, 0, "a" * characters)
    return document


def test_a_small_message_that_unpacks_to_too_much_is_cut_by_operations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cut, "_PART_OPS", 2_500)
    document = _text(AutomergeDocument(), 9, 1_000)
    message = _message(document, AutomergeDocument())
    for most, is_cut in ((9_001, False), (9_000, True)):
        monkeypatch.setattr(saved_document, "_MAX_DOCUMENT_OPS", most)
        monkeypatch.setattr(saved_document, "MAX_OPS", most)
        assert (cut_sync_message(message, 1 << 24, lambda: _all(document)) != [message]) == is_cut
    parts = cut_sync_message(message, 1 << 24, lambda: _all(document))
    assert [len(parse_sync_message(part).chunks) for part in parts] == [3, 2, 2, 2, 1]
    other = AutomergeDocument()
    with pytest.raises(RemoteProtocolError, match="too many operations"):
        other.receive_sync_message(other.new_sync_state(), message)
    for part in parts:
        assert parse_sync_message(part)[:2] == parse_sync_message(message)[:2]
        assert other.heads != document.heads
        other.receive_sync_message(other.new_sync_state(), part)
    assert other.heads == document.heads


def test_a_change_of_more_bytes_than_a_part_goes_out_compressed() -> None:
    document = numbered_document(1)
    with document.transaction() as transaction:
        transaction.put(ROOT, "large", ScalarType.Bytes, bytes(2_000))
    with document.transaction() as transaction:
        transaction.put(ROOT, "noise", ScalarType.Bytes, random.Random(1).randbytes(2_000))
    other = numbered_document(2)
    parts = cut_sync_message(_message(document, other), 500, lambda: _all(document))
    assert [parse_sync_message(part).chunks[0].kind for part in parts] == [COMPRESSED, CHANGE]
    assert len(parts[0]) < 500 < len(parts[1])
    for part in parts:
        other.receive_sync_message(other.new_sync_state(), part)
    assert other.heads == document.heads
