"""Honest clients of TinyBase's protocol among those who are not."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fuzz.live.cases import Case, Expected
from fuzz.live.mergeable import ROOMS, draw, greeting
from support.tableclient import TableClient
from weft.server.tinybase.room import storage_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["MergeableSide"]

_PLACE = {"row": "honest", "table": "honest"}


class _Round:
    """A pair that is in the first room."""

    def __init__(self, side: MergeableSide, pair: tuple[TableClient, TableClient]) -> None:
        self._side = side
        self._pair = pair

    async def write(self) -> None:
        number = self._side.written
        cells: dict[str, Any] = {f"h{number}": number}
        await self._pair[number % 2].set(**_PLACE, **cells)
        self._side.written += 1

    async def settle(self) -> None:
        cells: dict[str, Any] = self._side.cells()
        for client in self._pair:
            await client.flush()
        for client in self._pair:
            await client.wait_for(**_PLACE, **cells)


class MergeableSide:
    """One room with an honest pair, and two more.

    Attributes:
        written: How many writes there were.
    """

    connections = 2

    def __init__(self) -> None:
        self.written = 0

    def draw(self, seed: str, count: int) -> Iterator[Case]:
        return draw(seed, count)

    def path(self, room: int) -> str:
        return f"/{ROOMS[room]}"

    def greeting(self, connection: int) -> bytes:
        return greeting(connection)

    def cells(self) -> dict[str, int]:
        """What the pair has written."""
        return {f"h{number}": number for number in range(self.written)}

    @asynccontextmanager
    async def honest(self, url: str) -> AsyncIterator[_Round]:
        """Connect the pair."""
        async with TableClient(url, ROOMS[0]) as one, TableClient(url, ROOMS[0]) as two:
            cells: dict[str, Any] = self.cells()
            for client in (one, two):
                await client.wait_for(**_PLACE, **cells)
            yield _Round(self, (one, two))

    def expected(self) -> list[Expected]:
        return [Expected(storage_name(ROOMS[0]), self.cells(), {})]
