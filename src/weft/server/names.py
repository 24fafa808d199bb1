"""Which room a URL names."""

from __future__ import annotations

import unicodedata
from urllib.parse import parse_qsl, unquote_to_bytes

__all__ = ["MAX_ROOM_NAME", "check_room", "read_path", "read_query", "read_room"]

# Bytes of UTF-8. Long enough for two UUIDs and a path, short enough to be kept with each log line and row.
MAX_ROOM_NAME = 512
_TOO_LONG = f"the room name is longer than {MAX_ROOM_NAME} bytes"
# Parameters of one URL. The handshake is bounded to some kilobytes; this bounds the work of reading it.
_MAX_PARAMETERS = 100


def read_room(target: str) -> str:
    """The room a request target names: its path without the first slash, percent-decoded once.

    Distinct decoded paths are distinct rooms: nothing is normalised, folded or trimmed.

    Args:
        target: Request target of the handshake, such as ``/my%20room?token=x``.

    Raises:
        ValueError: It names no room; the text says why and may be shown to the client.
    """
    path = target.partition("?")[0]
    if not path.startswith("/"):
        raise ValueError("the path does not start with a slash")
    # websockets hands on bytes beyond ASCII as lone surrogates.
    raw = unquote_to_bytes(path[1:].encode("utf-8", "surrogateescape"))
    if len(raw) > MAX_ROOM_NAME:  # before it is made a string, to be looked at
        raise ValueError(_TOO_LONG)
    try:
        return check_room(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("the room name is not UTF-8") from None


def read_path(target: str) -> str:
    """The room that a client of TinyBase asks for: the path without the first slash, as it is.

    TinyBase's own server decodes nothing either, and the path ``/`` names a room whose name is empty.

    Raises:
        ValueError: No room can have that name; the text says why and may be shown to the client.
    """
    raw = target.partition("?")[0][1:].encode("utf-8", "surrogateescape")
    if len(raw) > MAX_ROOM_NAME:
        raise ValueError(_TOO_LONG)
    try:
        return check_room(raw.decode("utf-8")) if raw else ""
    except UnicodeDecodeError:
        raise ValueError("the room name is not UTF-8") from None


def check_room(name: str) -> str:
    """The name, if a room can have it.

    What a URL parser on the way might rewrite (dot segments), what cannot be shown (control characters, the
    line ends of Unicode, lone surrogates) and what is empty or longer than :data:`MAX_ROOM_NAME` is refused,
    so no two clients mean one room by different names.

    Raises:
        ValueError: It is no room's; the text says why and may be shown to a client.
    """
    if not name:
        raise ValueError("the room name is empty")
    try:
        if len(name.encode()) > MAX_ROOM_NAME:
            raise ValueError(_TOO_LONG)
    except UnicodeEncodeError:
        raise ValueError("the room name is not UTF-8") from None
    # Cc: control characters, NUL and line ends among them; Zl, Zp: the line ends of Unicode.
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in name):
        raise ValueError("the room name has a control character")
    if any(segment in {".", ".."} for segment in name.split("/")):
        raise ValueError("the room name has a dot segment")
    return name


def read_query(target: str) -> dict[str, str]:
    """The parameters of a request target; of a repeated one the first.

    Raises:
        ValueError: They are too many.
    """
    pairs = parse_qsl(
        target.partition("?")[2], keep_blank_values=True, max_num_fields=_MAX_PARAMETERS, errors="replace"
    )
    return dict(reversed(pairs))
