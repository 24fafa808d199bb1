"""Append-only logs of an Automerge document: one saved document made out of many rows, and nothing lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.automerge.chunks import DOCUMENT, split_chunks
from weft.documents.automerge.binding import contained, load_core
from weft.documents.automerge.document import AutomergeDocument

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["compact_rows"]


def compact_rows(rows: Sequence[bytes]) -> tuple[bytes, frozenset[int]] | None:
    """Make one saved document that stands for as many rows as are whole.

    A saved document cannot be relied upon to carry a change that waits for others; its row must stay. What is
    returned has been loaded once.

    Args:
        rows: Of one document, as :meth:`AutomergeDocument.from_rows` takes them.

    Returns:
        The saved document, and the positions of the rows that must stay beside it; ``None`` when the rows had
        better stay as they are.

    Raises:
        RemoteProtocolError: A row is neither a saved document nor changes.
    """
    document = AutomergeDocument.from_rows(rows)
    with contained("read the changes"):
        known = {change.hash for change in document.core.get_changes([])}
    kept = frozenset(
        at
        for at, row in enumerate(rows)
        if any(chunk.kind != DOCUMENT and chunk.hash not in known for chunk in split_chunks(row))
    )
    if len(rows) - len(kept) < 2:
        return None
    saved = split_chunks(document.save())[0]
    with contained("load what was saved"):
        again = load_core(saved.data)
        if saved.kind != DOCUMENT or tuple(sorted(again.get_heads())) != document.heads:
            return None
    return saved.data, kept
