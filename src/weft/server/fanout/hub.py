"""Keeps the open rooms of one process equal to the same rooms in other processes.

It carries out what its :class:`~weft.server.fanout.session.FanoutSession` decides: on a broker, a storage,
the rooms, and the event loop's clock.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from typing import TYPE_CHECKING, Protocol

from weft._aio.tasks import end_tasks
from weft.errors import RemoteProtocolError, RoomDeletedError, StorageError
from weft.server.fanout.broadcast import NoBroadcast
from weft.server.fanout.follower import HOLE_S
from weft.server.fanout.messages import SENDER_BYTES
from weft.server.fanout.session import (
    PROCESSES,
    Answer,
    Deleted,
    FanoutSession,
    FanoutStats,
    Fetch,
    Forget,
    Hear,
    Publish,
    ReadHeads,
    TakeIn,
    room_channel,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from weft.server.fanout.broadcast import Broadcast
    from weft.server.fanout.session import FanoutEffect

__all__ = ["FanoutStats", "Hub", "SharedRoom"]

_log = logging.getLogger("weft.server")

_CATCH_UP_S = 10.0


class SharedRoom(Protocol):
    """An open room, as the hub knows it."""

    @property
    def name(self) -> str:
        """The room's name in storage."""

    def take_in(self, updates: Sequence[bytes], numbers: Sequence[int], /) -> None:
        """Take in what other processes have stored, in order, and tell this process's clients of it."""

    def hear(self, sender: bytes, data: bytes) -> None:
        """Hear what another process passes on."""

    def own_words(self) -> Sequence[bytes]:
        """What the clients of this process say of themselves, to be passed on."""

    def forget(self, sender: bytes) -> None:
        """Another process is gone, and with it the clients known by it."""

    def deleted(self) -> None:
        """The room was deleted from storage, by whichever process."""


class StoredRows(Protocol):
    """What a storage gives of a room."""

    @property
    def rows(self) -> Sequence[bytes]:
        """Updates, in the order of their numbers."""

    @property
    def numbers(self) -> Sequence[int]:
        """The number of each."""

    @property
    def head(self) -> int:
        """The number up to which they were read."""


class SharedStorage(Protocol):
    """A storage, as the hub knows it: see :class:`weft.server.RoomStorage`."""

    async def since(self, room: str, number: int, /) -> StoredRows:
        """What a room has got beyond a number."""

    async def heads(self, rooms: Collection[str], /) -> Mapping[str, int]:
        """The numbers of the last updates; below zero for what was deleted."""

    def on_commit(self, listener: Callable[[str, int, Sequence[bytes]], None], /) -> Callable[[], None]:
        """Hear of what is committed."""


