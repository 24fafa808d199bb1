"""A document is put back as it was when it is poisoned, or when what was received is refused."""

from __future__ import annotations

import pytest

from support.amdocs import content, log_of, put
from support.automerge_chunks import chunk
from weft._codecs.automerge.chunks import split_chunks
from weft.documents.automerge.binding import ROOT, ScalarType
from weft.documents.automerge.document import AutomergeDocument
from weft.errors import MirrorError, RemoteProtocolError


def test_a_poisoned_document_is_noticed_and_restored() -> None:
    document = AutomergeDocument()
    for number in range(600):  # past the point where an older fork is let go
        put(document, "n", number)
    before = document.heads
    with pytest.raises(MirrorError, match="before"), document.transaction() as tx:  # noqa: PT012 - as above
        tx.put(ROOT, "n", ScalarType.Int, -1)
        tx.put(ROOT, "n", ScalarType.Unknown, 1)
    assert (document.heads, content(document)) == (before, {"n": 599})
    assert document.core.get_actor() == document.actor
    put(document, "n", 700)
    assert content(AutomergeDocument(document.save())) == {"n": 700}


def test_changes_that_wait_survive_a_message_that_is_refused() -> None:
    changes = log_of(3)
    document = AutomergeDocument()
    document.apply_changes(changes[:1])
    assert document.apply_changes(changes[2:])
    with pytest.raises(RemoteProtocolError):
        document.apply_changes([_numbered_wrongly(document)])
    assert not document.apply_changes(changes[1:2])
    assert len(content(document)) == 3


def _numbered_wrongly(document: AutomergeDocument) -> bytes:
    """A change that the binding takes in, and with which a saved document cannot be loaded again."""
    other = AutomergeDocument(document.save(), actor=b"\x03" * 16)
    before = other.heads
    put(other, "x", 1)
    (raw,) = other.changes_since(before)
    (parsed,) = split_chunks(raw)
    body = bytearray(raw[parsed.start :])
    at = 1 + 32 * len(before) + 17 + 1  # the number of its first operation
    assert body[at] == 2
    body[at] = 1
    return chunk(1, bytes(body))
