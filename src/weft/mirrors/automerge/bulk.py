"""Writing much new content into an Automerge document at once.

The binding takes some 30 µs for each cell that a transaction puts, and a tenth of that where the same
operations come in a change. So what overwrites nothing is written into a change made here.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from weft.documents.automerge.binding import ROOT
from weft.mirrors.automerge.keys import TABLES, VALUES, encode_key, object_id, op_id
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weft._codecs.automerge.change import OpId
    from weft._codecs.automerge.change_builder import ChangeBuilder
    from weft.deltas import Delta
    from weft.documents.automerge.document import AutomergeDocument
    from weft.mirrors.automerge.index import DocumentIndex, Path
    from weft.mirrors.mirror import DocumentWrite

__all__ = ["BulkTarget", "bulk", "is_bulk"]

_MIN_CELLS = 64  # below it the fixed cost of a change that is received is the larger one


def is_bulk(changes: DocumentWrite, index: DocumentIndex) -> bool:
    """Whether changes are worth a change made by hand, and put cells only where nothing is."""
    if changes.removed_tables or changes.removed_rows:
        return False
    places: list[tuple[Path, Mapping[str, object]]]
    places = [
        ((TABLES, table, row), cells) for table, rows in changes.tables.items() for row, cells in rows.items()
    ]
    if changes.values:
        places.append(((VALUES,), changes.values))
    if sum([len(cells) for _, cells in places]) < _MIN_CELLS:
        return False
    for path, cells in places:
        container = index.container(path)
        for key, cell in cells.items():
            if cell is UNDEFINED or (
                container is not None and index.look(container, encode_key(key)) is not None
            ):
                return False
    return True


class BulkTarget:
    """What a :class:`~weft.mirrors.automerge.writer.CellWriter` writes to, collecting one change."""

    def __init__(self, builder: ChangeBuilder) -> None:
        self._builder = builder
        self._ids: dict[bytes, OpId | None] = {ROOT: None}

    def make_map(self, obj: bytes, key: str) -> bytes:
        """Make a map at a key of a map."""
        made = self._builder.make_map(self._op_id(obj), key)
        found = object_id(made)
        self._ids[found] = made
        return found

    def make_text(self, obj: bytes, key: str, text: str) -> bytes:
        """Make a text at a key of a map."""
        return object_id(self._builder.make_text(self._op_id(obj), key, text))

    def put(self, obj: bytes, key: str, cell: int | float | None) -> None:
        """Set a key of a map."""
        self._builder.put(self._op_id(obj), key, cell)

    def delete(self, obj: bytes, key: str) -> None:
        """Not to be had: :func:`is_bulk` was false."""
        raise AssertionError("a bulk write deletes nothing")

    def edit_text(self, made: bytes, cell: str, delta: Delta | None) -> None:
        """Not to be had: there were no edits."""
        raise AssertionError("a bulk write edits nothing")

    def edit_texts(self, changes: DocumentWrite) -> tuple[()]:
        """Not to be had: there were no edits."""
        raise AssertionError("a bulk write edits nothing")

    def _op_id(self, obj: bytes) -> OpId | None:
        if obj not in self._ids:
            self._ids[obj] = op_id(obj)
        return self._ids[obj]


@contextmanager
def bulk(document: AutomergeDocument, *, origin: object) -> Iterator[BulkTarget]:
    """Put what is written to the target into the document when the block ends; nothing on an exception."""
    builder = document.new_change()
    yield BulkTarget(builder)
    if len(builder):
        document.apply_built(builder, origin=origin)
