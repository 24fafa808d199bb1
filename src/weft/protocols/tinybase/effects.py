"""What a session of TinyBase's synchronizer wants done, or tells, beside what every session does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from weft.protocols.effects import Flushed, FlushLost

if TYPE_CHECKING:
    from weft.errors import RemoteProtocolError
    from weft.protocols.tinybase.messages import Message

__all__ = ["Effect", "Refused", "SendMessage", "StoreLacks", "StoreMissing", "Synced", "Unanswered"]


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Send a message.

    Attributes:
        to: Who is to have it; ``None`` for everybody else.
        message: The message.
    """

    to: str | None
    message: Message


@dataclass(frozen=True, slots=True)
class Synced:
    """What the server's store had has been received and merged; said once for each connection.

    After :class:`StoreMissing`, what the first of the others had who answered, or nobody did.
    """


@dataclass(frozen=True, slots=True)
class StoreLacks:
    """The server's store has not got all that a flush waits for, or others write. It is asked again."""


@dataclass(frozen=True, slots=True)
class StoreMissing:
    """Nobody answers as the server's store: the server only relays, so that nothing can be confirmed."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question was not answered in time; TinyBase calls that error 3.

    Attributes:
        peer: Who was asked; ``None`` for everybody.
        question: What was asked.
    """

    peer: str | None
    question: Message


@dataclass(frozen=True, slots=True)
class Refused:
    """The document did not take what a peer has: all of it was left out.

    Attributes:
        peer: The peer.
        error: Why: a stamp too far ahead, as the clock of a device is wrong, or an answer that is none.
    """

    peer: str
    error: RemoteProtocolError


Effect: TypeAlias = (
    SendMessage | Synced | StoreLacks | StoreMissing | Flushed | FlushLost | Unanswered | Refused
)
