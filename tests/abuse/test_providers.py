"""What a hostile server says beside updates: awareness, and questions for it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.server import ServerConnection, serve

from weft._codecs.yjs.lib0 import Writer
from weft.documents.yjs import create_doc
from weft.limits import Limits
from weft.protocols.ysync.messages import awareness_message, step1_message, step2_message
from weft.providers import YWebsocketProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

pytestmark = pytest.mark.timeout(60)

QUERY = b"\x03"


@asynccontextmanager
async def saying(
    messages: Sequence[bytes], *, listens: bool = True
) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A server that says something to whoever comes."""
    said = asyncio.Event()

    async def answer(socket: ServerConnection) -> None:
        if not listens:
            socket.transport.pause_reading()
        for message in messages:
            await socket.send(message)
        said.set()
        await socket.wait_closed()

    async with serve(answer, "127.0.0.1", 0, max_size=None) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", said


def states(first: int, count: int, state: str = "{}") -> bytes:
    out = Writer().uint(count)
    for client in range(first, first + count):
        out.uint(client).uint(1).string(state)
    return awareness_message(out.finish())


async def until_synced(url: str, limits: Limits) -> tuple[int, list[Exception]]:
    """How many others a provider knows when it has taken in what the server says, and what it reported."""
    errors: list[Exception] = []
    async with YWebsocketProvider(
        create_doc(), url, "room", limits=limits, on_error=errors.append
    ) as provider:
        with_error = asyncio.Event()
        provider.add_status_listener(lambda status, _: with_error.set() if status != "connected" else None)
        synced = asyncio.ensure_future(provider.wait_synced(20))
        await asyncio.wait([synced], timeout=20)
        synced.cancel()
        assert provider.awareness is not None
        return len(provider.awareness.states), errors


async def test_a_yjs_provider_keeps_only_so_many_states() -> None:
    messages = [states(first, 50) for first in range(10, 2_010, 50)]
    async with saying([step1_message(b"\0"), *messages, step2_message(b"\0\0")]) as (url, _):
        known, errors = await until_synced(url, Limits(max_awareness_states=100))
    assert 50 <= known <= 101
    assert errors == []


async def test_a_yjs_provider_keeps_no_state_that_is_too_large() -> None:
    messages = [states(5, 3, '{"a": "' + "x" * 5_000 + '"}'), states(9, 1)]
    async with saying([step1_message(b"\0"), *messages, step2_message(b"\0\0")]) as (url, _):
        known, _ = await until_synced(url, Limits())
    assert known <= 2


async def test_a_yjs_provider_refuses_more_states_than_may_be_in_a_message() -> None:
    async with saying([step1_message(b"\0"), states(5, 20_000)]) as (url, _):
        errors: list[Exception] = []
        failed = asyncio.Event()

        def note(error: Exception) -> None:
            errors.append(error)
            failed.set()

        async with YWebsocketProvider(create_doc(), url, "room", on_error=note) as provider:
            await failed.wait()
            assert provider.awareness is not None
            assert len(provider.awareness.states) <= 1
    assert "awareness" in str(errors[0])


async def test_questions_of_a_server_that_does_not_read_cost_a_yjs_provider_bounded_memory() -> None:
    doc = create_doc()
    async with saying([step1_message(b"\0"), *[QUERY * 5_000] * 40], listens=False) as (url, said):
        provider = YWebsocketProvider(doc, url, "room", limits=Limits(max_outbound=64 * 1024))
        provider.set_local_state({"name": "x" * 1_000})
        await provider.connect()
        await said.wait()
        queue = provider._adapter.reconnect_loop.queue
        assert queue is None or queue.size <= 2 * 64 * 1024
        await provider.disconnect()
