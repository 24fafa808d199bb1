"""Append-only logs of a mergeable document: each row is changes as JSON text.

It is what message 3 of TinyBase's protocol has. Rows may be read in any order, and twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.documents.compaction import Compacted
from weft.documents.mergeable.content import check_changes, from_json, to_json
from weft.documents.mergeable.document import MergeableDocument
from weft.errors import InvalidJsonError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weft.documents.mergeable.content import Checked, MergeableChanges

__all__ = ["compact_rows", "from_rows", "read_row", "row_of", "unreadable_rows", "write_row"]

# What is in a log was believed when it came, and is, whatever the clock here has been set to since.
_ANY_TIME = "z" * 16


def write_row(changes: MergeableChanges) -> bytes:
    """The row of a log that has these changes."""
    return to_json(changes).encode()


def read_row(row: bytes) -> Checked:
    """What a row has, for ``MergeableDocument.apply_checked``.

    Raises:
        RemoteProtocolError: It is no row of such a log.
    """
    try:
        return check_changes(from_json(row), _ANY_TIME)
    except InvalidJsonError as error:
        raise RemoteProtocolError(str(error)) from error


def from_rows(rows: Iterable[bytes]) -> MergeableDocument:
    """Make a document of a log.

    Raises:
        RemoteProtocolError: As for :func:`read_row`.
    """
    document = MergeableDocument()
    for row in rows:
        document.apply_checked(read_row(row))
    return document


def row_of(document: MergeableDocument) -> bytes:
    """One row with everything that a document has, without hashes."""
    return write_row([document.get_table_diff({})[0], document.get_value_diff({}), 1])


def unreadable_rows(rows: Sequence[bytes]) -> dict[int, str]:
    """What is wrong with which rows, by their places."""
    faults = {}
    for at, row in enumerate(rows):
        try:
            read_row(row)
        except RemoteProtocolError as error:
            faults[at] = str(error)
    return faults


def compact_rows(rows: Sequence[bytes]) -> Compacted | None:
    """Make one row of many.

    Raises:
        RemoteProtocolError: As for :func:`read_row`.
    """
    if len(rows) < 2:
        return None
    return Compacted(row_of(from_rows(rows)), frozenset())
