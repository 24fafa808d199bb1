"""Append-only logs of an Automerge document: one saved document made out of many rows, and nothing lost.

The binding never lets go of the interpreter: what makes a document out of a log of 60,000 changes stops the
event loop for two seconds, on whichever thread it runs. Saving the document that is in memory takes a
fiftieth.
"""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

from weft._codecs.automerge.chunks import DOCUMENT, split_chunks
from weft.documents.automerge.binding import contained, load_core
from weft.documents.automerge.document import AutomergeDocument
from weft.documents.compaction import Compacted
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weft.documents.automerge.events import Heads
    from weft.documents.compaction import Compactor

__all__ = ["LogRows", "compact_changes", "unreadable_rows"]


def compact_changes(rows: Sequence[bytes]) -> Compacted | None:
    """Make one saved document that stands for as many rows as are whole.

    A saved document cannot be relied upon to carry a change that waits for others; its row must stay. What is
    returned has been loaded once.

    Args:
        rows: Of one document, as :meth:`AutomergeDocument.from_rows` takes them.

    Returns:
        What may replace the rows, or ``None`` when they had better stay as they are.

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
    saved = split_chunks(document.save())[0]
    return _replace(saved.data, document.heads, kept, rows) if saved.kind == DOCUMENT else None


def unreadable_rows(rows: Sequence[bytes]) -> dict[int, str]:
    """What is wrong with the rows of which no document can be made, by their places.

    Those that cannot be read by themselves; then, of the others, each with which those before it cannot.
    """
    faults = {at: fault for at, row in enumerate(rows) if (fault := _fault([row]))}
    left = [at for at in range(len(rows)) if at not in faults]
    while fault := _fault([rows[at] for at in left]):
        low, high = 0, len(left)  # so many can be read, and so many cannot
        while high - low > 1:
            middle = (low + high) // 2
            found = _fault([rows[at] for at in left[:middle]])
            if found:
                high, fault = middle, found
            else:
                low = middle
        faults[left.pop(high - 1)] = fault
    return faults


def _fault(rows: Sequence[bytes]) -> str:
    try:
        AutomergeDocument.from_rows(rows)
    except RemoteProtocolError as error:
        return str(error) or "it cannot be read"
    return ""


class LogRows:
    """Which rows of its log a document in memory has taken in.

    Args:
        document: The document.
        rows: It was made of these.
    """

    def __init__(self, document: AutomergeDocument, rows: Iterable[bytes]) -> None:
        self._document = document
        # What waits for others is in no saved document, nor what was left out of this one.
        self._is_whole = not (document.left_out or document.apply_changes(()))
        self._rows = {_digest(row) for row in rows}
        self._replaced: frozenset[bytes] = frozenset()  # of them, by what was saved last

    def note(self, row: bytes) -> None:
        """Of a row that is appended: the document has its changes."""
        self._rows.add(_digest(row))

    def compacted(self) -> None:
        """Forget the rows whose place in storage the document that was saved last has taken."""
        self._rows -= self._replaced
        self._replaced = frozenset()

    def compactor(self) -> Compactor:
        """Save the document as it is now: that stands for every row noted so far, and for no other."""
        saved = split_chunks(self._document.save())[0]
        if not self._is_whole or saved.kind != DOCUMENT:
            return compact_changes
        snapshot = bytes(saved.data)
        self._replaced = frozenset(self._rows - {_digest(snapshot)})
        self.note(snapshot)
        # A copy: this is called for on the event loop, and used on another thread while rows are appended.
        return partial(_compact_known, snapshot, self._document.heads, frozenset(self._rows))


def _compact_known(
    snapshot: bytes, heads: Heads, known: frozenset[bytes], rows: Sequence[bytes]
) -> Compacted | None:
    kept = frozenset(at for at, row in enumerate(rows) if _digest(row) not in known)
    return _replace(snapshot, heads, kept, rows)


def _replace(snapshot: bytes, heads: Heads, kept: frozenset[int], rows: Sequence[bytes]) -> Compacted | None:
    if len(rows) - len(kept) < 2:
        return None
    with contained("load what was saved"):
        if tuple(sorted(load_core(snapshot).get_heads())) != heads:
            return None
    return Compacted(snapshot, kept)


def _digest(row: bytes) -> bytes:
    return blake2b(row, digest_size=16).digest()
