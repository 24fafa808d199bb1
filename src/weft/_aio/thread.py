"""A thread of one's own for calls that block: at most one at a time, in order."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from weft._support.owner import Owner

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WorkerThread", "run_apart"]

P = ParamSpec("P")
R = TypeVar("R")


async def run_apart(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function in a thread of its own, for which the end of the process does not wait.

    A cancelled caller leaves it running, and what it gives or raises then goes nowhere. Unlike
    ``asyncio.to_thread``, for which the end of the event loop waits, however long that takes.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[R] = loop.create_future()

    def settle(result: R | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(cast("R", result))
        else:
            done.set_exception(error)

    def work() -> None:
        result, raised = None, None
        try:
            result = function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            raised = error
        with suppress(RuntimeError):  # the event loop is closed
            loop.call_soon_threadsafe(settle, result, raised)

    threading.Thread(target=work, name="weft-apart", daemon=True).start()
    return await done


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
