"""Logs with changes that an earlier version should not have stored."""

from __future__ import annotations

import logging

import pytest

from support.amdocs import put
from support.automerge_chunks import BACKWARDS, OTHER, honest_changes
from weft._codecs.automerge.change_builder import ChangeBuilder
from weft._codecs.automerge.chunks import change_hash
from weft.documents.automerge.document import AutomergeDocument
from weft.documents.automerge.log import LogRows, compact_changes
from weft.documents.automerge.rows import load_rows
from weft.errors import RemoteProtocolError


def _log() -> tuple[list[bytes], AutomergeDocument]:
    """A log with a change numbered backwards, one that follows on it and an honest one; the honest."""
    first, second, third = BACKWARDS
    honest = AutomergeDocument.from_rows([first, second])
    put(honest, "a", 1)
    builder = ChangeBuilder(actor=OTHER, seq=1, start_op=50, deps=[change_hash(third)])
    builder.put(None, "lost", 1)
    last = honest.changes_since([change_hash(second)])
    return [first, second, third, builder.chunk(), *last], honest


def test_a_log_opens_without_what_is_numbered_wrongly_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    rows, honest = _log()
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "weft.documents"):
            document = AutomergeDocument.from_rows(rows)
        assert document.left_out == rows[2:4]
        assert document.heads == honest.heads
        (record,) = caplog.records
        assert "2 stored changes" in record.message
        assert "actor's last one" in record.message
        assert not document.apply_changes(())  # nothing is asked for in vain
    AutomergeDocument(document.save())


def test_what_is_left_out_stays_in_its_rows() -> None:
    rows, honest = _log()
    document = AutomergeDocument.from_rows(rows)
    compacted = LogRows(document, rows).compactor()(rows)
    assert compacted is not None
    assert compacted == compact_changes(rows)
    assert compacted.kept == {2, 3}
    again = AutomergeDocument.from_rows([compacted.snapshot, *rows[2:4]])
    assert (again.heads, again.left_out) == (honest.heads, rows[2:4])


def test_rows_are_one_saved_document_and_changes() -> None:
    saved, changes = honest_changes()
    core, found = load_rows([changes[0], saved + changes[1], saved])
    assert core is not None
    assert tuple(core.get_heads()) == AutomergeDocument(saved).heads
    assert list(found.values()) == changes[:2]
    assert load_rows([]) == (None, {})
    with pytest.raises(RemoteProtocolError):
        load_rows([b"x"])
