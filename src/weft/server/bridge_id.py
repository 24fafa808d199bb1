"""Under which id and which path clients of the other protocols have a room that is bridged."""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import quote

from weft.protocols.automerge_repo import encode_document_id

__all__ = ["bridge_document_id", "bridge_path"]


def bridge_document_id(room: str) -> str:
    """The id of the Automerge document that a server bridges a room with.

    It is the base58check form of the first 16 bytes of the SHA-256 of ``weft bridge``, a zero byte and the
    room's name in UTF-8. Who knows the name knows the id: what protects both is the server's ``auth``.

    Args:
        room: The room's name.
    """
    return encode_document_id(sha256(b"weft bridge\0" + room.encode()).digest()[:16])


def bridge_path(room: str) -> str:
    """The path, less its first slash, at which TinyBase's clients have a room that is bridged.

    Theirs are not decoded, so it is the name as a URL has it (https://url.spec.whatwg.org, "path
    percent-encode set").

    Args:
        room: The room's name.
    """
    return quote(room, safe="/!$&'()*+,:;=@[\\]^|")
