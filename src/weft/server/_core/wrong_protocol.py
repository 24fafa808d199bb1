"""Clients that came to the address of the other protocol: told where theirs is, instead of left waiting.

To y-websocket's protocol a message of automerge-repo's is one of a type that is not known, which is passed
over: such a client would hang, with a room open and nothing in the log.
"""

from __future__ import annotations

__all__ = ["WrongProtocolError", "expect_no_repo", "expect_no_room"]

_MAP = 5  # CBOR's major type, the upper three bits of the first byte
_HEAD = 1_024  # bytes of a join message that its words are looked for in


class WrongProtocolError(Exception):
    """A client's first message is of another protocol. The sentence fits into a close frame."""


def expect_no_repo(message: bytes) -> None:
    """Check the first message that came to a Yjs room.

    Raises:
        WrongProtocolError: It is automerge-repo's ``join``, a CBOR map.
    """
    head = message[:_HEAD]
    if head and head[0] >> 5 == _MAP and b"join" in head and b"senderId" in head:
        raise WrongProtocolError(
            "this URL is a Yjs room's; automerge-repo connects to the server's URL without a path"
        )


def expect_no_room(message: bytes) -> None:
    """Check the first message that came to the path of automerge-repo.

    Raises:
        WrongProtocolError: It is y-websocket's first, a SyncStep1, which is no CBOR map.
    """
    if message.startswith(b"\0\0"):
        raise WrongProtocolError("this URL is automerge-repo's; a y-websocket client names a room behind it")
