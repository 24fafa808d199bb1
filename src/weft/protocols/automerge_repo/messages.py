"""The messages of automerge-repo's network protocol, version 1, one CBOR map in each websocket message.

Format: ``automerge-repo`` 2.5 and ``automerge-repo-network-websocket`` 2.5 (``messages.ts`` of both). Unknown
types are left to later versions, and unknown fields are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from weft.errors import RemoteProtocolError
from weft.protocols.automerge_repo.cbor import decode, encode
from weft.protocols.automerge_repo.ids import decode_document_id

__all__ = [
    "EphemeralMessage",
    "ErrorMessage",
    "IgnoredMessage",
    "Join",
    "Leave",
    "Message",
    "PeerMessage",
    "Sync",
    "UnavailableMessage",
    "read_message",
    "write_message",
]

VERSION = "1"
_MAX_NAME = 256  # characters of a peer or session id; JavaScript's are UUIDs


@dataclass(frozen=True, slots=True)
class Join:
    """A client's first message."""

    sender: str
    versions: tuple[str, ...]
    metadata: dict[str, object]


@dataclass(frozen=True, slots=True)
class PeerMessage:
    """The server's answer to it."""

    sender: str
    version: str
    metadata: dict[str, object]


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """Why the server closes the connection, or takes no changes of a document: JavaScript's only logs it."""

    reason: str
    document_id: str | None = None


@dataclass(frozen=True, slots=True)
class Sync:
    """An Automerge sync message; ``is_request`` when its sender has nothing of the document."""

    sender: str
    document_id: str
    data: bytes
    is_request: bool


@dataclass(frozen=True, slots=True)
class UnavailableMessage:
    """The sender has not got the document, and nobody it knows."""

    sender: str
    document_id: str


@dataclass(frozen=True, slots=True)
class EphemeralMessage:
    """Something for everybody who has the document open, which is not kept.

    Attributes:
        sender: Who said it first; servers pass it on unchanged.
        document_id: The document it is about.
        session: Drawn anew whenever the sender starts.
        count: Grows with each message of the session.
        data: CBOR of what was said.
    """

    sender: str
    document_id: str
    session: str
    count: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Leave:
    """The sender goes."""


@dataclass(frozen=True, slots=True)
class IgnoredMessage:
    """A message that this end has no use for."""

    type: str


Message: TypeAlias = (
    Join | PeerMessage | ErrorMessage | Sync | UnavailableMessage | EphemeralMessage | Leave | IgnoredMessage
)


def read_message(data: bytes) -> Message:
    """Read one websocket message.

    Raises:
        RemoteProtocolError: It is no message, or a field is missing or of another type.
    """
    fields = decode(data)
    if not isinstance(fields, dict):
        raise RemoteProtocolError("an automerge-repo message is no CBOR map")
    kind = _text(fields, "type")
    match kind:
        case "join":
            versions = fields.get("supportedProtocolVersions")
            if versions is None:  # as JavaScript's server takes it
                versions = [VERSION]
            if not isinstance(versions, list) or not all(isinstance(version, str) for version in versions):
                raise RemoteProtocolError("the protocol versions of a join message are no list of strings")
            return Join(_text(fields, "senderId"), tuple(versions), _metadata(fields))
        case "peer":
            return PeerMessage(
                _text(fields, "senderId"), _text(fields, "selectedProtocolVersion"), _metadata(fields)
            )
        case "error":
            reason = fields.get("message")
            document_id = _document(fields) if "documentId" in fields else None
            return ErrorMessage(reason if isinstance(reason, str) else "no reason given", document_id)
        case "sync" | "request":
            return Sync(
                _text(fields, "senderId"), _document(fields), _data(fields), is_request=kind == "request"
            )
        case "doc-unavailable":
            return UnavailableMessage(_text(fields, "senderId"), _document(fields))
        case "ephemeral":
            count = fields.get("count")
            if isinstance(count, float) and count.is_integer():
                count = int(count)  # JavaScript's numbers
            if type(count) is not int or not 0 <= count < 1 << 53:
                raise RemoteProtocolError("the count of an ephemeral message is no count")
            return EphemeralMessage(
                _text(fields, "senderId"),
                _document(fields),
                _text(fields, "sessionId"),
                count,
                _data(fields),
            )
        case "leave":
            return Leave()
    return IgnoredMessage(kind)


def write_message(message: Message, *, sender: str, target: str | None) -> bytes:
    """Write one websocket message.

    Args:
        message: What to say.
        sender: This end.
        target: The other end; ``None`` while its name is not known.
    """
    fields: dict[str, object] = {"senderId": sender}
    if target is not None:
        fields["targetId"] = target
    match message:
        case Join():
            fields |= {"type": "join", "supportedProtocolVersions": list(message.versions)}
            fields["peerMetadata"] = message.metadata
        case PeerMessage():
            fields |= {"type": "peer", "selectedProtocolVersion": message.version}
            fields["peerMetadata"] = message.metadata
        case ErrorMessage():
            fields |= {"type": "error", "message": message.reason}
            if message.document_id is not None:
                fields["documentId"] = message.document_id
        case Sync():
            kind = "request" if message.is_request else "sync"
            fields |= {"type": kind, "documentId": message.document_id, "data": message.data}
        case UnavailableMessage():
            fields |= {"type": "doc-unavailable", "documentId": message.document_id}
        case EphemeralMessage():
            fields |= {"type": "ephemeral", "documentId": message.document_id, "data": message.data}
            fields |= {"senderId": message.sender, "sessionId": message.session, "count": message.count}
        case Leave():
            fields["type"] = "leave"
        case IgnoredMessage():
            raise ValueError(f"a message of type {message.type!r} cannot be written")
    return encode(fields)


def _text(fields: dict[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME:
        raise RemoteProtocolError(f"an automerge-repo message has no {name}, or one that is no short string")
    return value


def _data(fields: dict[str, object]) -> bytes:
    value = fields.get("data")
    if not isinstance(value, bytes) or not value:
        raise RemoteProtocolError("an automerge-repo message has no data, or data that are no bytes")
    return value


def _document(fields: dict[str, object]) -> str:
    value = _text(fields, "documentId")
    try:
        decode_document_id(value)
    except ValueError as error:
        raise RemoteProtocolError(str(error)) from error
    return value


def _metadata(fields: dict[str, object]) -> dict[str, object]:
    value = fields.get("peerMetadata")
    return value if isinstance(value, dict) else {}
