"""The messages of y-websocket: frames in, messages out, and the other way round.

Protocol: y-protocols 1.0.7 ``sync.js`` and ``auth.js``, with the message types of y-websocket 3. A frame is
one message; some servers put several into one, so all are read. Everything is checked here, before a session
acts on any of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from weft._codecs.yjs.cut import cut_update
from weft._codecs.yjs.guard import check_update
from weft._codecs.yjs.lib0 import Reader, Writer
from weft.errors import MessageTooLargeError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft._codecs.yjs.state import State
    from weft.limits import Limits

__all__ = [
    "KEEP_ALIVE",
    "AnswerCache",
    "AuthDenied",
    "AwarenessMessage",
    "Message",
    "QueryAwareness",
    "SyncStep1",
    "UnknownMessage",
    "Update",
    "UpdateSpans",
    "answer_messages",
    "awareness_message",
    "denied_message",
    "read_frame",
    "step1_message",
    "step2_message",
    "update_message",
    "update_messages",
]

_SYNC, _AWARENESS, _AUTH, _QUERY_AWARENESS = range(4)
_STEP1, _STEP2, _UPDATE = range(3)
_PERMISSION_DENIED = 0

# Bytes before the update in a message, and what a part of an update has at least.
_FRAMING = 16
_MIN_PART = 256

# Bytes of an answer that is made anew each time.
_SMALL = 4096

# What stands before a small update; most are.
_SMALL_HEADS = tuple(bytes((_SYNC, _UPDATE, size)) for size in range(128))

# An awareness message without entries: y-websocket clients reconnect after 30 seconds without a message, and
# pings of the websocket do not count.
KEEP_ALIVE = bytes((_AWARENESS, 1, 0))


@dataclass(frozen=True, slots=True)
class SyncStep1:
    """The sender's state vector: a request for what it lacks."""

    state_vector: bytes


class UpdateSpans(Protocol):
    """What a look at an update has told: its document knows more of it."""

    def ends(self) -> State:
        """The state that a document has of the update's clients when it has taken in all of it."""


Check: TypeAlias = "Callable[[bytes, Limits], UpdateSpans]"
"""Looks at an update, and raises ``RemoteProtocolError`` where it must not be taken in."""


@dataclass(frozen=True, slots=True)
class Update:
    """An update that has passed the document's ``check``, and what that gave."""

    update: bytes
    spans: UpdateSpans
    is_answer: bool  # SyncStep2, the answer to a SyncStep1


@dataclass(frozen=True, slots=True)
class AwarenessMessage:
    """Awareness states, not decoded yet: that depends on what is known."""

    data: bytes


@dataclass(frozen=True, slots=True)
class QueryAwareness:
    """A request for all awareness states."""


@dataclass(frozen=True, slots=True)
class AuthDenied:
    """The server's notice that something is not allowed."""

    reason: str


@dataclass(frozen=True, slots=True)
class UnknownMessage:
    """A message of a type that is not known, and whatever follows it."""

    type: int


Message: TypeAlias = SyncStep1 | Update | AwarenessMessage | QueryAwareness | AuthDenied | UnknownMessage


def read_frame(data: bytes, limits: Limits, check: Check = check_update) -> list[Message]:
    """Decode a frame whole and check all of it.

    Args:
        data: What was received.
        limits: Bounds of it.
        check: Looks at each update; without it the guard of the binding does.

    Raises:
        RemoteProtocolError: It is malformed or breaks a limit.
    """
    if len(data) > limits.max_message:
        raise MessageTooLargeError(len(data), limits.max_message)
    size = len(data) - 3
    if 0 <= size < len(_SMALL_HEADS) and data.startswith(_SMALL_HEADS[size]):  # as most are: an update alone
        update = data[3:]
        return [Update(update, check(update, limits), is_answer=False)]
    reader = Reader(data, max_string=limits.max_string)
    messages: list[Message] = []
    certain: int | None = None  # how many count even if what follows cannot be read
    try:
        while not messages or not reader.at_end:
            message = _read_message(reader, limits, check)
            messages.append(message)
            if isinstance(message, UnknownMessage):
                break  # its length is not known either
            if isinstance(message, QueryAwareness) and certain is None:
                # It has no body, but y-sweet sends one. What follows counts if all of it is messages.
                certain = len(messages)
            _check_number(messages, limits)
    except RemoteProtocolError:
        if certain is None:
            raise
        del messages[certain:]
    return messages


