"""Frames of a websocket, as a server reads and writes them: RFC 6455 section 5, without input or output.

The ``websockets`` package reads a frame with a generator and makes an object of each, which at thousands of
small messages a second is most of a server's reading. Here a message without extensions is cut out of what
came in; what extensions do with a frame is the package's.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Close, Frame, Opcode

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.extensions import Extension

__all__ = [
    "BINARY",
    "CLOSE",
    "CONT",
    "PING",
    "PONG",
    "TEXT",
    "FrameError",
    "FrameReader",
    "close_frame",
    "control_frame",
    "encode_compressed",
    "encode_messages",
    "encode_texts",
    "message_header",
    "read_close",
]

CONT, TEXT, BINARY = 0, 1, 2
CLOSE, PING, PONG = 8, 9, 10
_FIN = 0x80
_MASK = 0x80
_MAX_CONTROL = 125
_MAX_REASON = 123  # bytes of a close frame's reason
_MIN_HEADER = 6  # of a client's frame: two bytes and the mask


class FrameError(Exception):
    """What came is no frame that may come. Nothing behind it can be read.

    Attributes:
        code: The close code for it.
        reason: And the phrase.
        bound: The name of the setting that it is beyond, if so.
    """

    def __init__(self, code: int, reason: str, *, bound: str = "") -> None:
        super().__init__(reason)
        self.bound = bound
        self.code = code
        self.reason = reason


class FrameReader:
    """Cuts a client's messages and control frames out of what comes.

    Args:
        max_message: Bytes in a message; a larger one is an error as soon as its header is there.
        extensions: What was agreed on.

    Attributes:
        max_message: Likewise; may be changed at any time.
    """

    __slots__ = ("_data", "_extensions", "_kind", "_parts", "_position", "_size", "max_message")

    def __init__(self, *, max_message: int, extensions: Sequence[Extension] = ()) -> None:
        self.max_message = max_message
        self._extensions = extensions
        self._data: bytes | bytearray = b""
        self._position = 0  # of the first byte that has not been read
        self._kind = CONT  # of the message whose first parts are here
        self._parts: list[bytes] | None = None  # while there is such a one
        self._size = 0  # bytes in them

    @property
    def waiting(self) -> int:
        """Bytes that have come and were not read."""
        return len(self._data) - self._position

    @property
    def held(self) -> int:
        """Bytes that have come of messages that are not whole."""
        return len(self._data) - self._position + self._size

    @property
    def is_within_message(self) -> bool:
        """Whether a message has begun and is not there as a whole, once :meth:`read` has said so."""
        return self._parts is not None or self._position < len(self._data)

    def feed(self, data: bytes | memoryview) -> None:
        """Take in bytes."""
        if not self._data:
            self._data = bytes(data)
            return
        if not isinstance(self._data, bytearray):
            self._data = bytearray(self._data)
        if self._position:
            del self._data[: self._position]
            self._position = 0
        self._data += data

    def read(self) -> tuple[int, bytes] | None:
        """The next message or control frame, with its kind; ``None`` if it is not there as a whole.

        A part of a message that is not the last is ``CONT`` and its bytes: it is kept, and there may be
        thousands of them in one packet.

        Raises:
            FrameError: What comes next is not allowed.
        """
        frame = self._read_frame()
        if frame is None:
            return None
        head, payload = frame
        if head == _FIN | BINARY and self._parts is None and not self._extensions:
            return BINARY, payload
        return self._take(head, payload)

    def _read_frame(self) -> tuple[int, bytes] | None:
        data, position = self._data, self._position
        have = len(data) - position
        if have < _MIN_HEADER:
            if have >= 2:
                self._check_header(data[position], data[position + 1])
            return None
        head, second = data[position], data[position + 1]
        length = second & 0x7F
        start = position + _MIN_HEADER
        if head != _FIN | BINARY or second < _MASK or self._parts is not None:
            self._check_header(head, second)
        if length >= 126:
            width = 2 if length == 126 else 8
            start += width
            if len(data) < start:
                return None
            length = int.from_bytes(data[position + 2 : position + 2 + width], "big")
        if length > self.max_message - self._size and not head & 0x08:
            error = PayloadTooBig(length, self.max_message - self._size)
            if self._parts is not None:
                error.set_current_size(self._size)
            raise FrameError(1009, str(error), bound="max_message")
        end = start + length
        if len(data) < end:
            return None
        payload = apply_mask(data[start:end], data[start - 4 : start])
        if end == len(data):
            self._data, self._position = b"", 0
        else:
            self._position = end
        return head, payload

    def _check_header(self, head: int, second: int) -> None:
        kind = head & 0x0F
        if kind not in {CONT, TEXT, BINARY, CLOSE, PING, PONG}:
            raise FrameError(1002, "invalid opcode")
        if second < _MASK:
            raise FrameError(1002, "incorrect masking")
        if head & 0x70 and not self._extensions:
            raise FrameError(1002, "reserved bits must be 0")
        if kind & 0x08:
            if second & 0x7F > _MAX_CONTROL:
                raise FrameError(1002, "control frame too long")
            if not head & _FIN:
                raise FrameError(1002, "fragmented control frame")
        elif kind == CONT and self._parts is None:
            raise FrameError(1002, "unexpected continuation frame")
        elif kind != CONT and self._parts is not None:
            raise FrameError(1002, "expected a continuation frame")

    def _take(self, head: int, payload: bytes) -> tuple[int, bytes]:
        kind, fin = head & 0x0F, bool(head & _FIN)
        if self._extensions:
            payload = self._decode(head, payload)
        if kind & 0x08:
            return kind, payload
        if kind != CONT:
            self._kind = kind
            if fin:
                return kind, payload
            self._parts = []
        parts = self._parts
        if parts is None:  # the header was checked
            raise FrameError(1002, "unexpected continuation frame")
        parts.append(payload)
        self._size += len(payload)
        if not fin:
            return CONT, payload
        self._parts, self._size = None, 0
        return self._kind, b"".join(parts)

    def _decode(self, head: int, payload: bytes) -> bytes:
        reserved = bool(head & 0x40), bool(head & 0x20), bool(head & 0x10)
        frame = Frame(Opcode(head & 0x0F), payload, bool(head & _FIN), *reserved)
        try:
            for extension in reversed(self._extensions):
                frame = extension.decode(frame, max_size=self.max_message - self._size)
            frame.check()
        except PayloadTooBig as error:
            error.set_current_size(self._size)
            raise FrameError(1009, str(error), bound="max_message") from error
        except ProtocolError as error:
            raise FrameError(1002, str(error)) from error
        return bytes(frame.data)


def read_close(payload: bytes) -> tuple[int, str]:
    """The code and phrase of a close frame.

    Raises:
        FrameError: It is malformed.
    """
    try:
        close = Close.parse(payload)
    except ProtocolError as error:
        raise FrameError(1002, str(error)) from error
    except UnicodeDecodeError as error:
        raise FrameError(1007, "the close reason is no UTF-8") from error
    return close.code, close.reason


def encode_messages(messages: Sequence[bytes], kind: int = BINARY) -> bytes:
    """Messages as frames, one after the other, in one piece."""
    parts: list[bytes] = []
    for message in messages:
        parts.append(message_header(len(message), kind))
        parts.append(message)
    return b"".join(parts)


def encode_texts(messages: Sequence[bytes]) -> bytes:
    """The same of texts in UTF-8."""
    return encode_messages(messages, TEXT)


def message_header(length: int, kind: int = BINARY) -> bytes:
    """What stands before a message of so many bytes."""
    if length < 126:
        return bytes((_FIN | kind, length))
    if length < 65536:
        return struct.pack("!BBH", _FIN | kind, 126, length)
    return struct.pack("!BBQ", _FIN | kind, 127, length)


def encode_compressed(
    messages: Sequence[bytes], extensions: Sequence[Extension], kind: int = BINARY
) -> bytes:
    """The same for one client, whose extensions have a state."""
    return b"".join(
        Frame(Opcode(kind), message).serialize(mask=False, extensions=extensions) for message in messages
    )


def control_frame(kind: int, payload: bytes) -> bytes:
    """A ping or a pong, of at most 125 bytes."""
    return bytes((_FIN | kind, len(payload))) + payload


def close_frame(code: int, reason: str) -> bytes:
    """A close frame with as much of the phrase as it can hold."""
    text = reason.encode()[:_MAX_REASON].decode(errors="ignore").encode()
    return control_frame(CLOSE, code.to_bytes(2, "big") + text)
