"""Memory that is free but full of holes, and circles that nobody looks for: both go back to the system."""

from __future__ import annotations

import subprocess
import sys

from weft.cli.memory_return import resident

_PROGRAM = """
import asyncio, gc
from weft.cli import memory_return

memory_return._INTERVAL_S = memory_return._LONGEST_S = 0.02

class Circle:
    def __init__(self, data):
        self.data, self.me = data, self

async def main():
    gc.disable()
    has_left = 0
    task = asyncio.create_task(memory_return.MemoryReturn(lambda: has_left).run())
    await asyncio.sleep(0)
    least = memory_return.resident()
    made = [Circle(bytes(20_000)) for _ in range(4_000)]
    del made[::2]
    has_left = 1
    full = memory_return.resident()
    assert full > least + 60_000_000, (least, full)
    while memory_return.resident() > full - 30_000_000:  # the circles, and the holes between the others
        await asyncio.sleep(0.02)
    made.clear()
    has_left = 2
    while memory_return.resident() > least + 10_000_000:
        await asyncio.sleep(0.02)
    task.cancel()
    print("given back")

asyncio.run(asyncio.wait_for(main(), 30))
"""


def test_what_is_free_goes_back_when_somebody_has_left() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert done.stdout == "given back\n", done.stderr


def test_the_system_says_how_much_there_is() -> None:
    assert 1_000_000 < (resident() or 0) < 100_000_000_000
