from __future__ import annotations

import random

import pytest

from support.amdocs import numbered_document
from weft._codecs.automerge.chunks import DOCUMENT
from weft._codecs.automerge.cut import cut_sync_message
from weft._codecs.automerge.sync_message import parse_sync_message
from weft.documents.automerge.binding import ROOT, ScalarType
from weft.documents.automerge.document import AutomergeDocument


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


@pytest.mark.parametrize("known", [0, 1, 30])
def test_the_parts_bring_what_the_message_brings_and_say_the_same_of_its_sender(known: int) -> None:
    document = _written(60, 100)
    other = AutomergeDocument()
    other.apply_changes(document.changes_since(())[:known])
    message = _message(document, other)
    parts = cut_sync_message(message, 1_000, lambda: document.changes_since(()))
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
    parts = cut_sync_message(message, 1_000, lambda: document.changes_since(()))
    assert [len(part) > 1_000 for part in parts] == [True, True, False]
