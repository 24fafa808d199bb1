"""Has all sides of a bridge take in together what other processes have stored of them.

An edit is one commit with a row for each side. They come by ways of their own, of which one may take a second
longer where a hint is lost or overtaken. A client that has been shown one side of it, and writes on top,
would write on the others without knowing of it, where it may lose against what it has seen. So what comes
waits until storage has been asked how far all rooms are at one moment, and all up to there has come.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING

from weft.errors import RemoteProtocolError, StorageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

__all__ = ["Intake"]

_log = logging.getLogger("weft.server")

_RETRY_S = 1.0


class _Side:
    """What waits for one room, with its numbers, and how the room takes it in."""

    def __init__(self, take_in: Callable[[Sequence[bytes]], None]) -> None:
        self.take_in = take_in
        self.updates: list[bytes] = []
        self.numbers: list[int] = []


class Intake:
    """What is on its way to a bridge.

    Args:
        rooms: How each room, by its name, takes in what others have stored.
        catch_up: Waits until the rooms of these names have been given what storage has of them at one moment,
            and says how far that is.
    """

    def __init__(
        self,
        rooms: Mapping[str, Callable[[Sequence[bytes]], None]],
        catch_up: Callable[[Collection[str]], Awaitable[Mapping[str, int]]],
    ) -> None:
        self._sides = {name: _Side(take_in) for name, take_in in rooms.items()}
        self._catch_up = catch_up
        self._lock = asyncio.Lock()
        self._begun = self._succeeded = 0  # how often all have taken in what there was
        self._task: asyncio.Task[None] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is on its way."""
        return not any(side.updates for side in self._sides.values())

    def add(self, name: str, updates: Sequence[bytes], numbers: Sequence[int]) -> None:
        """Updates of a room have come, in order."""
        side = self._sides[name]
        side.updates += updates
        side.numbers += numbers
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._take_in())

    async def take_in(self) -> None:
        """Have all rooms take in what storage has of them at this moment or a later one.

        Raises:
            StorageError: It cannot be read. Nothing was taken in.
        """
        begun = self._begun
        async with self._lock:
            if self._succeeded > begun:  # another one has begun, and ended, since this was called
                return
            begun = self._begun = self._begun + 1
            heads = await self._catch_up(tuple(self._sides))
            for name, side in self._sides.items():
                self._take_in_until(side, heads.get(name, 0))
            self._succeeded = begun

    def close(self) -> None:
        """Wait for nothing any more: each side that goes on without the others takes in what it has."""
        if self._task is not None:
            self._task.cancel()
        for side in self._sides.values():
            updates, side.updates, side.numbers = side.updates, [], []
            with suppress(Exception):  # of a side that is closed, too
                side.take_in(updates)

    def _take_in_until(self, side: _Side, head: int) -> None:
        count = len(side.updates) if head < 0 else bisect_right(side.numbers, head)
        updates = side.updates[:count]
        del side.updates[:count], side.numbers[:count]
        if not updates or head < 0:  # it was deleted
            return
        try:
            side.take_in(updates)
        except RemoteProtocolError as error:
            _log.error("rows of another process are left out: %s", error)
        except Exception:  # noqa: BLE001 - the other sides, and what comes later, are to be taken in
            _log.exception("what another process has stored could not be taken in by one side of a bridge")

    async def _take_in(self) -> None:
        is_known = False
        while not self.is_empty:
            try:
                await self.take_in()
                is_known = False
            except StorageError as error:
                if not is_known:
                    _log.warning("what other processes have stored waits: %s", error)
                is_known = True
                await asyncio.sleep(_RETRY_S)
        self._task = None
