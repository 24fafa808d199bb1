"""What was written by the lean way is noted when it is needed: nothing is lost by a panic that follows."""

from __future__ import annotations

import pytest

from support.amdocs import content
from weft.documents.automerge.binding import ROOT, ScalarType
from weft.documents.automerge.document import AutomergeDocument
from weft.errors import MirrorError


@pytest.mark.parametrize("count", [1, 255, 256, 700])
@pytest.mark.parametrize("is_whole", [False, True])
def test_a_document_is_restored_with_what_was_written_since(count: int, is_whole: bool) -> None:
    document = AutomergeDocument()
    if is_whole:
        document.apply_changes([])
        other = AutomergeDocument()
        other.write(lambda tx: tx.put(ROOT, "other", ScalarType.Int, 1))
        document.apply_changes(other.changes_since(()))
    for number in range(count):
        document.write(lambda tx, number=number: tx.put(ROOT, "n", ScalarType.Int, number))
    before, held = document.heads, content(document)
    with pytest.raises(MirrorError, match="as before"), document.transaction() as tx:
        tx.put(ROOT, "n", ScalarType.Unknown, 1)
    assert document.heads == before
    assert content(AutomergeDocument(document.save())) == held
    change = document.new_change()
    change.put(None, "last", 5)
    document.apply_built(change)
    assert content(document)["last"] == 5
