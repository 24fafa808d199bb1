"""Fixtures of the live tests: our server in this process, and Python peers on sockets."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest_asyncio

from support.live import LivePeer
from weft.server import Server, SqliteRoomStorage, allow_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest_asyncio.fixture
async def weft_server(tmp_path: Path) -> AsyncIterator[Server]:
    """Our server on a free loopback port, with a database of the test's own."""
    storage = SqliteRoomStorage(tmp_path / "rooms.sqlite3")
    async with Server(auth=allow_all, storage=storage, port=0) as server:
        yield server


@pytest_asyncio.fixture
async def join() -> AsyncIterator[Callable[..., Any]]:
    """Have a Python peer join a room: ``peer = await join(url, room)``. It leaves at the end of the test."""
    async with AsyncExitStack() as stack:

        async def start(url: str, room: str, **options: Any) -> LivePeer:
            return await stack.enter_async_context(_synced(url, room, options))

        yield start


@asynccontextmanager
async def _synced(url: str, room: str, options: dict[str, Any]) -> AsyncIterator[LivePeer]:
    async with LivePeer(url, room, **options) as peer:
        await peer.provider.wait_synced(timeout=20)
        yield peer
