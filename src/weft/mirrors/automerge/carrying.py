"""Carrying over what one typed in a shared text that another one has replaced.

Two peers that make a text at the same time, or one that sets a whole string while the other types: one text
wins, at every peer, and the other is hidden with all that is in it. Each peer puts what it typed itself, and
the winner's maker did not know of, into the winner: it alone, so that nothing comes twice. What it deleted or
formatted in the text that has lost stays lost; so does what a JavaScript peer typed there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.deltas import apply, smallest_edit, transform, utf16_length
from weft.mirrors.automerge.text_events import elements

if TYPE_CHECKING:
    from weft.deltas import Delta
    from weft.documents.automerge.binding import CoreDocument

__all__ = ["carry", "typed_since"]


def typed_since(core: CoreDocument, made: bytes, actor: bytes, heads: list[bytes]) -> tuple[str, Delta]:
    """Tell what an actor typed in a text that others did not know of.

    Args:
        core: The document.
        made: The text; it may have lost.
        actor: The actor.
        heads: What the others knew. They need not have known of the text.

    Returns:
        The text as they knew it, and what is inserted in it.
    """
    known = elements(core, made, heads)
    names = {element for element, _ in known}
    delta: Delta = []
    at = retained = 0
    for element, content in elements(core, made):
        if element in names:
            while known[at][0] != element:
                retained += utf16_length(known[at][1])
                at += 1
            retained += utf16_length(content)
            at += 1
        elif element[0] == actor:
            if retained:
                delta.append({"retain": retained})
                retained = 0
            if delta and "insert" in delta[-1]:
                delta[-1]["insert"] += content
            else:
                delta.append({"insert": content})
    return "".join([content for _, content in known]), delta


def carry(base: str, typed: Delta, winner: str) -> Delta:
    """Put what was typed in one text into another that was made of the same, or of nothing.

    What the other has already does not come twice: two programs that begin a text with the same words.

    Args:
        base: What they have in common.
        typed: What was typed.
        winner: The other text.

    Returns:
        What to do in the other text.
    """
    if base:
        return transform(smallest_edit(base, winner), typed, first=False)
    own = apply("", typed)
    if own in winner:
        return []
    more = smallest_edit(winner, own)
    if any("delete" in operation for operation in more):
        return [{"retain": utf16_length(winner)}, {"insert": own}]
    return more
