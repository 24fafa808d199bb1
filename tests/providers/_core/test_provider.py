"""What every provider does, whatever it speaks: one suite, over the memory network and over real sockets."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from support.provided import AutomergePeer, TinyBasePeer, YPeer
from support.serverdouble import MemoryServing, SocketServing
from weft.errors import (
    ConnectError,
    ConnectionClosedError,
    ProviderClosedError,
    ProviderError,
    RemoteProtocolError,
    SyncTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from support.provided import Provided
    from support.serverdouble import Serving
    from weft.providers import ProviderStatus

FOR_NOW = 0.05  # seconds, where a wait is meant to fail


@dataclass
class Lab:
    """A protocol's peers, and a server for them on one of the networks."""

    protocol: type[YPeer | AutomergePeer | TinyBasePeer]
    network: type[MemoryServing[Any] | SocketServing[Any]]
    serving: Serving[Any]

    def peer(self, *, serving: Serving[Any] | None = None, **options: Any) -> Provided:
        """A peer in the server's one room."""
        return self.protocol(serving or self.serving, **options)

    def another(self) -> AbstractAsyncContextManager[Serving[Any]]:
        """A second server."""
        return self.network(self.protocol.Server())


@pytest_asyncio.fixture(
    params=[
        pytest.param((protocol, network), id=f"{name}-{network_name}")
        for protocol, name in ((YPeer, "yjs"), (AutomergePeer, "automerge"), (TinyBasePeer, "tinybase"))
        for network, network_name in ((MemoryServing, "memory"), (SocketServing, "sockets"))
    ]
)
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    protocol, network = request.param
    async with network(protocol.Server()) as serving:
        yield Lab(protocol, network, serving)


# --- synchronising


async def test_what_both_sides_had_before_is_merged(lab: Lab) -> None:
    room = lab.serving.server.room()
    room.write("server", "1")
    peer = lab.peer()
    peer.write("client", "2")
    async with peer:
        await peer.provider.wait_synced()
        assert peer.provider.synced
        assert peer.provider.status == "connected"
        assert peer.cells()["server"] == "1"
        await room.until_cells(client="2")
    assert peer.errors == []


async def test_edits_pass_live_both_ways_and_between_clients(lab: Lab) -> None:
    room = lab.serving.server.room()
    async with lab.peer() as one, lab.peer() as other:
        await one.provider.wait_synced()
        await other.provider.wait_synced()
        one.write("a", "1")
        await other.until_cells(a="1")
        other.write("b", "2")
        await one.until_cells(a="1", b="2")
        room.write("c", "3")
        await one.until_cells(c="3")
        await other.until_cells(a="1", b="2", c="3")
        assert room.content() == {"a": "1", "b": "2", "c": "3"}


async def test_it_comes_again_and_what_was_written_meanwhile_arrives(lab: Lab) -> None:
    room = lab.serving.server.room()
    async with lab.peer() as peer:
        await peer.provider.wait_synced()
        lab.serving.refuse()
        await lab.serving.drop_all()
        await peer.until_status("disconnected")
        assert not peer.provider.synced
        for number in range(100):
            peer.write(f"offline{number}", "x")
        room.write("meanwhile", "y")
        lab.serving.admit()
        await peer.provider.wait_synced()
        assert peer.cells()["meanwhile"] == "y"
        await room.until_cells(offline0="x", offline99="x")
    assert peer.errors
    assert all(isinstance(error, ProviderError) for error in peer.errors)


# --- interruptions


async def test_a_server_that_is_away_at_first_is_waited_for(lab: Lab) -> None:
    lab.serving.refuse(status=503)
    async with lab.peer() as peer:
        peer.write("x", "1")
        with pytest.raises(SyncTimeoutError, match=r"last error: cannot connect to .*503"):
            await peer.provider.wait_synced(FOR_NOW)
        lab.serving.admit()
        await peer.provider.wait_synced()
        await peer.provider.flush()
        assert peer.provider.last_error is None
    assert lab.serving.server.room().content() == {"x": "1"}


