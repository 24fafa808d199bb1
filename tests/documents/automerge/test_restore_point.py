"""A document is put back as it was when it is poisoned, or when what was received is refused."""

from __future__ import annotations

import pytest

from support.amdocs import content, log_of, put
from support.automerge_chunks import numbered_wrongly
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
        document.apply_changes([numbered_wrongly(document)])
    assert not document.apply_changes(changes[1:2])
    assert len(content(document)) == 3
