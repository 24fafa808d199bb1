"""One hop on loopback: from ``set_cell`` in Python to the listener of a TinyBase Store in a Node process.

Both ends read one clock: Python's ``time.monotonic_ns`` and Node's ``process.hrtime`` are CLOCK_MONOTONIC on
Linux. The next cell is written when the last has arrived, so this is latency and not throughput.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks._measure import EFFORT
from benchmarks._node import node_process, read_line
from benchmarks._table import Line
from weft import Store
from weft.mirrors.yjs import YjsMirror, create_doc
from weft.providers import YWebsocketProvider
from weft.server import Server, SqliteRoomStorage, allow_all

ROOM = "hop"


async def _measure(url: str) -> list[float]:
    store, doc = Store(), create_doc()
    with YjsMirror(store, doc):
        async with YWebsocketProvider(doc, url, ROOM) as provider:
            await provider.wait_synced()
            store.set_cell("hop", "row", "cell", -1)
            await provider.flush()
            async with node_process("bench_hop.mjs", url, ROOM) as arrivals:
                while "ready" not in await read_line(arrivals):
                    pass
                times = []
                for number in range(EFFORT.hops // 10 + EFFORT.hops):
                    start = time.monotonic_ns()
                    store.set_cell("hop", "row", "cell", number)
                    arrival = await read_line(arrivals)
                    assert arrival["value"] == number
                    times.append((int(arrival["ns"]) - start) / 1e6)
    return sorted(times[EFFORT.hops // 10 :])


async def _through_weft() -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        storage = SqliteRoomStorage(Path(folder) / "hop.sqlite3")
        async with Server(auth=allow_all, storage=storage, port=0) as server:
            return await _measure(server.url)


async def _through_node() -> list[float]:
    async with node_process("server.mjs") as said:
        port = (await read_line(said))["port"]
        return await _measure(f"ws://127.0.0.1:{port}")


def lines() -> list[Line]:
    """Measure the hop through our server, and the same provider's hop through the Node server."""
    ours = asyncio.run(_through_weft())
    theirs = asyncio.run(_through_node())
    peer = "through y-websocket-server on Node"
    half, most = EFFORT.hops // 2, EFFORT.hops * 99 // 100
    return [
        Line(f"one hop to a Node peer, median of {EFFORT.hops}", ours[half], peer, theirs[half], below=2.0),
        Line("one hop to a Node peer, 99th percentile", ours[most], peer, theirs[most]),
    ]
