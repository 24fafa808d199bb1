"""Where a text may be cut without cutting what a reader takes for one character.

After Unicode's grapheme clusters (UAX #29), and never finer: where Python's database does not tell, two
characters stay together.
"""

from __future__ import annotations

from unicodedata import category, combining

__all__ = ["is_border"]

_ZWJ = "\u200d"
_ZWNJ = "\u200c"
_VIRAMA = 9  # the combining class of the signs that join two consonants


def is_border(text: str, index: int) -> bool:
    """Tell whether ``text`` may be cut before the character at ``index``, a code point's."""
    if index <= 0 or index >= len(text):
        return True
    before, after = text[index - 1], text[index]
    if before.isascii() and after.isascii():
        return before != "\r" or after != "\n"
    if _extends(after) or before == _ZWJ or combining(before) == _VIRAMA or _is_prefix(before):
        return False
    if _is_regional(before) and _is_regional(after):
        first = index - 1
        while first and _is_regional(text[first - 1]):
            first -= 1
        return (index - first) % 2 == 0  # flags are pairs, counted from the first
    return not (
        (_is_leading_jamo(before) and (_is_jamo(after) or _is_syllable(after)))
        or (_is_jamo(after) and not _is_leading_jamo(after) and (_is_jamo(before) or _is_syllable(before)))
    )


def _extends(character: str) -> bool:
    """Whether it belongs to what stands before it."""
    return (
        category(character)[0] == "M"
        or character in {_ZWJ, _ZWNJ}
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # the colours of a skin
        or "\U000e0020" <= character <= "\U000e007f"  # the tags of a flag
        or character in "\uff9e\uff9f\u0e33\u0eb3"
    )


def _is_prefix(character: str) -> bool:
    """Whether it belongs to what stands behind it, as the number signs of Arabic do."""
    return (
        "\u0600" <= character <= "\u08ff" and category(character) == "Cf"
    ) or character in "\U000110bd\U000110cd"


def _is_regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_leading_jamo(character: str) -> bool:
    return "\u1100" <= character <= "\u115f" or "\ua960" <= character <= "\ua97c"


def _is_jamo(character: str) -> bool:
    return (
        "\u1100" <= character <= "\u11ff"
        or "\ua960" <= character <= "\ua97c"
        or "\ud7b0" <= character <= "\ud7fb"
    )


def _is_syllable(character: str) -> bool:
    return "\uac00" <= character <= "\ud7a3"
