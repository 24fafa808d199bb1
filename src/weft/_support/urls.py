"""URLs as they may stand in messages and logs."""

from __future__ import annotations

import re

__all__ = ["shown_url"]

_URL = re.compile(
    r"""([a-z][a-z0-9+.-]*://)(?:[^/?#\s]*@)?([^?#\s'"<>]*)(?:[?#][^\s'"<>]*)?""", re.IGNORECASE
)


def shown_url(text: str) -> str:
    """A URL, or a text with URLs in it, without their queries, fragments and users, which may be secret."""
    return _URL.sub(r"\1\2", text)
