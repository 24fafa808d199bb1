"""Names that begin alike, as a range."""

from __future__ import annotations

__all__ = ["end_of_prefix"]

_LAST = "\U0010ffff"


def end_of_prefix(prefix: str) -> str | None:
    """The first name, by code points, that comes after all with the prefix; ``None`` where none does."""
    head = prefix.rstrip(_LAST)
    if not head:
        return None
    following = ord(head[-1]) + 1
    return head[:-1] + chr(0xE000 if following == 0xD800 else following)  # UTF-8 has no surrogates
