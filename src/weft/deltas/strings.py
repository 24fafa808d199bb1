"""A string and a delta: applying one, making the smallest one; and the string as a cell holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weft._support.graphemes import is_border
from weft._support.prefixes import common_prefix, common_suffix
from weft.deltas.form import EMBED
from weft.deltas.offsets import to_utf16, utf16_length
from weft.values import JSON_PREFIX, UNDEFINED_MARK

if TYPE_CHECKING:
    from weft.deltas.form import Delta, DeltaInput

__all__ = ["apply", "from_cell", "smallest_edit", "to_cell"]

# What a cell must not be or begin with (weft.values), and what stands for it: characters that no text has.
_FOR_EMBED: Final = "\uffff"
_FOR_PREFIX: Final = "\ufffe"


def to_cell(text: str) -> str:
    """Give the string of a text as a cell of the Store can hold it.

    No cell is U+FFFC alone or begins with U+FFFD (``weft.values``). A text may: it is one embed, or somebody
    cut an emoji at its beginning. U+FFFF and U+FFFE stand for these, which no text has, so that lengths stay.
    """
    if text.isascii():
        return text
    if text == UNDEFINED_MARK:
        return _FOR_EMBED
    return _FOR_PREFIX + text[1:] if text[0] == JSON_PREFIX else text


def from_cell(cell: str) -> str:
    """Give the string of a text that a cell holds: the way back of :func:`to_cell`."""
    if cell.isascii():
        return cell
    if cell == _FOR_EMBED:
        return EMBED
    return JSON_PREFIX + cell[1:] if cell[0] == _FOR_PREFIX else cell


def apply(text: str, delta: DeltaInput) -> str:
    """Change a string as a delta says; formats do nothing to it, and an embed is U+FFFC.

    Where the delta cuts a character in two halves, each becomes U+FFFD, as in Yjs.

    Raises:
        ValueError: The delta reaches beyond the end of the text.
    """
    pieces: list[str] = []
    ascii_text = text.isascii()
    units = b"" if ascii_text else text.encode("utf-16-le", "surrogatepass")
    length = len(text) if ascii_text else len(units) // 2
    done = offset = 0

    def keep(end: int) -> None:
        if end > done:
            piece = text[done:end] if ascii_text else units[2 * done : 2 * end].decode("utf-16-le", "replace")
            pieces.append(piece)

    for operation in delta:
        if (inserted := operation.get("insert")) is not None:
            keep(offset)
            done = offset
            pieces.append(inserted if isinstance(inserted, str) else EMBED)
        elif (count := operation.get("delete")) is not None:
            keep(offset)
            offset += count
            done = offset
        elif operation.get("attributes"):  # the ends of a format cut as well
            keep(offset)
            done = offset
            offset += operation["retain"]
            keep(offset)
            done = offset
        else:
            offset += operation["retain"]
        if offset > length:
            raise ValueError(f"the delta reaches offset {offset} of a text of {length} UTF-16 code units")
    if not pieces and not done:
        return text
    keep(length)
    return "".join(pieces)


def smallest_edit(old: str, new: str) -> Delta:
    """Make the smallest single replacement that turns one string into the other.

    It cuts between what a reader takes for characters, in both strings, so that no emoji, flag or letter
    with its accents is edited by halves: where a part of one changes, the whole is replaced.
    """
    if old == new:
        return []
    shorter = min(len(old), len(new))
    start = common_prefix(old, new, shorter)
    while not (is_border(old, start) and is_border(new, start)):
        start -= 1
    end = common_suffix(old, new, shorter - start)
    while not (is_border(old, len(old) - end) and is_border(new, len(new) - end)):
        end -= 1
    inserted = new[start : len(new) - end]
    deleted = old[start : len(old) - end]
    delta: Delta = []
    if start:
        delta.append({"retain": to_utf16(old, start)})
    if inserted:
        delta.append({"insert": inserted})
    if deleted:
        delta.append({"delete": utf16_length(deleted)})
    return delta
