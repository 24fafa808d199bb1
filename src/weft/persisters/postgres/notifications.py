"""Hearing of others' changes on one connection, for all persisters of a driver."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weft._aio.tasks import end_tasks
from weft.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from weft.persisters.postgres.driver import PostgresDriver

__all__ = ["CHANNEL", "NotificationListener", "Watcher"]

CHANNEL = "weft_changed"
_RETRY_SECONDS = (0.05, 5.0)


@dataclass(slots=True, eq=False)
class Watcher:
    """Who wants to hear.

    Attributes:
        heard: The tables and their partitions, each with its schema.
        tables: The tables as the program calls them.
        listener: Called when others changed one of them, or may have.
        report: Takes errors of listening.
        give_up: Called when the server fell silent: what is under way there will not end.
    """

    heard: frozenset[str]
    tables: frozenset[str]
    listener: Callable[[], None]
    report: Callable[[Exception], object]
    give_up: Callable[[], None]


class NotificationListener:
    """Listens while anybody wants to hear; connects again when the connection is lost."""

    def __init__(self, driver: PostgresDriver) -> None:
        self._driver = driver
        self._watchers: list[Watcher] = []
        self._task: asyncio.Task[None] | None = None
        self._begun: asyncio.Future[None] | None = None
        self._failures = 0
        self._echoes: dict[str, asyncio.Future[None]] = {}

    async def add(self, watcher: Watcher) -> None:
        """Begin to tell: from when this returns nothing is missed.

        Raises:
            Exception: One of the driver's errors; nothing was begun.
        """
        self._watchers.append(watcher)
        if self._task is None or self._begun is None or self._task.get_loop().is_closed():
            loop = asyncio.get_running_loop()
            self._begun = loop.create_future()
            self._task = loop.create_task(self._listen(self._begun))
        try:
            await asyncio.wait([self._begun, self._task], return_when=asyncio.FIRST_COMPLETED)
            (self._begun if self._begun.done() else self._task).result()
        except BaseException:
            await self.remove(watcher)
            raise

    async def remove(self, watcher: Watcher) -> None:
        """Tell no more. The last one ends the connection."""
        self._watchers.remove(watcher)
        if not self._watchers and self._task is not None:
            task, self._task = self._task, None
            await end_tasks([task])

    async def hears(self, notify: Callable[[str], Awaitable[object]], seconds: float) -> bool:
        """Whether notifications arrive here at all: one of our own, on another connection, is waited for.

        Args:
            notify: Sends one with this payload.
            seconds: How long to wait for it.
        """
        payload = f"{secrets.token_hex(8)} is heard"
        echo = self._echoes[payload] = asyncio.get_running_loop().create_future()
        try:
            await notify(payload)
            await asyncio.wait([echo], timeout=seconds)
            return echo.done()
        finally:
            del self._echoes[payload]

    def wrote(self, tables: Iterable[str], by: Watcher | None) -> None:
        """Tell the others of this driver what one of them wrote: the server's news of it are its own."""
        for watcher in list(self._watchers):
            if watcher is not by and not watcher.tables.isdisjoint(tables):
                watcher.listener()

    async def _listen(self, begun: asyncio.Future[None]) -> None:
        pause, longest = _RETRY_SECONDS
        while True:
            try:
                await self._driver.listen(CHANNEL, self._began, self._heard)
            except self._driver.errors as error:
                if not begun.done():
                    begun.set_exception(error)
                    return
                self._failures += 1
                if isinstance(error, TimeoutError):
                    for watcher in list(self._watchers):
                        watcher.give_up()
                if self._failures == 1:  # it was lost just now: very likely it can be had again at once
                    pause = _RETRY_SECONDS[0]
                    continue
                if self._failures == 2:
                    for watcher in list(self._watchers):
                        watcher.report(StorageError(f"PostgreSQL: {error!r}"))
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)

    def _began(self) -> None:
        self._failures = 0
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(None)
            return
        for watcher in list(self._watchers):
            watcher.listener()  # what was missed meanwhile nobody can tell

    def _heard(self, pid: int, payload: str) -> None:
        if (echo := self._echoes.get(payload)) is not None and not echo.done():
            echo.set_result(None)
        if pid == self._driver.pid:
            return
        for watcher in list(self._watchers):
            if payload in watcher.heard:
                watcher.listener()
