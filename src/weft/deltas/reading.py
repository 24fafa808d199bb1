"""What a delta says: its string, its formats, and whether it cuts a character in two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.deltas.form import EMBED
from weft.deltas.offsets import from_utf16, utf16_length

if TYPE_CHECKING:
    from weft.deltas.form import Attributes, DeltaInput

__all__ = ["attributes_before", "check_cuts", "is_styled", "text_of"]


def text_of(delta: DeltaInput) -> str:
    """Give the string of a text with its formats: a delta of ``insert`` alone; an embed is U+FFFC."""
    return "".join(op["insert"] if isinstance(op["insert"], str) else EMBED for op in delta)


def is_styled(delta: DeltaInput) -> bool:
    """Tell whether a delta has what a string cannot say: formats or embeds."""
    for op in delta:  # noqa: SIM110 - of each letter that is typed: any() takes four times as long
        if op.get("attributes") or not isinstance(op.get("insert", ""), str):
            return True
    return False


def attributes_before(delta: DeltaInput, offset: int) -> Attributes:
    """Give the formats of the character before an offset, of a text with its formats."""
    for op in delta:
        if offset <= 0:
            break
        inserted = op["insert"]
        offset -= utf16_length(inserted) if isinstance(inserted, str) else 1
        if offset <= 0:
            return op.get("attributes")
    return None


def check_cuts(text: str, delta: DeltaInput) -> None:
    """Let pass only a delta that cuts no character of the text in two halves.

    Raises:
        ValueError: It does.
    """
    if text.isascii():
        return
    offset = 0
    for op in delta:
        if "insert" not in op:
            from_utf16(text, offset)
            offset += op.get("delete") or op["retain"]
            from_utf16(text, offset)
        else:
            from_utf16(text, offset)
