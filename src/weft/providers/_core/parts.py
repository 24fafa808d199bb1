"""How large a part of a document is that a server takes, where its limit is not known."""

from __future__ import annotations

from typing import Protocol

__all__ = ["SendsParts", "send_less"]

_FACTOR = 4
_LEAST = 64 * 1024  # bytes; no server that is any use takes less


class SendsParts(Protocol):
    """A session that cuts what it sends."""

    max_part: int


def send_less(session: SendsParts, largest: int) -> bool:
    """Have a session send smaller parts, since the server took none so large.

    No protocol tells how much a server takes, so it is tried: 16 MiB, and a quarter each time.

    Args:
        session: A session.
        largest: Bytes of the largest message sent. If that is more than a part may have, it is one that
            cannot be cut.

    Returns:
        Whether smaller parts can help.
    """
    if largest > session.max_part or session.max_part <= _LEAST:
        return False
    session.max_part = max(session.max_part // _FACTOR, _LEAST)
    return True
