"""Keeps the open rooms of one process equal to the same rooms in other processes.

What a process has committed it tells the others, by a broker that may lose anything; what a process was not
told, it finds in storage: a hole in the numbers after 50 ms, whatever else within a second. So there is no
leader and no lease, and a broker that is away costs that second and nothing else.

Awareness and other things that are not kept go over the broker alone. A process that opens a room asks, the
others answer with what their *own* clients say; a process that has been silent for 15 s counts as gone.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from weft._aio.tasks import end_tasks
from weft.errors import RemoteProtocolError, StorageError
from weft.server.fanout.follower import HOLE_S, Follower
from weft.server.fanout.messages import (
    SENDER_BYTES,
    Bye,
    Hint,
    Question,
    Told,
    beat_message,
    bye_message,
    hint_message,
    question_message,
    read_message,
    told_message,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from weft.server.fanout.broadcast import Broadcast

__all__ = ["FanoutStats", "Hub", "SharedRoom"]

_log = logging.getLogger("weft.server")

_BEAT_S = 5.0
_SILENT_S = 15.0
_HEADS_S = 1.0
_PROCESSES = "processes"  # the channel of all; a room's begins with "room:"
_ROOM = "room:"


class SharedRoom(Protocol):
    """An open room, as the hub knows it."""

    @property
    def name(self) -> str:
        """The room's name in storage."""

    def take_in(self, updates: Sequence[bytes]) -> None:
        """Take in what other processes have stored, in order, and tell this process's clients of it."""

    def hear(self, sender: bytes, data: bytes) -> None:
        """Hear what another process passes on."""

    def own_words(self) -> bytes | None:
        """What the clients of this process say of themselves, to be passed on; ``None`` for nothing."""

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


@dataclass(slots=True)
class FanoutStats:
    """What has happened between this process and others, counted since its start.

    Attributes:
        hints: Hints received.
        lag_s: Seconds from commit to receipt of the last hint, by the clocks of both machines.
        holes: Holes that did not close by themselves.
        fetched: Rows fetched from storage, as no hint had brought them.
        unreadable: Messages that could not be read.
        processes: Other processes heard of within the last 15 s.
    """

    hints: int = 0
    lag_s: float = 0.0
    holes: int = 0
    fetched: int = 0
    unreadable: int = 0
    processes: int = 0


class _Entry:
    """A room that is followed."""

    __slots__ = ("fetching", "follower", "owed", "room", "timer")

    def __init__(self, room: SharedRoom, number: int) -> None:
        self.room = room
        self.owed: list[bytes] = []  # what the room could not take in at its time; it is given them again
        self.follower = Follower(number)
        self.fetching: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None


