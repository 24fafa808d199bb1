"""What a session of automerge-repo's protocol wants done, or tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weft.protocols._repomessages import EphemeralMessage

__all__ = [
    "Denied",
    "Effect",
    "Ephemeral",
    "FlushLost",
    "Flushed",
    "Joined",
    "PeerLeft",
    "Requested",
    "Send",
    "Synced",
    "Unavailable",
]


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message.

    Attributes:
        data: One binary websocket message.
        after_stored: Send it only when storage has everything received before: the other end takes the heads
            in it as an acknowledgement. Order is kept all the same.
    """

    data: bytes
    after_stored: bool = False


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
class Synced:
    """This end has everything the other had of the document when it first spoke of it."""

    document_id: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The other end has not got the document, for now."""

    document_id: str


@dataclass(frozen=True, slots=True)
class Flushed:
    """The other end has everything that the document held when the flush with this token was asked for."""

    token: int


@dataclass(frozen=True, slots=True)
class FlushLost:
    """The connection is over before these flushes were answered; ask again on the next one."""

    tokens: tuple[int, ...]


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


@dataclass(frozen=True, slots=True)
class Denied:
    """The server does not want this client, and closes."""

    reason: str


Effect: TypeAlias = (
    Send | Joined | Requested | Synced | Unavailable | Flushed | FlushLost | Ephemeral | PeerLeft | Denied
)
