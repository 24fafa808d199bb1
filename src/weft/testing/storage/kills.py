"""The storage suite of durable places: ``kill -9`` under load."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from weft.testing.storage.hooks import StorageHooks, read_updates

if TYPE_CHECKING:
    from weft.server.storage import StoredRoom

__all__ = ["StorageKillSuite"]

_CHILD = """
import asyncio, os, sys
from weft.testing.storage import join_updates
{make}

async def write(storage, room, first):
    for number in range(first, first + 1_000_000):
        ticket = storage.append(room, b"%d;" % number)
        if number % 7 == 0:
            await storage.stored(ticket)
            os.write(1, b"%s %d\\n" % (room.encode(), number))

async def compact(storage):
    while True:
        await storage.compact("a", join_updates)
        await asyncio.sleep(0.01)

async def main():
    async with make() as storage:
        first = int(sys.argv[1])
        await asyncio.gather(*(write(storage, room, first) for room in "abc"), compact(storage))

asyncio.run(main())
"""


class StorageKillSuite(StorageHooks):
    """The test of a place that outlives the process. For POSIX systems."""

    kills: ClassVar[int] = 8
    """How many processes are killed."""

    @abstractmethod
    def child_source(self) -> str:
        """Python source that defines ``make()``, giving a storage of the test's place."""

    async def test_after_kill_9_everything_confirmed_is_there_once(self) -> None:
        seed = random.randrange(1 << 32)
        draw = random.Random(seed)
        confirmed = dict.fromkeys("abc", -1)
        for _ in range(self.kills):
            first = max(confirmed.values()) + 1_000  # none of those of the process before
            before = await self._load()
            await self._run_until_killed(first, draw.randrange(5, 200), confirmed)
            for room, stored in (await self._load()).items():
                there = set(read_updates(stored.rows))
                assert set(read_updates(before[room].rows)) <= there, f"seed {seed}"
                # Not by the rows: a compaction that was cut off leaves rows beside what stands for them.
                assert stored.head == len(there), f"seed {seed}: written twice"
                # What one process has confirmed is a prefix of what it wrote.
                last = confirmed[room]
                missing = [number for number in range(first, last + 1) if b"%d;" % number not in there]
                assert missing == [], f"seed {seed}"

    async def _run_until_killed(self, first: int, lines: int, confirmed: dict[str, int]) -> None:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _CHILD.format(make=self.child_source()), str(first)),
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        for _ in range(lines):
            line = await child.stdout.readline()
            assert line, "the writing process ended by itself"
            room, number = line.split()
            confirmed[room.decode()] = int(number)
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        for line in (await child.stdout.read()).splitlines(keepends=True):
            if line.endswith(b"\n"):
                room, number = line.split()
                confirmed[room.decode()] = int(number)
        await child.wait()

    async def _load(self) -> dict[str, StoredRoom]:
        async with self.make() as storage:
            return {room: await storage.load(room) for room in "abc"}
