"""Honest y-websocket clients among those who are not."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from fuzz.live.cases import Case, Expected
from fuzz.live.run import FindingError
from fuzz.live.yjs import HONEST, ROOMS, SPOOFED, draw, honest_update
from support.logclient import LogClient
from support.rawclient import masked
from support.yclient import step1_frame, update_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["YjsSide"]


def _name(room: int) -> str:
    return f"room {room}"


class _Round:
    """The honest pair of each room; in a room where others use their ids, their connection may be refused."""

    def __init__(self, side: YjsSide, pairs: list[list[LogClient]]) -> None:
        self._side = side
        self._pairs = pairs
        self._turn = 0

    async def write(self) -> None:
        self._turn += 1
        room = self._turn % ROOMS
        client = self._pairs[room][self._turn // ROOMS % 2]
        clock = self._side.written[room][client.client_id]
        written = honest_update(client.client_id, clock, f"{client.client_id}-{clock}", clock)
        with suppress(*([ConnectionError] if room in SPOOFED else [])):
            await client.send(update_frame(written))
            self._side.written[room][client.client_id] += 1
            if room not in SPOOFED:
                client.log.add(written)

    async def settle(self) -> None:
        for room, pair in enumerate(self._pairs):
            for client in pair:
                with suppress(*([ConnectionError] if room in SPOOFED else [])):
                    await client.flush()
            if room in SPOOFED:
                continue
            await pair[0].flush()
            for client in pair:
                self._side.look(room, client)


class YjsSide:
    """Three rooms with a pair each.

    Attributes:
        written: For each room and honest client how many writes.
    """

    connections = 2

    def __init__(self) -> None:
        self.written = [dict.fromkeys(HONEST, 0) for _ in range(ROOMS)]

    def draw(self, seed: str, count: int) -> Iterator[Case]:
        return draw(seed, count)

    def path(self, room: int) -> str:
        return f"/room%20{room}"

    def greeting(self, connection: int) -> bytes:
        return masked(step1_frame(b"\0")) if connection else b""

    @asynccontextmanager
    async def honest(self, url: str) -> AsyncIterator[_Round]:
        async with AsyncExitStack() as stack:
            pairs: list[list[LogClient]] = []
            for room in range(ROOMS):
                pairs.append([])
                for client_id in HONEST:
                    client = LogClient(url, _name(room), client_id=client_id)
                    await stack.enter_async_context(client)
                    await client.synced()
                    self.look(room, client)
                    pairs[-1].append(client)
            yield _Round(self, pairs)

    def look(self, room: int, client: LogClient) -> None:
        """See that a client has all that the honest ones wrote."""
        state = client.log.state()
        for honest, clock in self.written[room].items():
            if state.get(honest, 0) < clock or (room not in SPOOFED and state.get(honest, 0) != clock):
                raise FindingError(f"{_name(room)}: {clock} writes of {honest} were stored, there is {state}")

    def expected(self) -> list[Expected]:
        return [
            Expected(
                _name(room),
                {}
                if room in SPOOFED
                else {
                    f"{client}-{at}": at & 0x3F for client, count in written.items() for at in range(count)
                },
                dict(written),
            )
            for room, written in enumerate(self.written)
        ]