class Hub:
    """One process's side of it.

    Args:
        broadcast: The way to the other processes. The hub opens and closes it.
        storage: What all of them share; opened and closed by the owner.
    """

    def __init__(self, broadcast: Broadcast, storage: SharedStorage) -> None:
        self.sender = secrets.token_bytes(SENDER_BYTES)
        self._session = FanoutSession(self.sender, max_message=broadcast.max_message, now=0.0)
        self.stats = self._session.stats
        self._broadcast = broadcast
        self._storage = storage
        self._rooms: dict[str, SharedRoom] = {}
        # What rooms could not take in, with the numbers; they are given it again.
        self._owed: dict[str, tuple[Sequence[bytes], Sequence[int]]] = {}
        self._fetches: dict[str, asyncio.Task[None]] = {}
        self._reading_heads: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._storage_is_away = False
        self._end_commits: Callable[[], None] | None = None

    @property
    def has_broker(self) -> bool:
        """Whether there is a broker at all, connected or not."""
        return not isinstance(self._broadcast, NoBroadcast)

    @property
    def is_connected(self) -> bool:
        """Whether the other processes hear of things at once; otherwise they see them within a second."""
        return self._broadcast.is_connected

    async def open(self) -> None:
        """Begin. Without a broker the process serves all the same.

        Raises:
            ValueError: The broker's address is none.
        """
        self._end_commits = self._storage.on_commit(self._committed)
        await self._broadcast.subscribe(PROCESSES)
        await self._broadcast.open(self)
        self._tick()

    async def close(self) -> None:
        """Say goodbye, and let go of the broker. Rooms must have left. A second call does nothing."""
        if self._end_commits is None:
            return
        self._end_commits()
        self._end_commits = None
        if self._timer is not None:
            self._timer.cancel()
        self._perform([self._session.bye()])
        await asyncio.sleep(0)  # the message is on its way, or is lost
        heads = [] if self._reading_heads is None else [self._reading_heads]
        await end_tasks([*heads, *self._fetches.values()])
        await self._broadcast.close()

    async def subscribe(self, name: str) -> None:
        """Hear of a room from now on; to be called before the room is loaded."""
        self._session.opening(name)
        await self._broadcast.subscribe(room_channel(name))

    def join(self, room: SharedRoom, number: int) -> None:
        """Follow a room that has just been loaded, up to a number, and ask for what is not kept."""
        self._rooms[room.name] = room
        self._perform(self._session.opened(room.name, number, _now()))

    def leave(self, name: str) -> None:
        """Follow a room no more, also one that was subscribed to and could not be loaded."""
        self._session.closed(name)
        self._rooms.pop(name, None)
        self._owed.pop(name, None)
        self._broadcast.unsubscribe(room_channel(name))
        fetch = self._fetches.pop(name, None)
        if fetch is not None:
            fetch.cancel()

    def tell(self, name: str, data: bytes) -> None:
        """Pass on what is not kept to whoever has the room open elsewhere."""
        self._perform([self._session.tell(name, data)])

    async def catch_up(self, names: Collection[str]) -> Mapping[str, int]:
        """Wait until rooms have been given all that storage has of them at one moment.

        Returns:
            The numbers of the last of it.

        Raises:
            StorageError: It cannot be read.
        """
        heads = await self._storage.heads(names)
        try:
            async with asyncio.timeout(_CATCH_UP_S):
                while not self._session.has_taken_in(heads):
                    self._perform(self._session.heard(heads, _now()))
                    await asyncio.sleep(HOLE_S)
        except TimeoutError:
            raise StorageError("what other processes have stored cannot be read") from None
        return heads

    # What the broadcast tells

    def received(self, channel: str, message: bytes) -> None:
        """A message came."""
        self._perform(self._session.received(channel, message, _now(), wall_s=time.time()))

    def connected(self) -> None:
        """There is a connection."""
        self._perform(self._session.connected())

    def disconnected(self, reason: str) -> None:
        """There is none: the look at the heads each second has to do."""

    # Within

    def _committed(self, name: str, first: int, updates: Sequence[bytes]) -> None:
        self._perform(self._session.committed(name, first, updates, _now(), wall_s=time.time()))

    def _perform(self, effects: Iterable[FanoutEffect]) -> None:
        for effect in effects:
            match effect:
                case Publish():
                    self._broadcast.publish(effect.channel, effect.message)
                case TakeIn() if (room := self._rooms.get(effect.room)) is not None:
                    self._give(room, effect.updates, effect.numbers)
                case Hear() if (room := self._rooms.get(effect.room)) is not None:
                    self._call(room, room.hear, effect.sender, effect.data)
                case Answer() if (room := self._rooms.get(effect.room)) is not None:
                    self._call(room, self._answer, room)
                case Forget():
                    for room in tuple(self._rooms.values()):
                        self._call(room, room.forget, effect.sender)
                case Deleted() if (room := self._rooms.get(effect.room)) is not None:
                    self._call(room, room.deleted)
                case Fetch():
                    task = asyncio.get_running_loop().create_task(self._fetch(effect.room, effect.number))
                    self._fetches[effect.room] = task
                case ReadHeads():
                    self._reading_heads = asyncio.get_running_loop().create_task(
                        self._read_heads(effect.rooms)
                    )
                case _:
                    pass  # of a room that has left meanwhile
        self._arm()

    def _arm(self) -> None:
        if self._end_commits is None:
            return
        due = self._session.next_tick()
        if self._timer is None or due < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = due
            self._timer = asyncio.get_running_loop().call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._perform(self._session.tick(_now()))

    async def _fetch(self, name: str, number: int) -> None:
        try:
            found = await self._storage.since(name, number)
        except Exception as error:  # noqa: BLE001 - whatever a storage raises, it is asked again
            if not isinstance(error, RoomDeletedError):  # of which the next look at the heads tells
                self._note_storage(error)
            self._session.fetch_failed(name, _now())
            del self._fetches[name]
            self._arm()
            return
        self._note_storage(None)
        del self._fetches[name]
        rows = zip(found.numbers, found.rows, strict=True)
        self._perform(self._session.fetched(name, rows, found.head, _now()))

    async def _read_heads(self, rooms: Collection[str]) -> None:
        heads = None
        try:
            heads = await self._storage.heads(rooms)
            self._note_storage(None)
        except Exception as error:  # noqa: BLE001 - as above
            self._note_storage(error)
        self._perform(self._session.heads_read(heads, _now()))
        for name in tuple(self._owed):
            if (room := self._rooms.get(name)) is not None:  # giving to one may close another
                self._give(room, (), ())

    def _answer(self, room: SharedRoom) -> None:
        for words in room.own_words():
            self.tell(room.name, words)

    def _give(self, room: SharedRoom, updates: Sequence[bytes], numbers: Sequence[int]) -> None:
        owed = self._owed.pop(room.name, None)
        if owed is not None:
            updates, numbers = [*owed[0], *updates], [*owed[1], *numbers]
        try:
            room.take_in(updates, numbers)
        except RemoteProtocolError as error:
            _log.error("room %.200r: rows of another process are left out: %s", room.name, error)
        except Exception:  # noqa: BLE001 - one room's fault is not the others', and may pass
            self._owed[room.name] = updates, numbers
            if owed is None:
                _log.exception(
                    "room %.200r: what another process has stored cannot be taken in now, and is tried again "
                    "each second",
                    room.name,
                )

    def _call(self, room: SharedRoom, call: Callable[..., None], *arguments: object) -> None:
        try:
            call(*arguments)
        except Exception:  # noqa: BLE001 - one room's fault is not the others'
            _log.exception("room %.200r: what came from another process could not be taken in", room.name)

    def _note_storage(self, error: Exception | None) -> None:
        if error is not None and not self._storage_is_away:
            _log.warning("what other processes have stored cannot be read, and is tried again: %s", error)
        self._storage_is_away = error is not None


def _now() -> float:
    return asyncio.get_running_loop().time()
