"""Frames of a websocket: to or from whom a message is, a line feed, and the message or a part of it.

A client says to whom: nobody in particular, which is everybody else in the room and the server's store, that
store alone (``S``), or another client. The server says from whom: it puts in the one for the other and
changes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weft.errors import MessageTooLargeError, RemoteProtocolError
from weft.protocols.tinybase.fragments import Fragments, split
from weft.protocols.tinybase.messages import Message, decode_message, encode_message

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Frame", "FrameReader", "close_code", "frames_of", "text_of"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One message that came, in one frame or in parts.

    Attributes:
        address: To whom it is, at a server; from whom, at a client.
        message: The message.
        remainders: What followed the address in each frame it came in: a server relays it as it is.
    """

    address: str
    message: Message
    remainders: tuple[str, ...]

    def relayed(self, sender: str) -> list[str]:
        """The frames in which a server passes it on."""
        return [f"{sender}\n{remainder}" for remainder in self.remainders]


class FrameReader:
    """Reads the frames of one connection, or of one of its channels.

    Args:
        max_message: Bytes of one frame, and of one message in parts.
        fragments: Where parts wait, when channels share that; its own otherwise.
        channel: The name of the channel, or the empty text.
    """

    def __init__(self, max_message: int, *, fragments: Fragments | None = None, channel: str = "") -> None:
        self._max_message = max_message
        self._fragments = Fragments(max_message) if fragments is None else fragments
        self._channel = channel

    def receive(self, data: str | bytes, now: float) -> Frame | None:
        """Read one frame.

        Args:
            data: A text frame; a binary one is taken for its UTF-8, as TinyBase does.
            now: The time, in seconds.

        Returns:
            A message; ``None`` while parts of it are missing.

        Raises:
            RemoteProtocolError: It is no frame, or too large. Close the connection as :func:`close_code`
                says.
        """
        text = text_of(data, self._max_message)
        address, separator, remainder = text.partition("\n")
        if not separator:
            raise RemoteProtocolError("a frame without an address")
        if remainder.startswith("["):
            return Frame(address, decode_message(remainder), (remainder,))
        joined = self._fragments.add(f"{self._channel}\n{address}", remainder, now)
        return None if joined is None else Frame(address, decode_message(joined[0]), joined[1])

    def clear(self) -> None:
        """Forget the parts that wait: the connection is over."""
        self._fragments.clear()


def text_of(data: str | bytes, max_message: int) -> str:
    """Give the text of a frame.

    Raises:
        MessageTooLargeError: It is larger than ``max_message``.
        RemoteProtocolError: It is not UTF-8.
    """
    size = len(data)
    if isinstance(data, str) and not data.isascii() and size * 4 > max_message:
        size = len(data.encode(errors="surrogatepass"))
    if size > max_message:
        raise MessageTooLargeError(size, max_message)
    if isinstance(data, str):
        return data
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise RemoteProtocolError(f"a frame that is not UTF-8: {error}") from error


def frames_of(
    address: str | None, message: Message, new_id: Callable[[int], str], fragment_size: int | None = None
) -> list[str]:
    """Write a message as frames.

    Args:
        address: To whom, at a client, and ``None`` for everybody; from whom, at a server.
        message: The message.
        new_id: Makes an id of so many characters.
        fragment_size: Bytes of one part; ``None`` sends it whole.
    """
    pieces = split(encode_message(message), fragment_size, new_id)
    return [f"{address or ''}\n{piece}" for piece in pieces]


def close_code(error: RemoteProtocolError) -> tuple[int, str]:
    """The code and reason with which TinyBase closes a connection on which something wrong came."""
    if isinstance(error, MessageTooLargeError):
        return 1013, "tinybase:15:socket"
    return (1013, f"tinybase:15:{error.bound}") if error.bound else (1007, "tinybase:14")
