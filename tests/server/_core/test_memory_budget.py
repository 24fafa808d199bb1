"""One budget for all clients, and who is let go for it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from support.servers import eventually
from weft.server._core.memory_budget import MemoryBudget

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


class Client:
    def __init__(self, *parts: tuple[int, int]) -> None:
        self.parts = parts
        self.is_gone = False

    def held(self) -> Iterator[tuple[int, int]]:
        yield from self.parts

    def let_go(self) -> None:
        self.is_gone = True
        self.parts = ()


async def test_who_holds_most_is_let_go_and_only_as_many_as_must(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "weft.server")
    clients = [Client((0, size)) for size in (10, 500, 30, 600, 20)]
    budget = MemoryBudget(600, lambda: clients)
    budget.note(1160)
    await eventually(lambda: budget.let_go)
    assert [client.is_gone for client in clients] == [False, False, False, True, False]
    await asyncio.sleep(0)
    assert budget.let_go == 1
    (record,) = caplog.records
    assert "max_waiting" in record.getMessage()


async def test_what_many_wait_for_counts_once() -> None:
    clients = [Client((7, 500)) for _ in range(20)]
    budget = MemoryBudget(600, lambda: clients)
    for _ in range(5):
        budget.note(500)
        await asyncio.sleep(0)
    assert not budget.let_go
    clients.append(Client((0, 200)))
    budget.note(200)
    await eventually(lambda: budget.let_go)
    assert [client.is_gone for client in clients].index(True) == 20


async def test_what_others_hold_too_is_looked_at_again() -> None:
    clients = [Client((7, 1000)), Client((7, 1000)), Client((0, 1))]
    budget = MemoryBudget(600, lambda: clients)
    budget.note(2001)
    await eventually(lambda: budget.let_go == 2)
    assert not clients[2].is_gone


async def test_a_little_growth_is_not_looked_at() -> None:
    looks: list[int] = []

    def look() -> list[Client]:
        looks.append(1)
        return []

    budget = MemoryBudget(1600, look)
    budget.note(100)
    await asyncio.sleep(0)
    assert not looks
    budget.note(1)
    await eventually(lambda: looks)