class Hub:
    """One process's side of it.

    Args:
        broadcast: The way to the other processes. The hub opens and closes it.
        storage: What all of them share; opened and closed by the owner.
    """

    def __init__(self, broadcast: Broadcast, storage: SharedStorage) -> None:
        self.stats = FanoutStats()
        self.sender = secrets.token_bytes(SENDER_BYTES)
        self._broadcast = broadcast
        self._storage = storage
        self._rooms: dict[str, _Entry] = {}
        self._heard_of: dict[bytes, float] = {}  # other processes, and when they were last heard of
        self._watch: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None  # while heads are being read
        self._storage_is_away = False
        self._end_commits: Callable[[], None] | None = None

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
        await self._broadcast.subscribe(_PROCESSES)
        await self._broadcast.open(self)
        self._watch = asyncio.get_running_loop().create_task(self._keep_watch())

    async def close(self) -> None:
        """Say goodbye, and let go of the broker. Rooms must have left. A second call does nothing."""
        if self._end_commits is None:
            return
        self._end_commits()
        self._end_commits = None
        self._broadcast.publish(_PROCESSES, bye_message(self.sender))
        await asyncio.sleep(0)  # the message is on its way, or is lost
        tasks = [entry.fetching for entry in self._rooms.values()]
        await end_tasks([task for task in (self._watch, self._looking, *tasks) if task is not None])
        await self._broadcast.close()

    async def subscribe(self, name: str) -> None:
        """Hear of a room from now on; to be called before the room is loaded.

        A hint older than this was committed before the load, so that nothing falls in between.
        """
        await self._broadcast.subscribe(_ROOM + name)

    def join(self, room: SharedRoom, number: int) -> None:
        """Follow a room that has just been loaded, up to a number, and ask for what is not kept."""
        self._rooms[room.name] = _Entry(room, number)
        self._broadcast.publish(_ROOM + room.name, question_message(self.sender))

    def leave(self, name: str) -> None:
        """Follow a room no more, also one that was subscribed to and could not be loaded."""
        entry = self._rooms.pop(name, None)
        self._broadcast.unsubscribe(_ROOM + name)
        if entry is not None:
            if entry.timer is not None:
                entry.timer.cancel()
            if entry.fetching is not None:
                entry.fetching.cancel()

    def tell(self, name: str, data: bytes) -> None:
        """Pass on what is not kept to whoever has the room open elsewhere."""
        self._broadcast.publish(_ROOM + name, told_message(self.sender, data))

    # What the broadcast tells

    def received(self, channel: str, message: bytes) -> None:
        """A message came."""
        if message[2 : 2 + SENDER_BYTES] == self.sender:
            return
        try:
            read = read_message(message)
        except RemoteProtocolError as error:
            self.stats.unreadable += 1
            if self.stats.unreadable == 1:  # once is news
                _log.warning("from another server process: %s", error)
            return
        self._note_process(read.sender)
        entry = self._rooms.get(channel[len(_ROOM) :]) if channel.startswith(_ROOM) else None
        match read:
            case Hint() if entry is not None:
                self._take_hint(entry, read)
            case Told() if entry is not None:
                self._call(entry.room, entry.room.hear, read.sender, read.data)
            case Question() if entry is not None:
                self._answer(entry.room)
            case Bye():
                if self._heard_of.pop(read.sender, None) is not None:
                    self._forget(read.sender)
            case _:
                pass  # a beat, or of a room that is closed here

    def connected(self) -> None:
        """There is a connection: see what was missed, and say what was not heard."""
        self._broadcast.publish(_PROCESSES, beat_message(self.sender))
        for name, entry in self._rooms.items():
            self._broadcast.publish(_ROOM + name, question_message(self.sender))
            self._answer(entry.room)
        self._look()

    def disconnected(self, reason: str) -> None:
        """There is none: the look at the heads each second has to do."""

    # Within

    def _committed(self, name: str, first: int, updates: Sequence[bytes]) -> None:
        now = asyncio.get_running_loop().time()
        entry = self._rooms.get(name)
        if entry is not None:
            self._apply(entry, entry.follower.committed(first, len(updates), now))
        sent = updates if sum(map(len, updates)) + 16 * len(updates) <= self._broadcast.max_message else ()
        message = hint_message(self.sender, time.time_ns() // 1_000_000, first, len(updates), sent)
        self._broadcast.publish(_ROOM + name, message)

    def _take_hint(self, entry: _Entry, hint: Hint) -> None:
        self.stats.hints += 1
        self.stats.lag_s = max(0.0, time.time() - hint.sent_ms / 1000)
        now = asyncio.get_running_loop().time()
        self._apply(entry, entry.follower.hinted(hint.first, hint.updates, hint.count, now))

    def _apply(self, entry: _Entry, updates: list[bytes]) -> None:
        if updates or entry.owed:
            self._give(entry, updates)
        if entry.follower.has_hole and entry.timer is None and entry.fetching is None:
            loop = asyncio.get_running_loop()
            entry.timer = loop.call_later(HOLE_S, self._hole_is_old, entry)

    def _give(self, entry: _Entry, updates: list[bytes]) -> None:
        owed, entry.owed = entry.owed, []
        try:
            entry.room.take_in([*owed, *updates])
        except RemoteProtocolError as error:
            _log.error("room %.200r: rows of another process are left out: %s", entry.room.name, error)
        except Exception:  # noqa: BLE001 - one room's fault is not the others', and may pass
            entry.owed = [*owed, *updates]
            if not owed:
                _log.exception(
                    "room %.200r: what another process has stored cannot be taken in now, and is tried again "
                    "each second",
                    entry.room.name,
                )

    def _hole_is_old(self, entry: _Entry) -> None:
        entry.timer = None
        since = entry.follower.hole_since()
        if since is None or entry.fetching is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() - since < HOLE_S:  # it closed, and there is another one
            entry.timer = loop.call_at(since + HOLE_S, self._hole_is_old, entry)
            return
        self.stats.holes += 1
        entry.fetching = loop.create_task(self._fetch(entry))

    async def _fetch(self, entry: _Entry) -> None:
        try:
            found = await self._storage.since(entry.room.name, entry.follower.number)
        except StorageError as error:
            self._note_storage(error)  # the next look at the heads tries again
            return
        finally:
            entry.fetching = None
        self._note_storage(None)
        if self._rooms.get(entry.room.name) is entry:
            now = asyncio.get_running_loop().time()
            rows = zip(found.numbers, found.rows, strict=True)
            updates = entry.follower.fetched(rows, found.head, now)
            self.stats.fetched += len(updates)
            self._apply(entry, updates)

    def _look(self) -> None:
        if self._looking is None and self._rooms:
            self._looking = asyncio.get_running_loop().create_task(self._look_at_heads())

    async def _look_at_heads(self) -> None:
        try:
            heads = await self._storage.heads(tuple(self._rooms))
        except StorageError as error:
            self._note_storage(error)
            return
        finally:
            self._looking = None
        self._note_storage(None)
        now = asyncio.get_running_loop().time()
        for name, head in heads.items():
            entry = self._rooms.get(name)
            if entry is None:
                continue
            if head < 0:
                self._call(entry.room, entry.room.deleted)
                continue
            entry.follower.heard(head, now)
            self._apply(entry, [])

    async def _keep_watch(self) -> None:
        loop = asyncio.get_running_loop()
        beat_at = loop.time()
        while True:
            if loop.time() >= beat_at:
                beat_at = loop.time() + _BEAT_S
                self._broadcast.publish(_PROCESSES, beat_message(self.sender))
            self._look()
            for sender, heard in tuple(self._heard_of.items()):
                if loop.time() - heard > _SILENT_S:
                    del self._heard_of[sender]
                    self._forget(sender)
            self.stats.processes = len(self._heard_of)
            await asyncio.sleep(_HEADS_S)

    def _note_process(self, sender: bytes) -> None:
        self._heard_of[sender] = asyncio.get_running_loop().time()

    def _forget(self, sender: bytes) -> None:
        for entry in tuple(self._rooms.values()):
            self._call(entry.room, entry.room.forget, sender)

    def _answer(self, room: SharedRoom) -> None:
        words = room.own_words()
        if words is not None:
            self.tell(room.name, words)

    def _call(self, room: SharedRoom, call: Callable[..., None], *arguments: object) -> None:
        try:
            call(*arguments)
        except Exception:  # noqa: BLE001 - one room's fault is not the others'
            _log.exception("room %.200r: what came from another process could not be taken in", room.name)

    def _note_storage(self, error: StorageError | None) -> None:
        if error is not None and not self._storage_is_away:
            _log.warning("what other processes have stored cannot be read, and is tried again: %s", error)
        self._storage_is_away = error is not None
