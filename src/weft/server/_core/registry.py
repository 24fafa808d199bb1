"""All rooms of a server: each opened once, kept while somebody is in it, and forgotten when it is stored."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from weft._support.owner import Owner
from weft.errors import RoomDamagedError, WeftError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from weft._support.owner import Hold
    from weft.server._core.room import RoomContext
    from weft.server._core.room_log import RoomLog
    from weft.server.storage import StoredRoom

__all__ = ["AnyRoom", "RoomRegistry"]

_log = logging.getLogger("weft.server")

# Seconds in which logs are still compacted when a server ends; a thousand of them would keep it for minutes.
_LAST_COMPACTIONS = 2.0

# How often a room is read again after bad rows of it were set aside: all that can be told at once are.
_MAX_ATTEMPTS = 4

R_contra = TypeVar("R_contra", contravariant=True)


class AnyRoom(Protocol):
    """A room of whatever kind, as the registry sees it."""

    name: str
    log: RoomLog

    def tick(self, now: float) -> None:
        """Let time pass for everybody in the room."""

    def take_settings(self, settings: Mapping[str, Any]) -> None:
        """Take over what storage keeps with the room."""

    def close(self) -> None:
        """Let go of the document. Clients must be gone."""


class Followers(Protocol[R_contra]):
    """What keeps rooms equal to the same rooms in other processes."""

    async def subscribe(self, name: str, /) -> None:
        """Hear of a room from now on; it is loaded next."""

    def join(self, room: R_contra, number: int, /) -> None:
        """Follow a room that was loaded, up to that number of storage's."""

    def leave(self, name: str, /) -> None:
        """Follow a room no more, also one that could not be loaded."""


R = TypeVar("R", bound=AnyRoom)


@dataclass(slots=True, eq=False)
class _Entry(Generic[R]):
    """A room from the first request for it until it is forgotten."""

    opening: asyncio.Task[R]
    users: int = 0
    timer: asyncio.TimerHandle | None = None  # while nobody is in it
    unloading: asyncio.Task[None] | None = None


