r"""Many channels over one websocket (TinyBase 9.3 and later), each a room below the path of the socket.

The client offers the subprotocol ``tinybase``, and with it each frame is one of two: a control frame,
``S\n[request id,-1,[what,argument]]``, which the server answers with the same text, or a channel's,
``M\nchannel\n`` and the frame as it would be without channels. First comes a hello with the version, then a
subscription for each channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from weft._support.arguments import wrong_kind
from weft.documents.mergeable import from_json, to_json
from weft.errors import InvalidJsonError, RemoteProtocolError
from weft.protocols.tinybase.messages import MAX_ID, STORE

__all__ = [
    "MAX_CHANNELS",
    "SUBPROTOCOL",
    "ChannelFrame",
    "Channels",
    "Control",
    "ControlFrame",
    "channel_frame",
    "check_channel",
    "hello",
    "read_multiplexed",
]

SUBPROTOCOL = "tinybase"
"""What a client offers that wants channels, and the server confirms."""

MAX_CHANNELS = 100
"""Channels of one websocket: TinyBase's bound."""

_VERSION = 1
_MULTIPLE = "M"
_CONTROL = -1


class Control(IntEnum):
    """What a control frame says."""

    HELLO = 0
    SUBSCRIBE = 1
    UNSUBSCRIBE = 2


@dataclass(frozen=True, slots=True)
class ControlFrame:
    """A control frame.

    Attributes:
        control: What it says.
        request_id: By which its answer is known; ``None`` where there is none, to ``UNSUBSCRIBE``.
        argument: The channel; the version, of a hello.
    """

    control: Control
    request_id: str | None
    argument: str | int

    def encode(self) -> str:
        """Write it."""
        return f"{STORE}\n{to_json([self.request_id, _CONTROL, [int(self.control), self.argument]])}"


@dataclass(frozen=True, slots=True)
class ChannelFrame:
    """A frame of a channel."""

    channel: str
    frame: str


def hello(request_id: str) -> ControlFrame:
    """A client's first frame."""
    return ControlFrame(Control.HELLO, request_id, _VERSION)


def channel_frame(channel: str, frame: str) -> str:
    """Put a frame into its channel."""
    return f"{_MULTIPLE}\n{channel}\n{frame}"


def check_channel(channel: object) -> str:
    """Check the name of a channel: segments between slashes, none of them empty, ``.`` or ``..``.

    Raises:
        TypeError: It is no text.
        ValueError: It has another form, holds a line feed, a carriage return, ``?`` or ``#``,
            or more than 1,024 bytes of UTF-8.
    """
    if not isinstance(channel, str):
        raise wrong_kind("the name of a channel, as str,", channel)
    if any(character in channel for character in "\n\r?#"):
        raise ValueError(f"a channel's name holds no line feed, '?' or '#': {channel!r:.100}")
    if any(part in {"", ".", ".."} for part in channel.split("/")):
        raise ValueError(f"a channel's name has no empty segment, and none of dots: {channel!r:.100}")
    try:
        size = len(channel.encode())
    except UnicodeEncodeError:
        raise ValueError(f"a channel's name holds no lone surrogate: {channel!r:.100}") from None
    if size > MAX_ID:
        raise ValueError(f"a channel's name of {size} bytes; {MAX_ID} are allowed")
    return channel


def read_multiplexed(text: str) -> ControlFrame | ChannelFrame:
    """Read a frame of a connection with channels.

    Raises:
        RemoteProtocolError: It is none.
    """
    kind, separator, rest = text.partition("\n")
    try:
        if separator and kind == _MULTIPLE:
            channel, separator, frame = rest.partition("\n")
            if separator:
                return ChannelFrame(check_channel(channel), frame)
        elif separator and kind == STORE:
            return _control(from_json(rest))
    except (InvalidJsonError, ValueError) as error:
        raise RemoteProtocolError(f"not a frame of a channel: {error}") from error
    raise RemoteProtocolError("neither a control frame nor one of a channel")


def _control(fields: Any) -> ControlFrame:
    match fields:
        case [str() as request_id, -1, [0, version]] if version == _VERSION and len(request_id) <= MAX_ID:
            return ControlFrame(Control.HELLO, request_id, _VERSION)
        case [str() as request_id, -1, [1, str() as channel]] if len(request_id) <= MAX_ID:
            return ControlFrame(Control.SUBSCRIBE, request_id, check_channel(channel))
        case [None, -1, [2, str() as channel]]:
            return ControlFrame(Control.UNSUBSCRIBE, None, check_channel(channel))
    raise RemoteProtocolError(f"not a control frame: {fields!r:.100}")


class Channels:
    """A server's side of one connection with channels: which of them are open.

    A subscription before the hello is passed over, and a second one is confirmed again, as TinyBase does.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._greeted = False

    def receive(self, text: str) -> tuple[ChannelFrame | ControlFrame | None, str | None]:
        """Take in one frame.

        Returns:
            What is to be done, and what is to be answered: a frame for a channel, a channel to enter
            (``SUBSCRIBE``) or to leave (``UNSUBSCRIBE``); ``None`` where there is nothing to do.

        Raises:
            RemoteProtocolError: It is none, is for a channel that is not open, or asks for one too many.
                Close the connection as :func:`~weft.protocols.tinybase.close_code` says.
        """
        frame = read_multiplexed(text)
        if isinstance(frame, ChannelFrame):
            if frame.channel not in self.names:
                raise RemoteProtocolError(f"a frame for a channel that is not open: {frame.channel!r:.100}")
            return frame, None
        if frame.control is Control.HELLO:
            self._greeted = True
            return None, frame.encode()
        channel = str(frame.argument)
        if frame.control is Control.UNSUBSCRIBE:
            if channel not in self.names:
                return None, None
            self.names.discard(channel)
            return frame, None
        if not self._greeted:
            return None, None
        if channel in self.names:
            return None, frame.encode()
        if len(self.names) >= MAX_CHANNELS:
            raise RemoteProtocolError(
                f"more than {MAX_CHANNELS} channels on one connection", bound="channels"
            )
        self.names.add(channel)
        return frame, frame.encode()
