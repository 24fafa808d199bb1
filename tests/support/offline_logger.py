"""A program that logs readings into a replica, as fast as it can, until it is killed.

``python offline_logger.py PATH KIND URL NAME SEED [POINT COUNT]``; the URL may be ``-``, and an Automerge
document's URL may stand behind it with a comma. It says ``+ID`` before a reading is written, and ``=ID`` when
it is on disk. With a point it kills itself there: after so many commits, before so many messages are sent, in
a compaction, or at the start, between the file and what stands beside it. At "lying" nothing is written.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from support.replicas import joined, mirrored
from weft.providers import Backoff
from weft.providers._core.durable import DurableConnection
from weft.providers.replica import session
from weft.providers.replica.file import ReplicaFile

BURST = 20


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def die_at(point: str, count: int) -> None:
    """Have the process killed at the point, in the thread that comes there."""
    left = [count]

    def kill() -> None:
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(owner: Any, name: str, *, after: bool) -> None:
        real = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if not after:
                kill()
            result = real(*args, **kwargs)
            if after:
                kill()
            return result

        setattr(owner, name, wrapped)

    match point:
        case "commit":
            wrap(ReplicaFile, "write", after=True)
        case "send":  # what it sends is on disk then
            wrap(DurableConnection, "send", after=False)
        case "compacting":
            wrap(ReplicaFile, "replace", after=False)
        case "compacted":
            wrap(ReplicaFile, "_note", after=False)
        case "lying":
            ReplicaFile.write = lambda *_: None  # type: ignore[method-assign]
        case "start":
            wrap(ReplicaFile, "_write_sidecar", after=False)


async def main(path: str, kind: str, url: str, name: str, seed: str) -> None:
    rng = random.Random(seed)
    server, _, document = url.partition(",")
    options = {"url": document} if document else {}
    async with AsyncExitStack() as stack:
        replica, store = await stack.enter_async_context(
            mirrored(Path(path), kind, durable=rng.choice(["now", "soon"]), **options)
        )
        if server != "-":
            backoff = Backoff(initial=0.01, maximum=0.1)
            await stack.enter_async_context(joined(replica, server, backoff=backoff, on_error=lambda _: None))
        say("ready")
        for number in range(1_000_000):
            ids = [f"{name}.{number}.{at}" for at in range(rng.randint(1, 3))]
            for row_id in ids:
                say(f"+{row_id}")
                store.set_row("readings", row_id, {"n": number})
                store.set_value("last", row_id)
            await replica.saved()
            for row_id in ids:
                say(f"={row_id}")
            if rng.random() < 1 / BURST:
                await asyncio.sleep(rng.random() * 0.03)  # some of it is confirmed


if __name__ == "__main__":
    session._LIVE_ROWS = 40  # so that it compacts again and again
    if len(sys.argv) > 6:
        die_at(sys.argv[6], int(sys.argv[7]))
    asyncio.run(main(*sys.argv[1:6]))
