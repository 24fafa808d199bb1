"""What carries messages between the processes of one server: the contract every broker's adapter fulfils."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Broadcast", "BroadcastListener", "NoBroadcast"]


class BroadcastListener(Protocol):
    """Who is told what a :class:`Broadcast` has to tell. All of it is called on the event loop."""

    def received(self, channel: str, message: bytes) -> None:
        """A message came on a channel that is subscribed to; it may be one of this process's own."""

    def connected(self) -> None:
        """There is a connection to the broker, and every channel is subscribed to on it.

        What was published before may be lost. Called at the first connection and after each further one.
        """

    def disconnected(self, reason: str) -> None:
        """There is no connection any more: nothing is heard until :meth:`connected` is called again.

        Also called, once, when the first try to connect has failed.
        """


class Broadcast(ABC):
    """Carries messages between processes, at most once.

    Nothing depends on a message's arrival: what must not be lost is in storage before it is published, and
    who missed the message finds it there. So a broker may be restarted, cut off, or away from the start.

    Guarantees an implementation gives:

    * **At most once, in order.** What one process publishes on one channel arrives in that order, some of it
      perhaps never, nothing twice.
    * **Subscribed means subscribed.** When :meth:`subscribe` has returned and there is a connection, whatever
      anybody publishes on the channel afterwards arrives as long as that connection lasts.
    * **A dead connection is noticed** within ten seconds, also one on which nothing arrives any more without
      its end having been told; the implementation tries again by itself, for ever.
    * **Publishing never waits and never fails.** Without a connection, or when too much waits, a message is
      dropped.

    Attributes:
        max_message: Bytes that a message may have to be carried well; a larger one should not be published.
    """

    max_message: int = 256 * 1024

    @abstractmethod
    async def open(self, listener: BroadcastListener) -> None:
        """Begin to connect, and return at the first connection or when the first try has failed.

        Raises:
            ValueError: The address is none. Nothing was begun.
        """

    @abstractmethod
    def publish(self, channel: str, message: bytes) -> None:
        """Send a message to everybody who has subscribed to the channel. Never waits, never fails."""

    @abstractmethod
    async def subscribe(self, channel: str) -> None:
        """Hear what is published on a channel from now on.

        Returns when the broker has confirmed it, or at once if there is no connection: the channel is
        subscribed to when there is one again, before :meth:`BroadcastListener.connected` is called.
        """

    @abstractmethod
    def unsubscribe(self, channel: str) -> None:
        """Hear no more of a channel. A message that is under way may still come."""

    @property
    @abstractmethod
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as is known."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of the broker. What has not been sent is dropped. The listener is told nothing more."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """:meth:`close` it."""
        await self.close()

    async def __aenter__(self) -> Self:
        """Be closed at the end of the block; who opens it names the listener."""
        return self


class NoBroadcast(Broadcast):
    """None at all: processes find in storage, within a second, what others have stored there."""

    is_connected = False

    async def open(self, listener: BroadcastListener) -> None:
        """Do nothing."""

    def publish(self, channel: str, message: bytes) -> None:
        """Drop the message."""

    async def subscribe(self, channel: str) -> None:
        """Do nothing."""

    def unsubscribe(self, channel: str) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""
