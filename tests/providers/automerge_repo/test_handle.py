"""A handle of a document: what is broadcast about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from support.provided import AutomergePeer
from weft.limits import Limits

if TYPE_CHECKING:
    from support.reposerver import RepoServer
    from support.serverdouble import MemoryServing, SocketServing

    Serving = MemoryServing[RepoServer] | SocketServing[RepoServer]

FOR_NOW = 0.05  # seconds, where a wait is meant to fail
MISSING = r"the server has not got automerge:\w+, so far"


async def test_what_is_broadcast_is_heard_by_the_others_of_the_document(repos: Serving) -> None:
    async with (
        AutomergePeer(repos, peer_id="one") as one,
        AutomergePeer(repos) as other,
        AutomergePeer(repos, "elsewhere") as elsewhere,
        AutomergePeer(repos) as silent,
    ):
        await silent.provider.wait_synced()  # where nobody listens
        heard: asyncio.Queue[tuple[object, str]] = asyncio.Queue()
        for peer in (one, other, elsewhere):
            await peer.provider.wait_synced()
            peer.provider.add_ephemeral_listener(lambda *said: heard.put_nowait(said))
        for message in ("hello", {"cursor": [1, 0.5, None, True]}, b"\0\xff", 0):
            assert one.provider.broadcast(message)
            assert await asyncio.wait_for(heard.get(), 10) == (message, "one")
        assert heard.empty()
        assert silent.errors == []
        assert one.provider.document is one.document


async def test_what_cannot_be_broadcast_is_refused(memory: MemoryServing[RepoServer]) -> None:
    async with AutomergePeer(memory, limits=Limits(max_ephemeral=100)) as peer:
        assert not peer.provider.broadcast("nobody is connected yet")
        await peer.provider.wait_synced()
        assert peer.provider.broadcast("x" * 90)
        for bad in (object(), {1: 2}, "x" * 100, 1 << 70):
            with pytest.raises((TypeError, ValueError)):
                peer.provider.broadcast(bad)


async def test_broadcasts_are_lost_while_the_connection_is_slow(memory: MemoryServing[RepoServer]) -> None:
    async with AutomergePeer(memory) as peer:
        await peer.provider.wait_synced()
        memory.network.links[0].hold("up")
        told = [peer.provider.broadcast("x" * 60_000) for _ in range(10)]
        assert told[0]
        assert not told[-1]
        peer.write("x", "1")
        memory.network.links[0].release("up")
        await peer.provider.flush()
