"""automerge-repo's protocol. Its ids are used where CBOR is not installed, so all is imported on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.protocols.automerge_repo.effects import (
        Due,
        Effect,
        Ephemeral,
        Joined,
        PeerLeft,
        Requested,
        Synced,
        Unavailable,
        Wanted,
    )
    from weft.protocols.automerge_repo.ids import (
        decode_document_id,
        document_url,
        encode_document_id,
        parse_document_url,
    )
    from weft.protocols.automerge_repo.session import ANSWER_S, Denied, Flushed, FlushLost, RepoSession, Send

__all__ = [
    "ANSWER_S",
    "Denied",
    "Due",
    "Effect",
    "Ephemeral",
    "FlushLost",
    "Flushed",
    "Joined",
    "PeerLeft",
    "RepoSession",
    "Requested",
    "Send",
    "Synced",
    "Unavailable",
    "Wanted",
    "decode_document_id",
    "document_url",
    "encode_document_id",
    "parse_document_url",
]

_HOMES = {
    name: home
    for home, names in {
        "effects": "Due Effect Ephemeral Joined PeerLeft Requested Synced Unavailable Wanted",
        "ids": "decode_document_id document_url encode_document_id parse_document_url",
        "session": "ANSWER_S Denied Flushed FlushLost RepoSession Send",
    }.items()
    for name in names.split()
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, extra="automerge")
