"""The id of the Automerge document that a room is bridged with."""

from __future__ import annotations

from hashlib import sha256

from weft.protocols.automerge_repo import encode_document_id

__all__ = ["bridge_document_id"]


def bridge_document_id(room: str) -> str:
    """The id of the Automerge document that a server bridges a room with.

    It is the base58check form of the first 16 bytes of the SHA-256 of ``weft bridge``, a zero byte and the
    room's name in UTF-8. Who knows the name knows the id: what protects both is the server's ``auth``.

    Args:
        room: The room's name.
    """
    return encode_document_id(sha256(b"weft bridge\0" + room.encode()).digest()[:16])
