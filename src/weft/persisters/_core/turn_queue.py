"""Taking turns: one queue for all persisters that use one connection."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["TurnQueue"]

_Task = asyncio.Task[object]
_Waiter = tuple["_Task", "asyncio.Future[None]"]


class TurnQueue:
    """First come, first served; whoever has the turn may take it again.

    Persisters with the same ``thing`` (a database connection, an environment) share one, also where they run
    in event loops of their own, one after the other or in several threads: an ``asyncio.Lock`` is one loop's.
    """

    _shared: ClassVar[weakref.WeakValueDictionary[tuple[int, int], TurnQueue]] = weakref.WeakValueDictionary()
    _sharing: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, thing: object = None) -> None:
        self._thing = thing  # kept, so that its id stays its own
        self._guard = threading.RLock()  # a collection within may end a coroutine that waited in a dead loop
        self._holder: _Task | None = None
        self._waiting: deque[_Waiter] = deque()

    @classmethod
    def of(cls, thing: object) -> TurnQueue:
        """The queue of a connection; a new one where ``thing`` is ``None``."""
        if thing is None:
            return cls()
        key = os.getpid(), id(thing)  # many connections cannot be referred to weakly
        with cls._sharing:
            turns = cls._shared.get(key)
            if turns is None:  # in a forked process, whose parent's turns never end
                turns = cls._shared[key] = cls(thing)
            return turns

    @property
    def free(self) -> bool:
        """Whether nobody has the turn."""
        return self._holder is None

    @property
    def mine(self) -> bool:
        """Whether the running task has the turn."""
        return self._holder is not None and self._holder is asyncio.current_task()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the turn and keep it for the block."""
        if self.mine:
            yield
            return
        await self._take()
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine of a loop
        with self._guard:
            if self._holder is None:
                self._holder = task
                return
            waiter = task, asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
        try:
            await waiter[1]
        except BaseException:
            with self._guard:
                had = self._holder is task
                with suppress(ValueError):
                    self._waiting.remove(waiter)
            if had:
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        with self._guard:
            self._holder = None
            while self._waiting and self._holder is None:
                task, future = self._waiting.popleft()
                with suppress(RuntimeError):  # its loop is closed, and it will not come
                    task.get_loop().call_soon_threadsafe(_come, future)
                    self._holder = task


def _come(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
