"""One client's connection as the server's core sees it, and the core as the connection sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft.server._core.batch import Batch

__all__ = ["Link", "Receiver"]


class Receiver(Protocol):
    """Who is told what happens on a connection. Nothing of it raises."""

    def receive(self, message: bytes) -> None:
        """A whole message has come."""

    def held(self) -> Iterator[tuple[int, int]]:
        """What waits for the client beside what the link was given, as ``MemoryBudget`` counts it."""

    def writable(self) -> None:
        """The link is clear again after it was not."""

    def lost(self) -> None:
        """The client has gone; nothing comes any more. Called once."""


class Link(Protocol):
    """One client's connection as the server's core sees it: whole messages, in order, without waiting.

    The websocket front is the first implementation; another front (ASGI) is another.
    """

    @property
    def is_clear(self) -> bool:
        """Whether the socket has taken everything that was written: only then is more to be written."""

    def attach(self, receiver: Receiver) -> None:
        """Say who is told from now on. What has come meanwhile is told in the next turn."""

    def admit(self) -> None:
        """The client has said who it is, and may send what anybody may from now on."""

    def write(self, batch: Batch) -> bool:
        """Hand messages to the socket. Does nothing once the connection is closing.

        Returns:
            Whether the socket has taken them.
        """

    def waiting(self) -> int:
        """Bytes written that the operating system has not taken yet."""

    def note_held(self, size: int) -> None:
        """So many bytes more wait for the client than before."""

    def note_questions(self, count: int) -> None:
        """The client has asked for so much; with too many nothing is told of for a while."""

    def identify(self, user: str) -> bool:
        """Say whose connection it is, and whether that user may have it. The first name counts."""

    def enter_room(self) -> bool:
        """Whether the client may hold one more room or document open, which is counted then.

        With too many in a short time nothing is told of for a while.
        """

    def leave_room(self) -> None:
        """It holds one less."""

    def pause_reading(self) -> None:
        """Tell of no further message until :meth:`resume_reading`; the client's socket fills up."""

    def resume_reading(self) -> None:
        """Tell of messages again, from the next turn on."""

    def close(self, code: int, reason: str) -> None:
        """Close with a code and a phrase; it ends in bounded time, whatever the client does.

        What the client has sent before it hears of it is told still.
        """
