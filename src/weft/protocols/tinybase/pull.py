"""Questions and answers: what a peer has and the document lacks, and whether it has what was written.

Who asks is a generator of questions: it is sent the body of each answer, and returns its result at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from weft.errors import RemoteProtocolError
from weft.protocols.tinybase.changes import hlc_of, merge_tables
from weft.protocols.tinybase.messages import MessageType, are_hashes

if TYPE_CHECKING:
    from collections.abc import Generator

    from weft.documents.mergeable import MergeableDocument
    from weft.protocols.tinybase.messages import Message
    from weft.protocols.tinybase.writes import Writes

__all__ = ["Questions", "answer", "confirm", "pull"]

Questions: TypeAlias = "Generator[tuple[MessageType, Any], Any, Any]"


def answer(document: MergeableDocument, question: Message) -> Any:
    """The body of the answer to a question."""
    body = question.body
    match question.type:
        case MessageType.GET_CONTENT_HASHES:
            return document.get_content_hashes()
        case MessageType.GET_TABLE_DIFF:
            return document.get_table_diff(body)
        case MessageType.GET_ROW_DIFF:
            return document.get_row_diff(body)
        case MessageType.GET_CELL_DIFF:
            return document.get_cell_diff(body)
        case _:
            return document.get_value_diff(body)


def pull(document: MergeableDocument, hashes: list[int]) -> Generator[tuple[MessageType, Any], Any, Any]:
    """Ask for what is lacking here of what has those hashes of tables and values.

    Returns:
        Changes to be applied.

    Raises:
        RemoteProtocolError: An answer is none to its question.
    """
    tables_hash, values_hash = document.get_content_hashes()
    tables: list[Any] = [{}]
    if tables_hash != hashes[0]:
        tables, differing = _two(
            (yield MessageType.GET_TABLE_DIFF, document.get_table_hashes()), nested=False
        )
        if differing:
            rows, differing = _two(
                (yield MessageType.GET_ROW_DIFF, document.get_row_hashes(differing)), nested=True
            )
            merge_tables(tables, rows)
            if differing:
                merge_tables(
                    tables, _one((yield MessageType.GET_CELL_DIFF, document.get_cell_hashes(differing)), 2)
                )
    values: list[Any] = [{}]
    if values_hash != hashes[1]:
        values = _one((yield MessageType.GET_VALUE_DIFF, document.get_value_hashes()), 0)
    return [tables, values, 1]


def confirm(document: MergeableDocument, writes: Writes) -> Generator[tuple[MessageType, Any], Any, bool]:
    """Find out whether a peer has everything that stood in the document when it was asked.

    It has if its hashes are the document's, of then or now. Otherwise others write at the same time, so that
    it is asked for the stamps of what was written.

    Raises:
        RemoteProtocolError: An answer is none to its question.
    """
    before = document.get_content_hashes()
    hashes = _hashes((yield MessageType.GET_CONTENT_HASHES, ""))
    if hashes in (before, document.get_content_hashes()):
        return True
    if not writes.are_known:
        return False
    cells, values = writes.latest()
    if cells:
        wanted: dict[str, Any] = {
            table_id: {row_id: {} for row_id in rows} for table_id, rows in cells.items()
        }
        tables = _one((yield MessageType.GET_CELL_DIFF, wanted), 2)[0]
        for table_id, rows in cells.items():
            there = tables.get(table_id, [{}])[0]
            for row_id, stamps in rows.items():
                if not _has(there.get(row_id, [{}])[0], stamps):
                    return False
    if values:
        # Of the others only what differs is sent back.
        known = {key: value for key, value in document.get_value_hashes().items() if key not in values}
        return _has(_one((yield MessageType.GET_VALUE_DIFF, known), 0)[0], values)
    return True


def _has(things: dict[str, Any], stamps: dict[str, str]) -> bool:
    return all(key in things and hlc_of(things[key]) >= hlc for key, hlc in stamps.items())


def _hashes(answer: Any) -> list[int]:
    if not are_hashes(answer):
        raise _wrong(answer)
    return list(answer)


def _one(answer: Any, depth: int) -> list[Any]:
    """Check that an answer is a stamp, of tables (``depth`` 2) or of values (0)."""
    if not isinstance(answer, list) or not isinstance(answer[0], dict) or not _is_deep(answer[0], depth):
        raise _wrong(answer)
    return answer


def _is_deep(things: dict[str, Any], depth: int) -> bool:
    if not depth:
        return True
    return all(isinstance(below[0], dict) and _is_deep(below[0], depth - 1) for below in things.values())


def _two(answer: Any, *, nested: bool) -> tuple[list[Any], dict[str, Any]]:
    """Check that an answer is a stamp of tables and hashes by table, or by row."""
    if not isinstance(answer, list) or len(answer) != 2 or not isinstance(answer[1], dict):
        raise _wrong(answer)
    if any(isinstance(below, dict) is not nested for below in answer[1].values()):
        raise _wrong(answer)
    return _one(answer[0], 2), answer[1]


def _wrong(answer: Any) -> RemoteProtocolError:
    return RemoteProtocolError(f"not an answer to what was asked: {answer!r:.100}")
