"""The persister suite of durable places: ``kill -9`` in the middle of saves."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
from abc import abstractmethod
from typing import ClassVar

from weft.testing.persisters.suite import PersisterSuite

__all__ = ["KillSuite"]

_CHILD = """
import asyncio, os, sys
from weft.store import Store
{make}

async def save_for_ever(generation, rows):
    store = Store()
    persister = make(store)
    while True:
        with store.transaction():
            for row in range(rows):
                cells = {{"species": f"dog {{generation}}", "price": generation}}
                store.set_row("pets", f"pet{{row}}", cells)
            store.set_value("open", generation)
        os.write(1, b"begun %d\\n" % generation)
        await persister.save()
        os.write(1, b"saved %d\\n" % generation)
        generation += 1

for line in sys.stdin:
    generation, rows = map(int, line.split())
    child = os.fork()
    if child == 0:
        asyncio.run(save_for_ever(generation, rows))
    os.write(1, b"child %d\\n" % child)
    os.waitpid(child, 0)
    os.write(1, b"dead\\n")
"""


class KillSuite(PersisterSuite):
    """The tests of a place that is durable, with ``kill -9`` in the middle of saves. For POSIX systems."""

    durable: ClassVar[bool] = True
    kills: ClassVar[int] = 100
    """How many processes are killed."""
    kill_rows: ClassVar[int] = 30
    """How many rows each save writes."""

    @abstractmethod
    def child_source(self) -> str:
        """Python source that defines ``make(store)``, giving a persister for the test's place."""

    async def test_after_kill_9_one_whole_generation_is_there(self) -> None:
        draw = random.Random(self.kills)
        source = _CHILD.format(make=self.child_source())
        with subprocess.Popen(
            [sys.executable, "-c", source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        ) as zygote:
            assert zygote.stdin is not None
            assert zygote.stdout is not None
            saved = 0
            in_flight = 0
            try:
                for _ in range(self.kills):
                    begun, acknowledged = await asyncio.to_thread(self._one_kill, zygote, saved + 1, draw)
                    in_flight += begun > acknowledged
                    generation = await self._generation()
                    assert max(saved, acknowledged) <= generation <= max(begun, saved)
                    saved = generation
            finally:
                zygote.stdin.close()
        # Otherwise the processes died between saves, and nothing was tried.
        assert in_flight > self.kills // 3
        assert saved > self.kills // 2

    def _one_kill(
        self, zygote: subprocess.Popen[str], generation: int, draw: random.Random
    ) -> tuple[int, int]:
        assert zygote.stdin is not None
        assert zygote.stdout is not None
        zygote.stdin.write(f"{generation} {self.kill_rows}\n")
        zygote.stdin.flush()
        begun = acknowledged = child = 0
        killer = None
        wanted = generation + draw.randrange(3)
        for line in zygote.stdout:
            word, _, number = line.strip().partition(" ")
            if word == "child":
                child = int(number)
            elif word == "begun":
                begun = int(number)
            elif word == "saved":
                acknowledged = int(number)
            elif word == "dead":
                break
            if child and killer is None and begun >= wanted:
                killer = threading.Timer(draw.random() * 0.004, os.kill, (child, signal.SIGKILL))
                killer.start()
        assert killer is not None, "the saving process ended by itself"
        killer.join()
        return begun, acknowledged

    async def _generation(self) -> int:
        tables, values = await self.loaded_content()
        generation = values.get("open", 0)
        if not generation:
            assert tables == {}
            return 0
        assert isinstance(generation, int)
        assert tables == {
            "pets": {
                f"pet{row}": {"species": f"dog {generation}", "price": generation}
                for row in range(self.kill_rows)
            }
        }
        return generation
