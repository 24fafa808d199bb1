"""What rooms of every kind are: clients that share a document, and the document's way to storage."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from weft.errors import RoomDeletedError, StorageError
from weft.limits import DEFAULT_SERVER_LIMITS
from weft.server._core.confirmations import Confirmations
from weft.server._core.counters import RoomCounters
from weft.server._core.peer import close_code_for
from weft.server._core.refused import RefusedCounts
from weft.server._core.room_log import RoomLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    from weft.documents import Compactor
    from weft.limits import Limits, ServerLimits
    from weft.server._core.send_queue import AcknowledgedQueue
    from weft.server._core.settings import RoomSettings
    from weft.server.storage import RoomStorage

__all__ = ["BaseRoom", "RoomClient", "RoomContext"]

_log = logging.getLogger("weft.server")

_BEYOND = 2**62  # a number that no update has


class RoomClient(Protocol):
    """A client as rooms of every kind know it; each kind asks for more.

    Attributes:
        queue: What leaves to it; of a client that is in several rooms one for all.
    """

    queue: AcknowledgedQueue

    @property
    def waiting(self) -> int:
        """Bytes that have not left to it yet."""

    def end(self, code: int, reason: str) -> None:
        """Let the client go with a close code and phrase."""


C = TypeVar("C", bound=RoomClient)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomContext:
    """What the rooms of one server have in common.

    Attributes:
        storage: Where updates go.
        limits: Bounds of clients that have none of their own.
        settings: How rooms live.
        clock: Seconds, monotonic.
        tell: Passes bytes on to the same room in other processes, if there are any.
        server_limits: Bounds of every client.
        counters: What happens in them.
        refused: What is refused by which bound.
    """

    storage: RoomStorage
    limits: Limits
    settings: RoomSettings
    clock: Callable[[], float]
    tell: Callable[[str, bytes], None] | None = None
    server_limits: ServerLimits = DEFAULT_SERVER_LIMITS
    counters: RoomCounters = field(default_factory=RoomCounters)
    refused: RefusedCounts = field(default_factory=RefusedCounts)


class BaseRoom(ABC, Generic[C]):
    """One shared document in memory. Made by a ``RoomRegistry``, which opens and closes it.

    Whoever keeps a room, its document or a mirror of it for longer than it is open gets a
    ``DocumentClosedError`` from every write, as that would reach neither clients nor storage.

    Everything here is synchronous but waiting for storage: an update is applied and handed to storage in one
    go, and told to every client at the end of the turn, so all of them and the log have it in the same order.

    Args:
        name: The room's name in storage.
        updates: What storage has of it.
        failed: Called once when storage could not take an update; nothing is acknowledged any more.
        context: What it shares with the server's other rooms.
        compactor: Called when a compaction begins; gives what makes one update out of many.
    """

    def __init__(
        self,
        name: str,
        updates: Sequence[bytes],
        failed: Callable[[Self], None],
        context: RoomContext,
        *,
        compactor: Callable[[], Compactor],
    ) -> None:
        self.name = name
        self.limits = context.limits
        self.settings = context.settings
        self.clock = context.clock
        self.refused = context.refused
        self.clients: set[C] = set()
        self.log = RoomLog(
            name,
            updates,
            storage=context.storage,
            compactor=compactor,
            failed=self.fail,
            counters=context.counters,
            max_unsaved=context.server_limits.max_unsaved,
            prepare=None if context.tell is None else self._read_settings,
            compacted=self._take_compacted,
        )
        self._storage = context.storage
        self.confirmations = Confirmations(self.log.stored)
        self._forget = partial(failed, self)
        self._unsubscribe: list[Callable[[], None]] = []
        self._partners: Sequence[BaseRoom[Any]] = ()
        self._intake: Callable[[Sequence[bytes], Sequence[int]], None] | None = None
        self._has_failed = False

    def tick(self, now: float) -> None:
        """Let time pass for everybody in the room."""

    def take_settings(self, settings: Mapping[str, Any]) -> None:
        """Take over what storage keeps with the room."""
        del settings

    async def _read_settings(self) -> None:
        """Take over what another process has had storage keep with the room."""
        self.take_settings((await self._storage.since(self.name, _BEYOND)).settings)

    def bind(
        self,
        partners: Sequence[BaseRoom[Any]],
        unbind: Callable[[], None],
        intake: Callable[[Sequence[bytes], Sequence[int]], None] | None = None,
    ) -> None:
        """Confirm nothing that the partners have not stored, and fail when one of them fails.

        Args:
            partners: The rooms on the other sides of a bridge.
            unbind: Called when this room is closed, before it lets go of the document.
            intake: Called for :meth:`take_in`, and calls :meth:`take_in_now` when it is time.
        """
        self._partners = partners
        self._intake = intake
        self.log.partners = [partner.log for partner in partners]
        self.log.appended = self._tell_partners
        self._unsubscribe.insert(0, unbind)

    def unbind(self) -> None:
        """Be a room of its own again."""
        self._partners = self.log.partners = ()
        self._intake = self.log.appended = None

    def note_ticket(self) -> None:
        """A partner has handed something to storage, which whoever is answered from now on waits for."""

    def _tell_partners(self) -> None:
        for partner in self._partners:
            partner.note_ticket()

    def deleted(self) -> None:
        """The room was deleted from storage: let everybody go."""
        self.fail(RoomDeletedError(self.name))

    def take_in(self, updates: Sequence[bytes], numbers: Sequence[int]) -> None:
        """What other processes have stored, in order, and its numbers; a bridge may let it wait a moment.

        Raises:
            RemoteProtocolError: As for :meth:`take_in_now`.
        """
        if self._intake is None:
            self.take_in_now(updates)
        else:
            self._intake(updates, numbers)

    @abstractmethod
    def take_in_now(self, updates: Sequence[bytes]) -> None:
        """Take in what other processes have stored, in order, and tell this process's clients of it.

        Raises:
            RemoteProtocolError: Something of it is no update.
        """

    @abstractmethod
    def hear(self, sender: bytes, data: bytes) -> None:
        """Hear what another process passes on, which is not kept.

        Raises:
            RemoteProtocolError: It is nothing that a room of this kind says.
        """

    def own_words(self) -> Sequence[bytes]:
        """What the clients of this process say of themselves, to be passed on."""
        return ()

    def forget(self, sender: bytes) -> None:
        """Another process is gone, and with it the clients known by it."""
        del sender

    def close(self) -> None:
        """Let go of the document. Clients must be gone."""
        unsubscribe, self._unsubscribe = self._unsubscribe, []
        for end in unsubscribe:
            end()
        self.log.close()
        self._close_document("it was unloaded")

    def fail(self, error: Exception) -> None:
        """Storage failed, or the room was deleted: let every client go, as nothing can be stored.

        Nothing is lost by a failure. What was acknowledged is durable, what was not the clients still have,
        and what storage took in it tries again before it loads the room for the next client.
        """
        if self._has_failed:
            return
        self._has_failed = True
        deleted = isinstance(error, RoomDeletedError)
        level, what = (logging.WARNING, "it is gone") if deleted else (logging.ERROR, "storage failed")
        _log.log(level, "room %.200r: %s, its clients are let go: %s", self.name, what, error)
        self._forget()
        code = close_code_for(error if deleted else StorageError())
        for peer in tuple(self.clients):
            peer.end(*code)
        for partner in self._partners:
            partner.log.close()
            partner.fail(error)
        self._close_document("storage failed, and what is written is kept by nobody")

    def _take_compacted(self) -> None:
        """Hold less in memory, as storage does now."""

    def _close_document(self, reason: str) -> None:
        self._end_document(
            f"room {self.name!r:.200}",
            f"{reason}. Whoever asks for it now gets another: ask anew, hold it with 'async with' for as "
            "long as it is used, and stop() its mirrors to write their Stores",
        )

    @abstractmethod
    def _end_document(self, what: str, reason: str) -> None:
        """Have whoever kept a document of the room get an error that says what was closed, and why."""
