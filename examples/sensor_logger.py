"""A logger that loses nothing: each reading is on disk before it is sent, with and without a network.

Kill it whenever you like, and start it again: it goes on with what the file has.

    weft serve                            # here or elsewhere, now or later
    python examples/sensor_logger.py ws://127.0.0.1:1234/farm farm.weft
"""

from __future__ import annotations

import argparse
import asyncio
import math
import time

import weft


def measure(now: float) -> float:
    """The temperature; a sensor of one's own comes here."""
    return round(20 + 5 * math.sin(now / 3600), 2)


async def main(address: str, file: str, *, interval: float, count: int | None) -> None:
    async with weft.connect(address, offline=file) as store:
        print(store.get_row_count("readings"), "readings are here", flush=True)
        while count is None or count > 0:
            now = time.time()
            row_id = store.add_row("readings", {"time": round(now, 3), "celsius": measure(now)})
            await asyncio.sleep(interval)
            # An await lies between: it is on disk, and sent as soon as the server can be reached.
            print(row_id, store.sync.status, flush=True)
            count = None if count is None else count - 1
        await store.sync.flush(timeout=30)
    print("the server has all of them")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("file")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between readings")
    parser.add_argument("--count", type=int, help="how many readings; otherwise without end")
    given = parser.parse_args()
    asyncio.run(main(given.address, given.file, interval=given.interval, count=given.count))