async def test_a_flush_returns_when_the_server_has_processed_what_was_written(lab: Lab) -> None:
    room = lab.serving.server.room()
    async with lab.peer() as peer:
        await peer.provider.wait_synced()
        lab.serving.server.resumed.clear()
        for number in range(50):
            peer.write(f"k{number}", "x")
        flush = asyncio.create_task(peer.provider.flush())
        with pytest.raises(SyncTimeoutError, match="not confirmed"):
            await peer.provider.flush(FOR_NOW)
        assert not flush.done()
        assert room.content() == {}
        lab.serving.server.resumed.set()
        await flush
        assert len(room.content()) == 50


async def test_a_flush_survives_interruptions(lab: Lab) -> None:
    room = lab.serving.server.room()
    async with lab.peer() as peer:
        await peer.provider.wait_synced()
        lab.serving.server.resumed.clear()
        peer.write("x", "1")
        flushes = [asyncio.create_task(peer.provider.flush()) for _ in range(3)]
        for _ in range(3):
            await lab.serving.drop_all()
            await peer.until_status("disconnected")
            await peer.until_status("connected")
        assert not any(flush.done() for flush in flushes)
        lab.serving.server.resumed.set()
        await asyncio.gather(*flushes)
        assert room.content() == {"x": "1"}


async def test_a_flush_begun_offline_covers_what_was_written_offline(lab: Lab) -> None:
    room = lab.serving.server.room()
    lab.serving.refuse()
    async with lab.peer() as peer:
        peer.write("x", "1")
        flush = asyncio.create_task(peer.provider.flush())
        await peer.until_status("disconnected")
        lab.serving.admit()
        await flush
        assert room.content() == {"x": "1"}


@pytest.mark.parametrize("code", [4400, 4403, 4499])
async def test_a_permanent_close_code_ends_it_and_tells_who_waits(lab: Lab, code: int) -> None:
    async with lab.peer() as peer:
        await peer.provider.wait_synced()
        lab.serving.server.resumed.clear()
        peer.write("x", "1")
        flush = asyncio.create_task(peer.provider.flush())
        await asyncio.sleep(0)
        await lab.serving.drop_all(code, "not here")
        with pytest.raises(ConnectionClosedError) as caught:
            await flush
        assert (caught.value.code, caught.value.reason, caught.value.permanent) == (code, "not here", True)
        await peer.until_status("closed")
        for wait in (peer.provider.wait_synced, peer.provider.flush):
            with pytest.raises(ConnectionClosedError):
                await wait()
        lab.serving.server.resumed.set()
        await peer.provider.connect()  # the owner may try again
        await peer.provider.flush()
        assert lab.serving.server.room().content() == {"x": "1"}


@pytest.mark.parametrize("code", [1000, 1001, 4500])
async def test_other_close_codes_are_passing(lab: Lab, code: int) -> None:
    async with lab.peer() as peer:
        await peer.provider.wait_synced()
        await lab.serving.drop_all(code)
        await peer.until_status("disconnected")
        await peer.provider.wait_synced()
        assert [error.code for error in peer.errors if isinstance(error, ConnectionClosedError)] == [code]


@pytest.mark.parametrize(
    ("status", "said"), [(401, "credentials"), (403, "allow"), (404, "nothing at this address")]
)
async def test_a_refused_handshake_ends_it_with_a_clear_sentence(lab: Lab, status: int, said: str) -> None:
    lab.serving.refuse(status=status)
    async with lab.peer(params={"token": "secret"}) as peer:
        with pytest.raises(ConnectError, match=said) as caught:
            await peer.provider.wait_synced()
        assert caught.value.status == status
        assert peer.provider.status == "closed"
        assert "secret" not in f"{caught.value}{peer.errors}{peer.provider!r}"


async def test_credentials_are_asked_for_at_each_connect(lab: Lab) -> None:
    tokens = iter(["first", "second"])

    async def params() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"token": next(tokens)}

    count = iter(range(9))
    async with lab.peer(params=params, headers=lambda: {"X-Count": str(next(count))}) as peer:
        await peer.provider.wait_synced()
        await lab.serving.drop_all()
        await peer.until_status("disconnected")
        await peer.provider.wait_synced()
    assert queries(lab) == ["token=first", "token=second"]
    assert [headers["x-count"] for _, headers in lab.serving.requests] == ["0", "1"]


