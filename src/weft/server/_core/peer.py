"""One client of the server, whatever protocol it speaks: how it is served, and how it is let go."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from weft.errors import (
    DocumentClosedError,
    MessageTooLargeError,
    RemoteProtocolError,
    RoomDeletedError,
    StorageError,
)
from weft.server._core.send_queue import AcknowledgedQueue, StalledError
from weft.server._core.wrong_protocol import WrongProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weft.limits import Limits
    from weft.server._core.confirmations import Confirmations
    from weft.server._core.link import Link
    from weft.server._core.refused import RefusedCounts

__all__ = ["Peer", "close_code_for"]

_log = logging.getLogger("weft.server")


def close_code_for(error: BaseException) -> tuple[int, str]:
    """The websocket close code and phrase that tell a client why it was let go. All of them are here."""
    match error:
        case MessageTooLargeError():
            return 1009, f"message of {error.size} bytes exceeds limit of {error.limit} bytes"
        case RemoteProtocolError():
            return 1007, f"invalid message: {error}"
        case RoomDeletedError():
            return 4404, "the room was deleted"  # as below: who comes back finds nothing
        case StorageError():
            return 1013, "storage is not available"
        case DocumentClosedError():
            return 1013, "the room was closed"
        case WrongProtocolError():
            return 4400, str(error)  # y-websocket's range for "permanent"
        case StalledError():
            return 1013, "too slow"
        case _:
            return 1011, "internal error"


class Peer(ABC):
    """One client. Whatever goes wrong with it ends it, and nobody else.

    It has no task: its connection calls it with what comes, and what it has to say is written at once.

    Args:
        link: The client's connection.
        limits: Bounds of the connection.
        confirmations: Of the storage that answers wait for.
        stall_timeout: Seconds that a client with something to read may make no progress.
        refused: Told what is refused by which bound.
        released: Called once, when the client has gone or was let go.
    """

    def __init__(
        self,
        link: Link,
        *,
        limits: Limits,
        confirmations: Confirmations,
        stall_timeout: float,
        refused: RefusedCounts,
        released: Callable[[], None],
    ) -> None:
        self.queue = AcknowledgedQueue(
            link,
            self,
            max_bytes=limits.max_outbound,
            max_answers=limits.max_answers,
            confirmations=confirmations,
            stall_timeout=stall_timeout,
        )
        self._link = link
        self._refused = refused
        self._released = released
        self._is_over = False
        self._is_held = False  # nothing is read of it

    @property
    def waiting(self) -> int:
        """Bytes that have not left to the client yet."""
        return self.queue.size

    def held(self) -> Iterator[tuple[int, int]]:
        """What waits in memory for it beside what its connection was given."""
        return self.queue.held()

    def start(self) -> None:
        """Serve the client from now on, until it leaves or is let go."""
        self._join()
        self._link.attach(self)
        try:
            self._connected()
        except Exception as error:  # noqa: BLE001 - one connection's fault ends that connection
            self.fail(error)

    def receive(self, message: bytes) -> None:
        """Take in one message."""
        if self._is_over:
            return
        try:
            self._receive(message)
        except Exception as error:  # noqa: BLE001 - one connection's fault ends that connection
            self.fail(error)
        else:
            self.reconsider()

    def writable(self) -> None:
        """Write what waits."""
        try:
            self.queue.pump()
        except Exception as error:  # noqa: BLE001 - as above
            self.fail(error)

    def lost(self) -> None:
        """Be gone."""
        self._finish()

    def reconsider(self) -> None:
        """Read of the client, or do not, as what it has asked for and what storage has to do allow."""
        if self._is_over:
            return
        hold = self.queue.has_too_many_answers or self._is_too_fast()
        if hold is not self._is_held:
            self._is_held = hold
            if hold:
                self._refused.count("max_answers" if self.queue.has_too_many_answers else self._held_by())
                self._link.pause_reading()
            else:
                self._link.resume_reading()

    def end(self, code: int, reason: str) -> None:
        """Have the client let go with a close code and phrase."""
        if self._finish():
            self._link.close(code, reason)

    def fail(self, error: BaseException) -> None:
        """Have the client let go for what went wrong with it."""
        if self._is_over:
            return
        code, reason = self._close_code(error)
        if isinstance(error, RemoteProtocolError | StalledError) and error.bound:
            self._refused.count(error.bound)
        if code == 1011:
            _log.error("%s failed", self.name, exc_info=error)
        else:
            # The first two are an honest client's troubles, whose writes do not arrive.
            level = {1009: logging.ERROR, 4400: logging.WARNING}.get(code, logging.INFO)
            _log.log(level, "%s is let go (%d %s): %.200s", self.name, code, reason, error)
        self.end(code, reason)

    def _finish(self) -> bool:
        """Hear of nothing more; whether that is news."""
        if self._is_over:
            return False
        self._is_over = True
        self.queue.close()
        try:
            self._leave()
        except Exception:  # noqa: BLE001 - it is gone all the same
            _log.exception("%s could not be parted with", self.name)
        self._released()
        return True

    # What a protocol says

    @property
    @abstractmethod
    def name(self) -> str:
        """How the logs call the client."""

    @abstractmethod
    def refill(self) -> None:
        """The queue is empty: put in what was held back while it was full."""

    @abstractmethod
    def _join(self) -> None:
        """Be there for the others; nothing has been read yet."""

    @abstractmethod
    def _connected(self) -> None:
        """Say what is said first."""

    @abstractmethod
    def _receive(self, message: bytes) -> None:
        """Take in one message. What it raises ends the client."""

    @abstractmethod
    def _is_too_fast(self) -> bool:
        """Whether no more should be read of this client; :meth:`reconsider` is called when that changes."""

    def _close_code(self, error: BaseException) -> tuple[int, str]:
        """The close code and phrase for what went wrong."""
        return close_code_for(error)

    def _held_by(self) -> str:
        """The bound for which :meth:`_is_too_fast` says so."""
        return "max_unsaved"

    @abstractmethod
    def _leave(self) -> None:
        """Hear of nothing more, and tell the others what has to be told. Called once."""