class RoomRegistry(Generic[R]):
    """The rooms of one kind of a server.

    Args:
        context: What they have in common. Its storage is opened and closed by the owner.
        make: Makes a room of its name and what storage has of it; its third argument is for the room to call
            when storage has failed it.
        unreadable: Tells what is wrong with which of a room's rows, by their places; called on another thread
            when a room could not be made of them.
        followers: What follows other processes, if there are any.
    """

    def __init__(
        self,
        context: RoomContext,
        *,
        make: Callable[[str, list[bytes], Callable[[R], None]], R],
        unreadable: Callable[[Sequence[bytes]], Mapping[int, str]],
        followers: Followers[R] | None = None,
    ) -> None:
        self._storage = context.storage
        self._make = make
        self._unreadable = unreadable
        self._counters = context.counters
        self._settings = context.settings
        self._clock = context.clock
        self._followers = followers
        self._entries: dict[str, _Entry[R]] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._last_compaction = asyncio.Lock()
        self._compact_until = 0.0  # on the loop's clock, when everything closes
        self._owner = Owner("the server")
        self._hold: Hold | None = None

    def __len__(self) -> int:
        """How many rooms are in memory, those being opened included."""
        return len(self._entries)

    def __iter__(self) -> Iterator[R]:
        """Those that are open at this moment."""
        return (room for name in tuple(self._entries) if (room := self.get(name)) is not None)

    def get(self, name: str) -> R | None:
        """A room that is open at this moment."""
        entry = self._entries.get(name)
        if (
            entry is None
            or not entry.opening.done()
            or entry.opening.cancelled()
            or entry.opening.exception()
        ):
            return None
        return entry.opening.result()

    @asynccontextmanager
    async def use(self, name: str) -> AsyncIterator[R]:
        """Hold a room open. However many ask at once, it is loaded once.

        Raises:
            StorageError: It could not be loaded. The next request tries again.
            WrongThreadError: The server runs in another thread: ask with ``run_coroutine_threadsafe``. Or in
                the process that this one was forked from.
        """
        if self._hold is None:
            self._hold = self._owner.hold()
        else:
            self._owner.check()
        entry = self._entries.get(name)
        if entry is None:
            entry = _Entry(asyncio.get_running_loop().create_task(self._open(name)))
            self._entries[name] = entry
        entry.users += 1
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        try:
            # Shielded: who gives up waiting does not end the loading for the others.
            yield await asyncio.shield(entry.opening)
        finally:
            entry.users -= 1
            if entry.users == 0:
                self._schedule_unload(name, entry)

    async def close(self) -> None:
        """Settle and forget every room. Clients must be gone, or going.

        Raises:
            WrongThreadError: As for :meth:`use`.
        """
        self._owner.check()
        self._compact_until = asyncio.get_running_loop().time() + _LAST_COMPACTIONS
        if self._ticker is not None:
            self._ticker.cancel()
        for name, entry in tuple(self._entries.items()):
            if entry.timer is not None:
                entry.timer.cancel()
            if entry.unloading is None:
                entry.unloading = asyncio.get_running_loop().create_task(
                    self._unload(name, entry, force=True)
                )
        tasks = {entry.unloading for entry in self._entries.values() if entry.unloading is not None}
        tasks |= {self._ticker} if self._ticker is not None else set()
        if tasks:
            await asyncio.wait(tasks)
        if self._hold is not None:
            self._hold.drop()
            self._hold = None

    async def _open(self, name: str) -> R:
        followers = self._followers
        try:
            if followers is not None:
                await followers.subscribe(name)
            room, head = await self._load(name)
        except BaseException:
            self._entries.pop(name, None)
            if followers is not None:
                followers.leave(name)
            self._release(name)
            raise
        if followers is not None:
            followers.join(room, head)
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().create_task(self._tick())
        return room

    async def _load(self, name: str) -> tuple[R, int]:
        """Make a room of what storage has of it, less what cannot be read, which is set aside."""
        for attempts_left in reversed(range(_MAX_ATTEMPTS)):
            try:
                stored = await self._storage.load(name)
                return await self._make_room(name, stored), stored.head
            except RoomDamagedError as error:
                self._counters.damaged += 1
                if not error.rows or not attempts_left:
                    raise
                await self._storage.set_aside(name, error.rows)
                self._counters.set_aside += len(error.rows)
                for number, fault in error.rows.items():
                    _log.error(
                        "room %.200r: row %d cannot be read and was set aside (see weft db quarantine); the "
                        "room opens without it: %s",
                        *(name, number, fault),
                    )
        raise AssertionError("unreachable")

    async def _make_room(self, name: str, stored: StoredRoom) -> R:
        try:
            room = self._make(name, stored.rows, self._forget)
        except WeftError as error:
            faults = await asyncio.to_thread(self._unreadable, stored.rows)
            raise RoomDamagedError(
                name,
                f"it holds something that is not an update: {error}",
                rows={stored.numbers[at]: fault for at, fault in faults.items()},
            ) from error
        room.take_settings(stored.settings)
        return room

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._settings.tick)
            now = self._clock()
            for name in tuple(self._entries):
                room = self.get(name)
                if room is not None:
                    try:
                        room.tick(now)
                    except Exception:  # noqa: BLE001 - one room's fault is not the others'
                        _log.exception(
                            "room %.200r: its timers failed; they run again at the next tick", name
                        )

    def _schedule_unload(self, name: str, entry: _Entry[R]) -> None:
        if self._entries.get(name) is not entry:  # it could not be loaded, or storage failed
            if not entry.opening.cancelled() and entry.opening.exception() is None:
                entry.opening.result().close()
                self._release(name)
        elif entry.unloading is None:
            delay = self._settings.unload_delay
            entry.timer = asyncio.get_running_loop().call_later(delay, self._start_unload, name, entry)

    def _start_unload(self, name: str, entry: _Entry[R]) -> None:
        entry.timer = None
        entry.unloading = asyncio.get_running_loop().create_task(self._unload(name, entry))

    async def _unload(self, name: str, entry: _Entry[R], *, force: bool = False) -> None:
        try:
            room = await entry.opening
            await room.log.settle(compact=not force, wait=not force)
            if force:  # all are stored; now one after the other, as long as there is time
                async with self._last_compaction:
                    with suppress(TimeoutError):
                        async with asyncio.timeout_at(self._compact_until):
                            await room.log.settle(
                                compact=asyncio.get_running_loop().time() < self._compact_until
                            )
        except Exception as error:  # noqa: BLE001 - told to whoever waited for the room, too
            # Storage keeps what it has taken in and tries again before it loads the room for the next client.
            _log.error("room %.200r is forgotten before it could be stored: %s", name, error)
        entry.unloading = None
        # Nothing is awaited between the end of settle() and here, so nothing can have come in.
        if self._entries.get(name) is entry and (force or entry.users == 0):
            self._remove(name)
            if not entry.opening.exception():
                entry.opening.result().close()
            self._release(name)

    def _forget(self, room: R) -> None:
        if self.get(room.name) is room:
            entry = self._remove(room.name)
            if entry.timer is not None:
                entry.timer.cancel()
            if entry.users == 0:
                room.close()
                self._release(room.name)

    def _release(self, name: str) -> None:
        if name not in self._entries:  # otherwise somebody has opened it anew
            self._storage.release(name)

    def _remove(self, name: str) -> _Entry[R]:
        if self._followers is not None:  # at once: the next who asks for the name subscribes anew
            self._followers.leave(name)
        return self._entries.pop(name)