async def test_credentials_that_cannot_be_had_are_reported_and_asked_for_again(lab: Lab) -> None:
    failures = [OSError("no token server")]

    def params() -> dict[str, str]:
        if failures:
            raise failures.pop()
        return {"token": "here"}

    async with lab.peer(params=params) as peer:
        await peer.provider.wait_synced()
    (error,) = peer.errors
    assert isinstance(error, ConnectError)
    assert "no token server" in str(error)
    assert queries(lab) == ["token=here"]


async def test_who_gives_credentials_can_end_it(lab: Lab) -> None:
    def params() -> dict[str, str]:
        raise ConnectError("ws://token", "the user logged out", status=401)

    async with lab.peer(params=params) as peer:
        with pytest.raises(ConnectError, match="logged out"):
            await peer.provider.wait_synced()
    assert lab.serving.requests == []


async def test_listeners_hear_where_the_connection_stands(lab: Lab) -> None:
    heard: list[tuple[ProviderStatus, bool]] = []
    peer = lab.peer()
    remove = peer.provider.add_status_listener(lambda status, synced: heard.append((status, synced)))
    async with peer:
        await peer.provider.wait_synced()
        await lab.serving.drop_all()
        await peer.until_status("disconnected")
        await peer.provider.wait_synced()
    remove()
    once: list[tuple[ProviderStatus, bool]] = [
        ("connecting", False), ("connected", False), ("connected", True), ("disconnected", False)
    ]  # fmt: skip
    assert heard == [*once, *once, ("closed", False)]


async def test_a_malformed_message_is_reported_and_the_connection_made_anew(lab: Lab) -> None:
    room = lab.serving.server.room()
    async with lab.peer() as peer:
        await peer.provider.wait_synced()
        lab.serving.server.visits[0].queue.put_nowait(b"\x00\x02\xff")
        await peer.until_status("disconnected")
        assert isinstance(peer.errors[-1], RemoteProtocolError)
        await peer.provider.wait_synced()
        peer.write("x", "1")
        await peer.provider.flush()
        assert room.content() == {"x": "1"}


async def test_what_the_server_goes_on_sending_and_cannot_be_taken_in_ends_it_for_good(lab: Lab) -> None:
    async with lab.peer() as peer:
        for number in range(6):
            await peer.provider.wait_synced()
            lab.serving.server.visits[-1].queue.put_nowait(b"\x00\x02\xff")
            await peer.until_status("disconnected" if number < 5 else "closed")
        assert [type(error) for error in peer.errors] == [RemoteProtocolError] * 5 + [ConnectionClosedError]
        with pytest.raises(ConnectionClosedError, match=r"refused 6 times in a row, as it would be again"):
            await peer.provider.flush()


@pytest.mark.parametrize("code", [1002, 1003, 1007])
async def test_what_the_server_goes_on_refusing_ends_it_for_good(lab: Lab, code: int) -> None:
    async with lab.peer() as peer:
        for number in range(6):
            await peer.provider.wait_synced()
            ended = asyncio.create_task(peer.until_status("disconnected" if number < 5 else "closed"))
            await asyncio.sleep(0)  # it looks already
            await lab.serving.drop_all(code, "invalid message: too deep")
            await ended
        assert [getattr(error, "code", None) for error in peer.errors] == [code] * 6
        assert [getattr(error, "permanent", None) for error in peer.errors] == [False] * 5 + [True]
        with pytest.raises(ConnectionClosedError, match=r"refused 6 times in a row.*too deep"):
            await peer.provider.wait_synced()
        await peer.provider.connect()  # it may be told to try again
        await peer.provider.wait_synced()


# --- leaving


async def test_what_was_written_just_before_leaving_arrives(lab: Lab) -> None:
    async with lab.peer() as peer:
        peer.write("x", "1")
    assert lab.serving.server.room().content() == {"x": "1"}
    assert peer.errors == []
    assert peer.provider.status == "closed"


