"""What changes did in texts, and which elements a text has in a saved document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from weft._codecs.automerge.change import decode_change
from weft._codecs.automerge.text_ops import TextOps, read_elements, read_text_ops
from weft.documents.automerge.binding import ROOT, ExpandMark, ObjType, ScalarType
from weft.documents.automerge.document import AutomergeDocument
from weft.errors import RemoteProtocolError
from weft.mirrors.automerge.keys import op_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.documents.automerge.binding import CoreTransaction

ACTOR = b"\x07" * 16


class _Text:
    def __init__(self) -> None:
        self.document = AutomergeDocument(actor=ACTOR)
        with self.document.transaction() as tx:
            self.made = tx.put_object(ROOT, "text", ObjType.Text)
            tx.splice_text(self.made, 0, 0, "héllo")  # elements 2 to 6

    def after(self, write: Callable[[CoreTransaction, bytes], object]) -> TextOps:
        before = self.document.heads
        self.document.write(lambda tx: write(tx, self.made))
        found: dict[object, TextOps] = {}
        for change in self.document.changes_since(before):
            read_text_ops(change, {op_id(self.made)}, found)  # type: ignore[arg-type]
            read_text_ops(change, set(), {})
        return found[op_id(self.made)]


def _ids(*counters: int) -> list[tuple[bytes, int]]:
    return [(ACTOR, counter) for counter in counters]


def test_what_was_inserted_deleted_and_marked_is_told() -> None:
    text = _Text()
    assert text.after(lambda tx, made: tx.splice_text(made, 1, 2, "ab")) == TextOps(
        inserted=_ids(7, 8), deleted=set(_ids(3, 4))
    )

    def write_twice(tx: CoreTransaction, made: bytes) -> None:
        tx.splice_text(made, 0, 0, "x")
        tx.splice_text(made, 4, 0, "y")

    ops = text.after(write_twice)
    assert (len(ops.inserted), ops.is_run, ops.is_plain) == (2, False, True)
    ops = text.after(lambda tx, made: tx.mark(made, 0, 2, "bold", ScalarType.Boolean, True, ExpandMark.After))
    assert ops == TextOps(has_marks=True)
    ops = text.after(lambda tx, made: tx.insert_object(made, 1, ObjType.Map))
    assert (len(ops.inserted), ops.is_plain) == (1, True)
    assert not text.after(lambda tx, made: tx.put(made, 0, ScalarType.Str, "z")).is_plain


def test_the_elements_of_a_saved_text_are_in_order_deleted_ones_among_them() -> None:
    text = _Text()
    text.after(lambda tx, made: tx.splice_text(made, 1, 2, "ab"))
    saved = text.document.save()
    elements = read_elements(saved, op_id(text.made))
    assert list(elements) == _ids(2, 7, 8, 3, 4, 5, 6)
    assert list(elements.values()) == [None, *_ids(2, 7, 2, 3, 4, 5)]
    assert read_elements(saved, (b"\x08" * 16, 1)) == {}
    assert read_elements(saved, (ACTOR, 99)) == {}


def test_what_is_no_change_is_refused() -> None:
    (change,) = _Text().document.changes_since(())
    assert len(decode_change(change).ops) == 2
    with pytest.raises(RemoteProtocolError):
        read_text_ops(change[:-3], set(), {})
