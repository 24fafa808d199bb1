"""Answers that are no larger than a client takes.

TinyBase takes messages of 16 MiB, also in parts, and an answer has all that the client lacks. What does not
fit is left out; the hashes are told again a moment later, and the client comes for the rest.
"""

from __future__ import annotations

from typing import Any

from weft.documents.mergeable import to_json
from weft.protocols.tinybase import MessageType

__all__ = ["ROOM_FOR_HEADS", "cut_answer"]

ROOM_FOR_HEADS = 4096
"""Bytes kept for what stands around stamps: ids of messages and channels, and the heads of parts."""

# How many levels of stamps there are below the first one in the answer to each question.
_LEVELS = {
    MessageType.GET_TABLE_DIFF: 2,
    MessageType.GET_ROW_DIFF: 2,
    MessageType.GET_CELL_DIFF: 2,
    MessageType.GET_VALUE_DIFF: 0,
}


def cut_answer(question: MessageType, body: Any, size: int) -> Any:
    """Leave as many stamps in an answer as fit, one at least.

    Args:
        question: What was asked.
        body: The answer's, which stays as it is.
        size: Bytes of JSON text in UTF-8.
    """
    levels = _LEVELS.get(question)
    if levels is None:
        return body
    if isinstance(body[0], list):
        hashes = body[1]
        return [_Cut(size - len(to_json(hashes).encode())).cut(body[0], levels), hashes]
    return _Cut(size).cut(body, levels)


class _Cut:
    """What is left of so many bytes."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._is_empty = True

    def cut(self, stamp: list[Any], levels: int) -> list[Any]:
        kept = {}
        for key, child in stamp[0].items():
            size = len(to_json(key if levels else [key, child]).encode()) + 16
            if size > self._left and not self._is_empty:
                self._left = 0
                break
            self._left -= size
            if levels:
                child = self.cut(child, levels - 1)  # noqa: PLW2901 - what is left of it
                if not child[0]:  # TinyBase's hashes drift where there is a row without cells
                    break
            self._is_empty = False
            kept[key] = child
        return [kept, *stamp[1:]]