async def test_leaving_a_server_that_cannot_be_reached_takes_bounded_time_and_is_reported(
    lab: Lab,
) -> None:
    lab.serving.refuse()
    async with lab.peer(close_timeout=FOR_NOW) as peer:
        peer.write("x", "1")
    assert isinstance(peer.errors[-1], SyncTimeoutError)


async def test_leaving_without_having_written_anything_waits_for_nobody(lab: Lab) -> None:
    lab.serving.refuse()
    async with lab.peer(close_timeout=60) as peer:
        await peer.until_status("disconnected")
    assert not any(isinstance(error, SyncTimeoutError) for error in peer.errors)


async def test_after_an_exception_nobody_waits_for_the_server(lab: Lab) -> None:
    lab.serving.refuse()
    peer = lab.peer(close_timeout=60)
    await peer.provider.__aenter__()
    peer.write("x", "1")
    await peer.until_status("disconnected")
    await peer.provider.__aexit__(KeyError, KeyError(), None)
    assert peer.provider.status == "closed"


async def test_a_disconnected_provider_connects_again_and_a_closed_one_does_not(lab: Lab) -> None:
    room = lab.serving.server.room()
    async with lab.peer() as peer:
        await peer.provider.wait_synced()
        await peer.provider.disconnect()
        assert peer.provider.status == "disconnected"
        peer.write("x", "1")
        for wait in (peer.provider.flush, peer.provider.wait_synced):
            with pytest.raises(ProviderClosedError, match="not connected"):
                await wait()
        await peer.provider.connect()
        await peer.provider.connect()
        await peer.provider.flush()
        assert room.content() == {"x": "1"}
        assert len(lab.serving.requests) == 2
        await peer.provider.close()
        await peer.provider.close()
        peer.write("y", "2")
        with pytest.raises(ProviderClosedError, match="was closed"):
            await peer.provider.connect()
    assert room.content() == {"x": "1"}


async def test_leaving_tells_who_waits(lab: Lab) -> None:
    lab.serving.refuse()
    async with lab.peer(close_timeout=0) as peer:
        peer.write("x", "1")
        waits = [asyncio.create_task(wait()) for wait in (peer.provider.wait_synced, peer.provider.flush)]
        await peer.until_status("disconnected")
        await peer.provider.disconnect()
        for wait in waits:
            with pytest.raises(ProviderClosedError):
                await wait


async def test_it_connects_only_when_told(lab: Lab) -> None:
    async with lab.peer(connect=False) as peer:
        assert peer.provider.status == "disconnected"
        with pytest.raises(ProviderClosedError, match="not connected"):
            await peer.provider.wait_synced()
        assert lab.serving.requests == []
        await peer.provider.connect()
        await peer.provider.wait_synced()


async def test_a_closed_provider_lets_go_of_the_document(lab: Lab) -> None:
    peer = lab.peer()
    async with peer:
        await peer.provider.flush()
    reference = weakref.ref(peer.document)
    provider = weakref.ref(peer.provider)
    del peer
    gc.collect()
    assert reference() is None
    assert provider() is None


# --- two servers


async def test_two_providers_on_one_document_relay_between_their_servers(lab: Lab) -> None:
    async with lab.another() as second:
        near, far = lab.serving.server.room(), second.server.room()
        async with (
            lab.peer() as one,
            lab.peer(serving=second, document=one.document) as two,
            lab.peer(serving=second) as beyond,
        ):
            await asyncio.gather(*(peer.provider.wait_synced() for peer in (one, two, beyond)))
            near.write("near", "1")
            await far.until_cells(near="1")
            beyond.write("beyond", "2")
            await near.until_cells(beyond="2")
            one.write("own", "3")
            await near.until_cells(own="3")
            await far.until_cells(own="3")
            await beyond.until_cells(near="1", beyond="2", own="3")


def queries(lab: Lab) -> list[str]:
    return [path.partition("?")[2] for path, _ in lab.serving.requests]
