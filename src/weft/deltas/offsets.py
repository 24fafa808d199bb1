"""Offsets in UTF-16 code units, as JavaScript counts, and Python's, which count code points."""

from __future__ import annotations

__all__ = ["from_utf16", "slice_utf16", "to_utf16", "utf16_length"]


def utf16_length(text: str) -> int:
    """Count the UTF-16 code units of a string: what JavaScript calls its length."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def to_utf16(text: str, index: int) -> int:
    """Turn an index of Python's, a code point's, into an offset in UTF-16 code units.

    Raises:
        ValueError: The string has no such index; 0 to its length are valid.
    """
    if not 0 <= index <= len(text):
        raise ValueError(f"index {index} lies outside of a string of {len(text)} code points")
    return index if text.isascii() else utf16_length(text[:index])


def from_utf16(text: str, offset: int) -> int:
    """Turn an offset in UTF-16 code units into an index of Python's, a code point's.

    Raises:
        ValueError: The string has no such offset, or it lies between the two halves of a character.
    """
    if offset >= 0:
        if text.isascii():
            if offset <= len(text):
                return offset
        else:
            before = text[:offset]
            units = before.encode("utf-16-le", "surrogatepass")
            if len(units) == 2 * offset:
                return len(before)
            if len(units) > 2 * offset:
                try:
                    return len(units[: 2 * offset].decode("utf-16-le"))
                except UnicodeDecodeError:
                    raise ValueError(
                        f"offset {offset} lies between the two halves of one character: offsets count UTF-16"
                        " code units, of which an emoji has two"
                    ) from None
    raise ValueError(f"offset {offset} lies outside of a text of {utf16_length(text)} UTF-16 code units")


def slice_utf16(text: str, start: int, end: int) -> str:
    """Cut by UTF-16 code units; a half of a character becomes U+FFFD, as in Yjs."""
    if text.isascii():
        return text[start:end]
    return text.encode("utf-16-le", "surrogatepass")[2 * start : 2 * end].decode("utf-16-le", "replace")
