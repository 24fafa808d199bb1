"""A way between two programs that can be cut, frozen and healed, as a network does."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Proxy"]

_CHUNK = 64 * 1024
_START_S = 10.0


class Proxy:
    """``with Proxy(5432) as proxy: proxy.port`` leads to port 5432. It runs in a thread of its own."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_cut = False
        self._flows: asyncio.Event
        self._end: asyncio.Event

    def cut(self) -> None:
        """Break every connection, and take no new ones."""
        self._call(self._cut)

    def freeze(self) -> None:
        """Let nothing through any more; connections stand, and nobody is told."""
        self._call(self._flows.clear)

    def heal(self) -> None:
        """Let everything through again, what was held back in a frozen connection first."""
        self._call(self._heal)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_START_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._end.set)
        self._thread.join(_START_S)

    def _call(self, change: Callable[[], object]) -> None:
        done = threading.Event()

        def run() -> None:
            change()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(_START_S)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._flows, self._end = asyncio.Event(), asyncio.Event()
        self._flows.set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        self._cut()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _cut(self) -> None:
        self._is_cut = True
        for task in self._tasks:
            task.cancel()

    def _heal(self) -> None:
        self._is_cut = False
        self._flows.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        far = None
        with suppress(OSError, asyncio.CancelledError):
            try:
                await self._flows.wait()
                back, far = await asyncio.open_connection("127.0.0.1", self._target)
                ways = [asyncio.ensure_future(self._pump(*way)) for way in ((reader, far), (back, writer))]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
            finally:
                for end in (writer, far):
                    if end is not None:
                        end.transport.abort()
        self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._flows.wait()
            writer.write(data)
            await writer.drain()
