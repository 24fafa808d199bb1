"""What a session of automerge-repo's protocol tells beside what every session does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from weft.protocols.effects import Denied, Flushed, FlushLost, Send

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weft.protocols.automerge_repo.messages import EphemeralMessage

__all__ = [
    "Due", "Effect", "Ephemeral", "Joined", "PeerLeft", "Refused", "Requested", "Synced", "Unavailable",
    "Wanted", "WriteDenied",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Due:
    """There may be something to say of a document; told by a session that defers."""

    document_id: str


@dataclass(frozen=True, slots=True)
class Joined:
    """The handshake is over.

    Attributes:
        peer_id: The other end's name.
        metadata: What it says about itself.
    """

    peer_id: str
    metadata: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Requested:
    """The other end speaks of a document that was not added: answer with ``add`` or ``unavailable``."""

    document_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The other end has as many documents as it may; it spoke of one more and was told ``unavailable``."""

    document_id: str


@dataclass(frozen=True, slots=True)
class WriteDenied:
    """The other end takes no changes of a document; told once for each document and connection."""

    document_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Synced:
    """This end has everything the other had of the document when it first spoke of it."""

    document_id: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The other end has not got the document, for now."""

    document_id: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """The other end asked for a document that is empty here: say ``unavailable``, at once or later.

    Not before it is known that nobody else brings it: whoever asks takes it for the answer. When the document
    gets content the other end is told of it in any case.
    """

    document_id: str


@dataclass(frozen=True, slots=True)
class Ephemeral:
    """Somebody said something that is not kept.

    Attributes:
        message: It, with who and where; ``data`` is CBOR.
    """

    message: EphemeralMessage


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """The other end says that it goes."""


Effect: TypeAlias = (
    Send
    | Due
    | Joined
    | Requested
    | Refused
    | Wanted
    | Synced
    | Unavailable
    | Flushed
    | FlushLost
    | Ephemeral
    | PeerLeft
    | Denied
    | WriteDenied
)
