"""1,000 small changes until a Node automerge-repo peer has them all, against the same between two such peers.

Part of both is that automerge-repo answers and sends at most every 100 ms. Both ends read one clock, as in
:mod:`benchmarks.hop`.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from benchmarks._measure import EFFORT, Times, summary
from benchmarks._node import node_process, read_line
from benchmarks._table import Line
from benchmarks._workload import CELL_IDS, TABLE, row_ids
from weft import Store
from weft.documents import AutomergeDocument
from weft.mirrors.automerge import AutomergeMirror
from weft.providers import AutomergeWebsocketProvider

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Awaitable, Callable

CHANGES = 1_000
PER_ROW = 5
PEER = "a Node repo to a Node repo"
SCRIPT = "bench_automerge_hop.mjs"


async def _rounds(server: Process, send: Callable[[int, bool], Awaitable[int]]) -> dict[bool, Times]:
    times: dict[bool, list[float]] = {False: [], True: []}
    value = 0
    for number in range(EFFORT.warmup + EFFORT.rounds):
        for spread, found in times.items():
            value += 1
            began = await send(value, spread)
            arrival = await read_line(server)
            assert arrival["value"] == value
            assert arrival["all"]
            if number >= EFFORT.warmup:
                found.append((int(arrival["ns"]) - began) / 1e6)
    return {spread: summary(found) for spread, found in times.items()}


async def _from_weft(server: Process, port: int, url: str) -> dict[bool, Times]:
    store, document = Store(), AutomergeDocument()
    places = [(row, cell) for row in row_ids(CHANGES, per_row=PER_ROW) for cell in CELL_IDS[:PER_ROW]]
    with AutomergeMirror(store, document):
        async with AutomergeWebsocketProvider(document, f"ws://127.0.0.1:{port}", url) as provider:
            await provider.wait_synced()

            async def send(value: int, spread: bool) -> int:
                began = time.monotonic_ns()
                for row, cell in places:
                    store.set_cell(TABLE, row, cell, value)
                    if spread:
                        await asyncio.sleep(0)
                return began

            return await _rounds(server, send)


async def _from_node(server: Process, port: int, url: str) -> dict[bool, Times]:
    command = (SCRIPT, "send", str(CHANGES), f"ws://127.0.0.1:{port}", url)
    async with node_process(*command) as sender:
        assert "ready" in await read_line(sender)
        assert sender.stdin is not None
        stdin = sender.stdin

        async def send(value: int, spread: bool) -> int:
            stdin.write(f"{json.dumps({'value': value, 'spread': spread})}\n".encode())
            return int((await read_line(sender))["ns"])

        return await _rounds(server, send)


async def _measure(
    sender: Callable[[Process, int, str], Awaitable[dict[bool, Times]]],
) -> dict[bool, Times]:
    async with node_process(SCRIPT, "serve", str(CHANGES)) as server:
        served: dict[str, Any] = await read_line(server)
        return await sender(server, served["port"], served["url"])


def hop_lines() -> list[Line]:
    """Measure both ways of making 1,000 changes, from weft and from a Node repo."""
    ours, theirs = asyncio.run(_measure(_from_weft)), asyncio.run(_measure(_from_node))
    name = f"{CHANGES:,} changes until a Node peer has all"
    return [
        Line(f"{name}, made in one go (median)", ours[False].median, PEER, theirs[False].median, 1.0),
        Line(f"{name}, over turns of the loop (median)", ours[True].median, PEER, theirs[True].median, 1.0),
    ]
