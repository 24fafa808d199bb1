"""Clients that are faster, or more, than may be, on real sockets: they wait or go, others do not notice."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from support.rawclient import masked, raw_client
from support.repoclient import RepoClient, numbered_id
from support.servers import eventually, serving
from support.yclient import YClient, step1_frame, update_frame
from support.ywriter import key_item, section, update
from weft import YWebsocketProvider, create_doc
from weft.limits import ServerLimits
from weft.protocols.automerge_repo import Unavailable
from weft.server import Allow, Deny

if TYPE_CHECKING:
    from weft.server import Request


def by_token(request: Request) -> Allow | Deny:
    return Allow(user=request.query.get("user", ""))


@pytest.mark.parametrize(
    ("limits", "bound"),
    [
        (ServerLimits(message_rate=500, rate_burst=0.1), "message_rate"),
        (ServerLimits(frame_rate=500, rate_burst=0.1), "frame_rate"),
        (ServerLimits(byte_rate=20_000, rate_burst=0.1), "byte_rate"),
        (ServerLimits(time_share=0.05, time_burst=0.001), "time_share"),
        (ServerLimits(message_rate=5, rate_burst=0.1, user_rates=100), "message_rate"),
    ],
)
async def test_who_writes_faster_than_may_be_is_read_more_slowly_and_loses_nothing(
    limits: ServerLimits, bound: str
) -> None:
    count = 10 if limits.message_rate == 5 else 200
    async with (
        serving(server_limits=limits) as server,
        YClient(server.url, "room") as fast,
        YClient(server.url, "room") as other,
    ):
        await other.synced()
        for number in range(count):
            await fast.set(**{f"{number % 20}": number})
        await other.set(beside=1)
        await other.flush()
        await fast.flush()
        assert fast.content.items() >= {f"{n % 20}": n for n in range(count - 20, count) if n >= 0}.items()
        await other.wait_for(**{f"{(count - 1) % 20}": count - 1})
        assert server.stats().refused[bound] > 0


@pytest.mark.parametrize("kind", [1, 9, 10], ids=["text", "ping", "pong"])
async def test_a_flood_of_frames_that_bring_nothing_ends_its_connection(kind: int) -> None:
    # It does not answer the close frame.
    limits = ServerLimits(ping_rate=5, rate_burst=1.0, max_owed=1.0, close_timeout=0.1)
    async with serving(server_limits=limits) as server, YClient(server.url, "room") as other:
        await other.synced()
        async with raw_client(server.port) as client:
            await client.send(masked(b"\0\0\1\0") + masked(b"x", kind) * 200)  # a text first is TinyBase's
            assert await client.close_code() == 1013
        await other.set(x=1)
        await other.flush()
        assert server.stats().refused["ping_rate"] > 0


async def test_a_few_pings_more_than_may_be_are_answered_later() -> None:
    limits = ServerLimits(ping_rate=50, rate_burst=0.1)
    async with serving(server_limits=limits) as server, raw_client(server.port) as client:
        for number in range(10):
            await client.send(masked(b"%d" % number, 9))
        while b"\x8a\x019" not in client.received:
            await client.read()


async def test_tiny_parts_of_messages_leave_the_others_their_turn() -> None:
    async with serving() as server, AsyncExitStack() as stack, YClient(server.url, "room") as other:
        await other.synced()
        for _ in range(5):
            client = await stack.enter_async_context(raw_client(server.port))
            await client.send(masked(b"", 2, is_last=False) + masked(b"", 0, is_last=False) * 30_000)
        await other.set(x=1)
        await other.flush()


async def test_questions_beyond_the_rate_are_answered_later() -> None:
    limits = ServerLimits(question_rate=100, rate_burst=0.05)
    async with serving(server_limits=limits) as server, YClient(server.url, "room") as client:
        await client.synced()
        for _ in range(30):
            await client.send(step1_frame(b"\0"))
            await client.send(b"\x03")
        await client.wait(lambda: client.step2 >= 30)
        assert server.stats().refused["question_rate"] > 0


async def test_documents_beyond_the_rate_are_opened_later() -> None:
    limits = ServerLimits(join_rate=50, rate_burst=0.05)
    ids = [numbered_id(number) for number in range(12)]
    async with serving(server_limits=limits) as server:
        async with RepoClient(server.url, *ids) as one:
            for number, document_id in enumerate(ids):
                await one.put(document_id, n=number)
            for document_id in ids:
                await one.flush(document_id)
        assert server.stats().refused["join_rate"] > 0


async def test_an_address_that_joins_too_fast_is_told_when_to_come_back() -> None:
    limits = ServerLimits(join_rate=1, address_rates=2, rate_burst=1.0)
    async with serving(server_limits=limits) as server:
        for _ in range(2):
            async with connect(f"{server.url}/room"):
                pass
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"{server.url}/room")
        assert caught.value.response.status_code == 429
        assert caught.value.response.headers["Retry-After"] == "1"
        errors: list[Exception] = []
        doc = create_doc()
        async with YWebsocketProvider(doc, server.url, "room", on_error=errors.append) as provider:
            await provider.wait_synced(20)  # it has waited for as long as it was told
        assert "429" in str(errors[0])


async def test_there_are_only_so_many_connections_from_an_address() -> None:
    limits = ServerLimits(max_connections_per_address=2)
    async with serving(server_limits=limits) as server:
        async with YClient(server.url, "room") as one, YClient(server.url, "room") as other:
            await one.synced()
            await other.synced()
            with pytest.raises((InvalidMessage, ConnectionError)):
                await connect(f"{server.url}/room")
            await one.set(x=1)
            await other.wait_for(x=1)
        await eventually(lambda: not server.connections)
        async with YClient(server.url, "room") as again:
            await again.synced()
        assert server.stats().refused["max_connections_per_address"] == 1


async def test_there_are_only_so_many_connections_of_a_user() -> None:
    limits = ServerLimits(max_connections_per_user=1)
    async with serving(auth=by_token, server_limits=limits) as server:
        async with (
            connect(f"{server.url}/room?user=ada") as ada,
            connect(f"{server.url}/room?user=bob") as bob,
        ):
            await ada.send(step1_frame(b"\0"))
            await ada.recv()
            async with connect(f"{server.url}/other?user=ada") as again:
                with pytest.raises(ConnectionClosed) as caught:
                    await again.recv()
                assert caught.value.rcvd is not None
                assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (
                    1013,
                    "too many connections of this user",
                )
            await bob.send(step1_frame(b"\0"))
            await bob.recv()
        assert server.stats().refused["max_connections_per_user"] == 1


async def test_a_user_of_documents_is_known_by_the_first_that_it_is_let_have() -> None:
    limits = ServerLimits(max_connections_per_user=1)
    async with (
        serving(auth=lambda _: Allow(user="ada"), server_limits=limits) as server,
        RepoClient(server.url, numbered_id(1)) as one,
    ):
        await one.put(numbered_id(1), x=1)
        await one.flush(numbered_id(1))
        async with RepoClient(server.url, numbered_id(1)) as other:
            assert await other.wait_closed() == 1013
        await one.put(numbered_id(1), x=2)
        await one.flush(numbered_id(1))


async def test_rooms_and_documents_of_an_address_are_counted_together() -> None:
    limits = ServerLimits(max_rooms_per_address=3)
    ids = [numbered_id(number) for number in range(4)]
    async with serving(server_limits=limits) as server:
        async with YClient(server.url, "room") as client, RepoClient(server.url, *ids) as repo:
            await client.synced()
            for document_id in ids:
                await repo.put(document_id, x=1)
            await repo.flush(ids[0])
            await repo.wait(lambda: sum(isinstance(effect, Unavailable) for effect in repo.effects) >= 2)
            async with YClient(server.url, "another") as refused:
                assert await refused.wait_closed() == 1013
            await client.set(x=1)
            await client.flush()
        await eventually(lambda: not server.connections)
        async with RepoClient(server.url, ids[0]) as again:  # what they held is free
            await again.wait_cells(ids[0], x=1)
        assert server.stats().refused["max_rooms_per_address"] >= 2


async def test_what_a_proxy_tells_of_its_clients_counts_for_each_of_them() -> None:
    limits = ServerLimits(max_connections_per_address=1)
    async with serving(server_limits=limits, proxies=["127.0.0.0/8"]) as server:

        async def come(*addresses: str) -> None:
            headers = [("X-Forwarded-For", address) for address in addresses]
            socket = await stack.enter_async_context(
                connect(f"{server.url}/room", additional_headers=headers)
            )
            await socket.send(step1_frame(b"\0"))
            await socket.recv()

        async with AsyncExitStack() as stack:
            await come("192.0.2.1")
            await come("192.0.2.2")
            await come("192.0.2.1, 192.0.2.3")
            with pytest.raises(InvalidStatus) as caught:
                await come("192.0.2.9", "192.0.2.1")
            assert caught.value.response.status_code == 429
            await come()  # of whom nothing is told: only the connection's own bounds
            await come()


async def test_an_honest_storm_of_joins_and_a_large_load_meet_no_bound() -> None:
    """100 joins from one address, 5,000 writes one by one, and 1,000 questions."""
    async with serving() as server:
        clients = [YClient(server.url, "room") for _ in range(100)]
        async with AsyncExitStack() as stack:
            await asyncio.gather(*map(stack.enter_async_context, clients))
            await asyncio.gather(*(client.synced() for client in clients))
        async with raw_client(server.port, "/load") as client:
            await client.send(masked(step1_frame(b"\0")))
            writes = (update(section(7, clock, key_item(f"{clock}"))) for clock in range(5_000))
            await client.send(b"".join(masked(update_frame(each)) for each in writes))
            await client.send(masked(step1_frame(b"\1\7\x88\x27")) * 1_000)
            while client.received.count(b"\0\1\2\0\0") < 1_000:
                await client.read()
        assert not [bound for bound in server.stats().refused if "rate" in bound or "time" in bound]