def _check_number(messages: list[Message], limits: Limits) -> None:
    if len(messages) > limits.max_frame_messages:
        raise RemoteProtocolError("too many messages in one frame", bound="max_frame_messages")
    if isinstance(messages[-1], SyncStep1 | QueryAwareness):
        questions = sum(isinstance(message, SyncStep1 | QueryAwareness) for message in messages)
        if questions > limits.max_frame_questions:
            raise RemoteProtocolError("too many questions in one frame", bound="max_frame_questions")


def _read_message(reader: Reader, limits: Limits, check: Check) -> Message:
    match reader.uint():
        case 0:  # sync
            return _read_sync(reader, limits, check)
        case 1:  # awareness
            return AwarenessMessage(reader.bytes())
        case 2:  # auth
            kind = reader.uint()
            return AuthDenied(reader.string()) if kind == _PERMISSION_DENIED else UnknownMessage(_AUTH)
        case 3:  # query awareness
            return QueryAwareness()
        case other:
            return UnknownMessage(other)


def _read_sync(reader: Reader, limits: Limits, check: Check) -> Message:
    kind = reader.uint()
    if kind == _STEP1:
        state_vector = reader.bytes()
        _check_state_vector(state_vector, limits)
        return SyncStep1(state_vector)
    if kind in {_STEP2, _UPDATE}:
        update = reader.bytes()
        return Update(update, check(update, limits), kind == _STEP2)
    raise RemoteProtocolError(f"unknown sync message {kind}")


def _check_state_vector(data: bytes, limits: Limits) -> None:
    reader = Reader(data)
    count = reader.uint()
    if count > limits.max_clients:  # a million takes a second
        raise RemoteProtocolError(
            f"a state vector of {count} clients; {limits.max_clients} are allowed (max_clients)",
            bound="max_clients",
        )
    for _ in range(count):
        reader.uint()
        if reader.uint() >= 2**32:  # what yrs keeps a clock in
            raise RemoteProtocolError("clock out of range in a state vector")
    reader.expect_end()


def step1_message(state_vector: bytes) -> bytes:
    """Ask for what a document with this state vector lacks."""
    return Writer().uint(_SYNC).uint(_STEP1).bytes(state_vector).finish()


def step2_message(update: bytes) -> bytes:
    """Answer a SyncStep1."""
    return Writer().uint(_SYNC).uint(_STEP2).bytes(update).finish()


def update_message(update: bytes) -> bytes:
    """Tell of an update."""
    if len(update) < len(_SMALL_HEADS):
        return _SMALL_HEADS[len(update)] + update
    return Writer().uint(_SYNC).uint(_UPDATE).bytes(update).finish()


def update_messages(update: bytes, max_bytes: int) -> list[bytes]:
    """Tell of an update in messages of so many bytes at most, as far as it can be cut."""
    if len(update) <= max_bytes - _FRAMING:
        return [update_message(update)]
    return [update_message(part) for part in cut_update(update, _room(max_bytes))]


def answer_messages(update: bytes, max_bytes: int) -> list[bytes]:
    """Answer a SyncStep1 in messages of so many bytes at most, as far as the update can be cut.

    The answer proper comes last. Clients of every kind take an update at any time, and take the SyncStep2 for
    the word that they have everything.
    """
    if len(update) <= max_bytes - _FRAMING:
        return [step2_message(update)]
    *first, last = cut_update(update, _room(max_bytes))
    return [*map(update_message, first), step2_message(last)]


class AnswerCache:
    """The last answer that is not small, kept by who may be asked the same by many.

    Cutting takes seconds for a million structs, and a question takes a few bytes. And many who are sent one
    object cost its memory once.
    """

    def __init__(self) -> None:
        self._asked: tuple[bytes, int] | None = None
        self._messages: list[bytes] = []

    def messages(self, update: bytes, max_bytes: int) -> list[bytes]:
        """What :func:`answer_messages` gives."""
        if len(update) <= min(_SMALL, max_bytes - _FRAMING):
            return [step2_message(update)]
        if self._asked != (update, max_bytes):
            self._asked, self._messages = (update, max_bytes), answer_messages(update, max_bytes)
        return self._messages

    def clear(self) -> None:
        """Forget an answer that costs only memory: to be called once in a while."""
        if len(self._messages) == 1:
            self._asked, self._messages = None, []


def _room(max_bytes: int) -> int:
    return max(max_bytes - _FRAMING, _MIN_PART)


def awareness_message(states: bytes) -> bytes:
    """Tell of awareness states."""
    return Writer().uint(_AWARENESS).bytes(states).finish()


def denied_message(reason: str) -> bytes:
    """Tell a client that something is not allowed."""
    return Writer().uint(_AUTH).uint(_PERMISSION_DENIED).string(reason).finish()
