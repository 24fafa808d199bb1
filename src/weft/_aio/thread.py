"""A thread of one's own for calls that block: at most one at a time, in order."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from weft._support.owner import Owner

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WorkerThread"]

P = ParamSpec("P")
R = TypeVar("R")


class WorkerThread:
    """Runs functions in one thread, which starts with the first call.

    A cancelled caller leaves its call running; the next call waits for it.
    """

    def __init__(self, name: str) -> None:
        self._owner = Owner(f"the thread {name!r}")
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function there.

        Raises:
            WrongProcessError: The process was forked since, and has not got the thread.
        """
        self._owner.check_process()
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, lambda: function(*args, **kwargs)
        )

    def wait(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function there, after all that was called before, and hold the calling thread up for it.

        Raises:
            WrongProcessError: As for :meth:`run`.
        """
        self._owner.check_process()
        return self._executor.submit(function, *args, **kwargs).result()

    async def close(self) -> None:
        """Wait for what runs there, and end the thread.

        Raises:
            WrongProcessError: As for :meth:`run`.
        """
        self._owner.check_process()
        try:
            await self.run(lambda: None)
        finally:
            self._executor.shutdown(wait=False)
