"""Taking turns: one queue for all persisters that use one connection."""

from __future__ import annotations

import asyncio
import weakref
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Turns"]


class Turns:
    """First come, first served; whoever has the turn may take it again.

    Persisters with the same ``thing`` (a database connection, an environment) share one.
    """

    _shared: ClassVar[weakref.WeakValueDictionary[int, Turns]] = weakref.WeakValueDictionary()

    def __init__(self, thing: object = None) -> None:
        self._thing = thing  # kept, so that its id stays its own
        self._lock = asyncio.Lock()
        self._holder: asyncio.Task[object] | None = None

    @classmethod
    def of(cls, thing: object) -> Turns:
        """The queue of a connection; a new one where ``thing`` is ``None``."""
        if thing is None:
            return cls()
        turns = cls._shared.get(id(thing))  # many connections cannot be referred to weakly
        if turns is None:
            turns = cls._shared[id(thing)] = cls(thing)
        return turns

    @property
    def free(self) -> bool:
        """Whether nobody has the turn."""
        return not self._lock.locked()

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
        async with self._lock:
            self._holder = asyncio.current_task()
            try:
                yield
            finally:
                self._holder = None
