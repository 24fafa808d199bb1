"""Honest automerge-repo clients among those who are not."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fuzz.live.cases import Case, Expected
from fuzz.live.repo import DOCUMENTS, draw, join
from fuzz.live.run import FindingError
from support.repoclient import RepoClient, read
from weft.documents import AutomergeDocument
from weft.server.automerge_repo.room import storage_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["RepoSide"]


class _Round:
    """A pair that has the first document open."""

    def __init__(self, side: RepoSide, pair: tuple[RepoClient, RepoClient]) -> None:
        self._side = side
        self._pair = pair

    async def write(self) -> None:
        number = self._side.written
        await self._pair[number % 2].put(DOCUMENTS[0], **{f"h{number}": number})
        self._side.written += 1

    async def settle(self) -> None:
        for client in self._pair:
            await client.flush(DOCUMENTS[0])
        for client in self._pair:
            cells = self._side.cells()
            await client.wait_cells(DOCUMENTS[0], **cells)
            if not cells.items() <= read(client.documents[DOCUMENTS[0]]).items():
                raise FindingError("a write of an honest client is lost")


class RepoSide:
    """One document with an honest pair, and two more.

    Attributes:
        written: How many writes there were.
    """

    connections = 2

    def __init__(self) -> None:
        self.written = 0

    def draw(self, seed: str, count: int) -> Iterator[Case]:
        return draw(seed, count)

    def path(self, room: int) -> str:
        return "/"

    def greeting(self, connection: int) -> bytes:
        return join(connection)

    def cells(self) -> dict[str, int]:
        """What the pair has written."""
        return {f"h{number}": number for number in range(self.written)}

    @asynccontextmanager
    async def honest(self, url: str) -> AsyncIterator[_Round]:
        """Connect the pair; the first of them brings the document, the other one has nothing."""
        one, two = RepoClient(url), RepoClient(url)
        one.add(DOCUMENTS[0], AutomergeDocument())
        two.add(DOCUMENTS[0])
        async with one, two:
            if self.written:
                for client in (one, two):
                    await client.wait_cells(DOCUMENTS[0], **self.cells())
            yield _Round(self, (one, two))

    def expected(self) -> list[Expected]:
        return [Expected(storage_name(DOCUMENTS[0]), self.cells(), {})]
