"""Places in a shared text of an Automerge document, in the form in which JavaScript has them.

``A.getCursor`` gives ``"counter@actor"``: the element that stands at the place, by who inserted it and when.
Where that was deleted, it is the next one; with a ``-`` before it, the one that it was typed behind.
``"s"`` and ``"e"`` are the text's start and end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weft._codecs.automerge.text_ops import read_elements
from weft.deltas import from_utf16, utf16_length
from weft.mirrors.automerge.keys import op_id
from weft.mirrors.automerge.text_events import elements

if TYPE_CHECKING:
    from weft._codecs.automerge.change import OpId
    from weft.documents.automerge.document import AutomergeDocument

__all__ = ["cursor_at", "offset_of"]

_START, _END = "s", "e"
_CURSOR = re.compile(r"(-?)(\d{1,10})@((?:[0-9a-f]{2})+)", re.ASCII)


def cursor_at(document: AutomergeDocument, made: bytes, text: str, offset: int, assoc: int) -> str:
    """Give the cursor that JavaScript's ``A.getCursor`` gives for an offset.

    Args:
        document: The document.
        made: The text.
        text: What it holds.
        offset: In UTF-16 code units, at most the text's length; within a character it is the character's.
        assoc: Below 0: where the character at the offset is deleted, it goes to the one before.
    """
    try:
        index = from_utf16(text, offset)
    except ValueError:
        index = from_utf16(text, offset - 1)
    found = document.core.get(made, index) if index < len(text) else None
    if found is None:
        return _END
    actor, counter = op_id(found[1])
    return f"{'-' if assoc < 0 else ''}{counter}@{actor.hex()}"


def offset_of(document: AutomergeDocument, made: bytes, text: str, cursor: object) -> int | None:
    """Tell where a cursor is, in UTF-16 code units; ``None`` where the text has no such element.

    Takes time linear in the text; in the document, where the element was deleted.
    """
    if not isinstance(cursor, str):
        return None
    if cursor in {_START, _END}:
        return 0 if cursor == _START else utf16_length(text)
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        return None
    goes_before, counter, actor = match.groups()
    wanted = bytes.fromhex(actor), int(counter)
    alive = elements(document.core, made)
    index = 0
    starts = {}
    for element, content in alive:
        starts[element] = index
        index += len(content)
    if wanted not in starts:
        if document.in_transaction:
            return None
        behind = read_elements(document.save(), op_id(made))
        if wanted not in behind:
            return None
        if goes_before:  # as in JavaScript: not the letter before, but the one that it was typed behind
            near: OpId | None = wanted
            while near is not None and near not in starts:
                near = behind.get(near)
            index = 0 if near is None else starts[near]
        else:
            order = list(behind)
            order = order[order.index(wanted) :]
            index = next((starts[element] for element in order if element in starts), index)
    else:
        index = starts[wanted]
    return utf16_length(text[:index])
