"""The messages of TinyBase's synchronizers (10.0.1): what they are, and reading and writing them.

A message is a request id, a type and a body, and on a wire the JSON text of the three in a list. Who asks
sends its own hashes, and who answers says what they lack: tables that are new with their cells, and hashes of
those that differ, which are asked for next, row by row and cell by cell.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from weft._support.collection import CollectionPaused
from weft.documents.mergeable import check_changes, check_tables, check_values, from_json, to_json
from weft.errors import InvalidJsonError, RemoteProtocolError
from weft.values import UNDEFINED, UNDEFINED_MARK

__all__ = [
    "STORE",
    "Message",
    "MessageType",
    "check_message",
    "decode_message",
    "encode_message",
]

STORE = "S"
"""Who a server's own store is, where a message says to or from whom it is."""

MAX_ID = 1024  # bytes of a request's or a channel's id; TinyBase's own have 16 characters
_ANY = "z" * 16  # a message may have any time in its stamps; a document refuses those too far ahead
_MAX_HASH = 2**32 - 1


class MessageType(IntEnum):
    """What a message is for."""

    RESPONSE = 0
    GET_CONTENT_HASHES = 1
    CONTENT_HASHES = 2
    CONTENT_DIFF = 3
    GET_TABLE_DIFF = 4
    GET_ROW_DIFF = 5
    GET_CELL_DIFF = 6
    GET_VALUE_DIFF = 7


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        request_id: That of the question in an answer; of a broadcast, a name of its own. JavaScript may leave
            it out.
        type: What it is for.
        body: The empty text of ``GET_CONTENT_HASHES``; two hashes of ``CONTENT_HASHES``; mergeable changes of
            ``CONTENT_DIFF``; hashes by id, one to three levels deep, of the other questions.
    """

    request_id: str | None
    type: MessageType
    body: Any


def encode_message(message: Message) -> str:
    """Write a message as JSON text.

    Keys keep their order, and numbers Python's form: who reads it has the same, and a large content takes
    half the time.
    """
    fields = [message.request_id, int(message.type), message.body]
    text = _encode(fields)
    return text if text.isascii() or _HALF.search(text) is None else to_json(fields)


def _undefined(value: object) -> str:
    if value is UNDEFINED:
        return UNDEFINED_MARK
    raise TypeError(f"a message has no {type(value).__name__}")


_HALF = re.compile("[\ud800-\udfff]")  # of a pair of UTF-16: such a text goes as an escape
_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), default=_undefined
).encode


def decode_message(text: str) -> Message:
    """Read a message, and check all of it.

    Raises:
        RemoteProtocolError: It is none. TinyBase calls that error 14.
    """
    with CollectionPaused():
        try:
            fields = from_json(text)
        except InvalidJsonError as error:
            raise RemoteProtocolError(f"not a message of a synchronizer: {error}") from error
        if type(fields) is not list or len(fields) != 3:
            raise RemoteProtocolError("a message is a list of a request id, a type and a body")
        return check_message(*fields)


def check_message(request_id: object, number: object, body: object) -> Message:
    """Make a message of its three parts.

    Raises:
        RemoteProtocolError: They are none.
    """
    if request_id is not None and (not isinstance(request_id, str) or len(request_id) > MAX_ID):
        raise RemoteProtocolError(f"a request id is a short text or null, not {request_id!r:.100}")
    if type(number) is not int or not 0 <= number <= 7:
        raise RemoteProtocolError(f"there is no message of type {number!r:.100}")
    kind = MessageType(number)
    if not _is_body(kind, body):
        raise RemoteProtocolError(f"not the body of {kind.name}: {body!r:.100}")
    return Message(request_id, kind, body)


def _is_body(kind: MessageType, body: Any) -> bool:
    match kind:
        case MessageType.RESPONSE:
            return _is_response(body)
        case MessageType.GET_CONTENT_HASHES:
            return body == "" and isinstance(body, str)
        case MessageType.CONTENT_HASHES:
            return are_hashes(body)
        case MessageType.CONTENT_DIFF:
            _check_short(body[0] if isinstance(body, list) and body else None)
            check_changes(body, _ANY)
            return True
        case MessageType.GET_TABLE_DIFF | MessageType.GET_VALUE_DIFF:
            return is_hash_tree(body, 0)
        case MessageType.GET_ROW_DIFF:
            return is_hash_tree(body, 1)
        case MessageType.GET_CELL_DIFF:
            return is_hash_tree(body, 2)


def _is_response(body: Any) -> bool:
    """Whether something answers any question; whether it answers the one, its asker finds out."""
    if not isinstance(body, list) or not body:
        return False
    if isinstance(body[0], list):
        if len(body) != 2 or not (is_hash_tree(body[1], 0) or is_hash_tree(body[1], 1)):
            return False
        check_tables(body[0], _ANY)
        return True
    if isinstance(body[0], dict):
        try:
            check_tables(body, _ANY)
        except RemoteProtocolError:
            check_values(body, _ANY)
        return True
    return are_hashes(body)


def _check_short(stamp: Any) -> None:
    """Messages carry no hashes of stamps; who sends some is no synchronizer."""
    if isinstance(stamp, list) and len(stamp) > 2:
        raise RemoteProtocolError("a stamp in a message holds no hash")


def are_hashes(body: Any) -> bool:
    """Whether something is the hashes of tables and values."""
    return isinstance(body, list) and len(body) == 2 and _is_hash(body[0]) and _is_hash(body[1])


def _is_hash(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MAX_HASH


def is_hash_tree(tree: Any, depth: int) -> bool:
    """Whether something is hashes by id, ``depth`` levels below the first."""
    if type(tree) is not dict:
        return False
    if depth:
        return all(is_hash_tree(below, depth - 1) for below in tree.values())
    return all(type(value) is int and 0 <= value <= _MAX_HASH for value in tree.values())
