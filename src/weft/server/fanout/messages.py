"""What server processes say to each other, as bytes.

A message is a version (one byte, 1), a kind (one byte), the sender (eight bytes, drawn anew by each process)
and what the kind has. Integers are lib0's varuints. A message that cannot be read is no reason to stop: it
was made by another version of weft, and what it told is in storage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from weft._codecs.yjs.lib0 import Reader, Writer
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "SENDER_BYTES", "Beat", "Bye", "FanoutMessage", "Hint", "Question", "Told",
    "beat_message", "bye_message", "hint_message", "question_message", "read_message", "told_message",
]  # fmt: skip

SENDER_BYTES = 8
_VERSION = 1
_HINT, _TOLD, _QUESTION, _BEAT, _BYE = range(1, 6)


@dataclass(frozen=True, slots=True)
class Hint:
    """Updates have been committed.

    Attributes:
        sender: The process that did it.
        sent_ms: When, in milliseconds of Unix time; of use where the machines' clocks agree.
        first: The number of the first.
        count: How many.
        updates: They themselves, or nothing where they were too large to be sent.
    """

    sender: bytes
    sent_ms: int
    first: int
    count: int
    updates: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Told:
    """Something that is not kept: awareness, an ephemeral message. The room knows what it is."""

    sender: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Question:
    """A process has opened the room, and asks what the clients of the others say of themselves."""

    sender: bytes


@dataclass(frozen=True, slots=True)
class Beat:
    """The process is there."""

    sender: bytes


@dataclass(frozen=True, slots=True)
class Bye:
    """The process ends, and its clients are gone."""

    sender: bytes


FanoutMessage: TypeAlias = Hint | Told | Question | Beat | Bye


def hint_message(sender: bytes, sent_ms: int, first: int, count: int, updates: Sequence[bytes]) -> bytes:
    """Tell of updates; ``updates`` may be empty, whatever their count."""
    writer = _begin(_HINT, sender).uint(sent_ms).uint(first).uint(count).uint(len(updates))
    for update in updates:
        writer.bytes(update)
    return writer.finish()


def told_message(sender: bytes, data: bytes) -> bytes:
    """Pass on what is not kept."""
    return _begin(_TOLD, sender).raw(data).finish()


def question_message(sender: bytes) -> bytes:
    """Ask the other processes for what is not kept."""
    return _begin(_QUESTION, sender).finish()


def beat_message(sender: bytes) -> bytes:
    """Say that the process is there."""
    return _begin(_BEAT, sender).finish()


def bye_message(sender: bytes) -> bytes:
    """Say that the process ends."""
    return _begin(_BYE, sender).finish()


def _begin(kind: int, sender: bytes) -> Writer:
    return Writer().raw(bytes((_VERSION, kind)) + sender)


def read_message(data: bytes) -> FanoutMessage:
    """Read a message.

    Raises:
        RemoteProtocolError: It is none, or of another version.
    """
    if len(data) < 2 + SENDER_BYTES or data[0] != _VERSION:
        raise RemoteProtocolError("not a message of another server process, or of another version")
    kind, sender = data[1], data[2 : 2 + SENDER_BYTES]
    if kind == _TOLD:
        return Told(sender, data[2 + SENDER_BYTES :])
    reader = Reader(data[2 + SENDER_BYTES :])
    match kind:
        case 1:
            sent_ms, first, count = reader.uint(), reader.uint(), reader.uint()
            updates = [reader.bytes() for _ in range(reader.uint())]
            reader.expect_end()
            if first < 1 or (updates and len(updates) != count):
                raise RemoteProtocolError("not a message of another server process: its numbers cannot be")
            return Hint(sender, sent_ms, first, count, updates)
        case 3:
            return Question(sender)
        case 4:
            return Beat(sender)
        case 5:
            return Bye(sender)
        case _:
            raise RemoteProtocolError(f"a message of kind {kind}, which this version does not know")
