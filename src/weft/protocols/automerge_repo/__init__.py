"""automerge-repo's protocol. Its ids are used where CBOR is not installed, so all is imported on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.protocols.automerge_repo.cbor import decode as decode, encode as encode
    from weft.protocols.automerge_repo.effects import (
        Due as Due,
        Effect as Effect,
        Ephemeral as Ephemeral,
        Joined as Joined,
        PeerLeft as PeerLeft,
        Refused as Refused,
        Requested as Requested,
        Synced as Synced,
        Unavailable as Unavailable,
        Wanted as Wanted,
        WriteDenied as WriteDenied,
    )
    from weft.protocols.automerge_repo.ids import (
        decode_document_id as decode_document_id,
        document_url as document_url,
        encode_document_id as encode_document_id,
        parse_document_url as parse_document_url,
    )
    from weft.protocols.automerge_repo.messages import EphemeralMessage as EphemeralMessage
    from weft.protocols.automerge_repo.session import ANSWER_S as ANSWER_S, RepoSession as RepoSession
    from weft.protocols.effects import (
        Denied as Denied,
        Flushed as Flushed,
        FlushLost as FlushLost,
        Send as Send,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "cbor": "decode encode",
            "effects": (
                "Due Effect Ephemeral Joined PeerLeft Refused Requested Synced Unavailable Wanted WriteDenied"
            ),
            "ids": "decode_document_id document_url encode_document_id parse_document_url",
            "messages": "EphemeralMessage",
            "session": "ANSWER_S RepoSession",
            "weft.protocols.effects": "Denied Flushed FlushLost Send",
        },
        extra="automerge",
    )
