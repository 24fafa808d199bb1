"""Fixtures of the automerge-repo provider's tests: a small server on the networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from support.reposerver import RepoServer
from support.serverdouble import MemoryServing, SocketServing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


@pytest_asyncio.fixture(params=[MemoryServing, SocketServing], ids=["memory", "sockets"])
async def repos(
    request: pytest.FixtureRequest,
) -> AsyncIterator[MemoryServing[RepoServer] | SocketServing[RepoServer]]:
    """A server on the memory network, and on real sockets."""
    async with request.param(RepoServer()) as serving:
        yield serving


@pytest_asyncio.fixture
async def memory() -> AsyncIterator[MemoryServing[RepoServer]]:
    """A server on the memory network."""
    async with MemoryServing(RepoServer()) as serving:
        yield serving
