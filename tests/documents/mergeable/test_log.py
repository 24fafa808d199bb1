"""Logs of a mergeable document: rows in any order, and one row of many."""

from __future__ import annotations

import random

import pytest

from weft.documents.mergeable import MergeableDocument, encode_hlc
from weft.documents.mergeable.log import compact_rows, from_rows, read_row, unreadable_rows, write_row
from weft.errors import RemoteProtocolError
from weft.values import UNDEFINED


def rows_of_an_edited_document() -> tuple[MergeableDocument, list[bytes]]:
    document, rows = MergeableDocument("a"), []
    end = document.subscribe(lambda event: rows.append(write_row(event.changes)))
    document.set_cell("pets", "fido", "species", "dog")
    document.set_value("open", True)
    with document.transaction():
        document.set_cell("pets", "felix", "species", "cat")
        document.set_cell("pets", "fido", "species", UNDEFINED)
    document.set_cell("pets", "default", "color", "brown", "")
    end()
    return document, rows


def test_rows_in_any_order_and_twice_are_the_document() -> None:
    document, rows = rows_of_an_edited_document()
    for seed in range(10):
        shuffled = [*rows, *rows]
        random.Random(seed).shuffle(shuffled)
        assert _same(from_rows(shuffled), document)


def _same(one: MergeableDocument, other: MergeableDocument) -> bool:
    return one.get_content_hashes() == other.get_content_hashes() and one.get_living() == other.get_living()


def test_a_compacted_log_means_the_same() -> None:
    document, rows = rows_of_an_edited_document()
    compacted = compact_rows(rows)
    assert compacted is not None
    assert compacted.kept == frozenset()
    assert _same(from_rows([compacted.snapshot]), document)
    assert compact_rows(rows[:1]) is None


def test_what_was_stored_is_read_however_far_ahead_its_clock_was() -> None:
    row = write_row([[{"t": [{"r": [{"c": [1, encode_hlc(2**41, 0, "client")]}]}]}], [{}], 1])
    assert from_rows([row]).get_cell("t", "r", "c") == 1


@pytest.mark.parametrize(
    "bad", [b"", b"\xff", b"{}", b"[[{}],[{}],2]", b'[[{"t":[{"r":[{"c":[1,"x"]}]}]}],[{}],1]']
)
def test_what_is_no_row_is_told(bad: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read_row(bad)
    _, rows = rows_of_an_edited_document()
    assert list(unreadable_rows([*rows, bad, rows[0]])) == [len(rows)]
    with pytest.raises(RemoteProtocolError):
        compact_rows([rows[0], bad])
