from __future__ import annotations

import asyncio

from support.servers import eventually
from weft.errors import StorageError
from weft.server._core.confirmations import Confirmations


class Commits:
    """A storage whose commits end when told to."""

    def __init__(self) -> None:
        self.durable = 0
        self.asked: list[int] = []
        self.error: Exception | None = None
        self._over = asyncio.Event()

    async def stored(self, ticket: int) -> None:
        self.asked.append(ticket)
        while ticket > self.durable and self.error is None:
            self._over.clear()
            await self._over.wait()
        if self.error is not None:
            raise self.error

    def commit(self, ticket: int, error: Exception | None = None) -> None:
        self.durable, self.error = ticket, error
        self._over.set()


async def test_one_task_waits_for_all() -> None:
    commits = Commits()
    confirmations = Confirmations(commits.stored)
    told: list[tuple[int, Exception | None]] = []
    before = len(asyncio.all_tasks())
    for number in range(100):
        confirmations.wait(1 + number % 3, lambda error, number=number: told.append((number, error)))  # type: ignore[misc]
    assert len(asyncio.all_tasks()) == before + 1
    assert told == []
    commits.commit(2)
    await eventually(lambda: bool(told))
    assert {number % 3 for number, _ in told} == {0, 1}
    assert confirmations.durable == 2
    commits.commit(3)
    await eventually(lambda: len(told) == 100)
    assert all(error is None for _, error in told)
    assert commits.asked == [1, 2, 3]
    await eventually(lambda: len(asyncio.all_tasks()) == before)


async def test_what_storage_raises_is_told_and_the_next_try_may_succeed() -> None:
    commits = Commits()
    confirmations = Confirmations(commits.stored)
    told: list[Exception | None] = []
    confirmations.wait(1, told.append)
    commits.commit(0, StorageError("disk"))
    await eventually(lambda: len(told) == 1)
    assert isinstance(told[0], StorageError)
    assert confirmations.durable == 0
    commits.commit(1)
    confirmations.wait(1, told.append)
    await eventually(lambda: len(told) == 2)
    assert told[1] is None
