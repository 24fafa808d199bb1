"""The provider against a small server: one suite, over the memory network and over real sockets."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from pycrdt import Doc, Map

from support.live import until
from support.syncserver import MemoryServing, SocketServing
from weft import Store
from weft.errors import (
    ConnectError,
    ConnectionClosedError,
    LocalProtocolError,
    ProviderClosedError,
    ProviderError,
    RemoteProtocolError,
    SyncTimeoutError,
)
from weft.limits import Limits
from weft.mirrors.ydoc import YDocument, create_doc
from weft.mirrors.yjs import YjsMirror
from weft.protocols.awareness import Awareness
from weft.providers import Backoff, YWebsocketProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.syncserver import Serving
    from weft.providers import Status

AT_ONCE = Backoff(initial=0.001, maximum=0.002)
FOR_NOW = 0.05  # seconds, where a wait is meant to fail


@pytest_asyncio.fixture(params=[MemoryServing, SocketServing], ids=["memory", "sockets"])
async def serving(request: pytest.FixtureRequest) -> AsyncIterator[Serving]:
    async with request.param() as serving:
        yield serving


class Peer:
    """A document with a map, and a provider for it."""

    def __init__(
        self, serving: Serving, room: str = "room", *, doc: Doc[Any] | None = None, **options: Any
    ) -> None:
        self.errors: list[Exception] = []
        self.doc: Doc[Any] = create_doc() if doc is None else doc
        self.hub = YDocument.of(self.doc)
        self.map = self.doc.get("m", type=Map)
        options = {
            "transport": serving.transport,
            "backoff": AT_ONCE,
            "on_error": self.errors.append,
            **options,
        }
        self.provider = YWebsocketProvider(self.doc, serving.url, room, **options)

    async def until_cells(self, **cells: object) -> None:
        await until(
            lambda: all(self.map.get(key) == value for key, value in cells.items()),
            self.hub.subscribe,
            f"{cells}; there is {dict(self.map.items())}",
        )

    async def until_status(self, status: Status, *, synced: bool | None = None) -> None:
        provider = self.provider
        await until(
            lambda: provider.status == status and synced in {None, provider.synced},
            provider.add_status_listener,
            f"{status}, synced {synced}; it is {provider!r}",
        )

    async def until_others(self, *states: object) -> None:
        """Wait until the others in the room have these awareness states."""
        awareness = self.provider.awareness
        assert awareness is not None

        def others() -> list[object]:
            return [state for client, state in awareness.states.items() if client != awareness.client_id]

        await until(lambda: others() == list(states), awareness.observe, f"{states}; there is {others()}")

    async def __aenter__(self) -> Peer:
        await self.provider.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.provider.__aexit__(*error)


# --- synchronising


async def test_what_both_sides_had_before_is_merged(serving: Serving) -> None:
    room = serving.server.room()
    room.map["server"] = "1"
    peer = Peer(serving)
    peer.map["client"] = "2"
    async with peer:
        await peer.provider.wait_synced()
        assert peer.provider.synced
        assert peer.provider.status == "connected"
        assert peer.map["server"] == "1"
        await room.until_cells(client="2")
    assert peer.errors == []


async def test_edits_pass_live_both_ways_and_between_clients(serving: Serving) -> None:
    room = serving.server.room()
    async with Peer(serving) as one, Peer(serving) as other:
        await one.provider.wait_synced()
        await other.provider.wait_synced()
        one.map["a"] = "1"
        await other.until_cells(a="1")
        other.map["b"] = "2"
        await one.until_cells(a="1", b="2")
        room.map["c"] = "3"
        await one.until_cells(c="3")
        await other.until_cells(a="1", b="2", c="3")
        assert room.content() == {"a": "1", "b": "2", "c": "3"}


async def test_what_was_received_is_not_sent_back(serving: Serving) -> None:
    room = serving.server.room()
    async with Peer(serving) as peer:
        await peer.provider.flush()
        before = room.counts()
        for number in range(10):
            room.map[f"k{number}"] = "x"
        await peer.until_cells(k9="x")
        await peer.provider.flush()  # whatever was sent back would have arrived before its question
        assert room.counts() - before == {"step1": 1}


@pytest.mark.parametrize("room", ["a/b", "a b", "日本", "a%20b"])
async def test_a_room_may_have_any_name_a_url_can_carry(serving: Serving, room: str) -> None:
    async with Peer(serving, room) as peer:
        peer.map["x"] = "1"
        await peer.provider.flush()
    (path, _) = serving.requests[0]
    assert path.isascii()
    assert serving.server.room(room.replace("%20", " ")).content() == {"x": "1"}


async def test_a_ydocument_may_be_given_for_the_document(serving: Serving) -> None:
    doc = create_doc()
    async with YWebsocketProvider(
        YDocument.of(doc), serving.url, "room", transport=serving.transport
    ) as provider:
        assert provider.doc is doc
        doc.get("m", type=Map)["x"] = "1"
        await provider.flush()
    assert serving.server.room().content() == {"x": "1"}


async def test_what_a_listener_writes_while_an_update_is_received_goes_out_too(serving: Serving) -> None:
    room = serving.server.room()
    author = Store()
    author_doc = create_doc()
    reader = Store()
    reader.add_cell_listener(
        "orders",
        None,
        "net",
        lambda store, table, row, cell, new, old, *_: store.set_cell(table, row, "vat", new * 2),
        True,
    )
    peer = Peer(serving)
    with YjsMirror(author, author_doc), YjsMirror(reader, peer.doc):
        async with peer, Peer(serving, doc=author_doc) as other:
            author.set_cell("orders", "1", "net", 10)
            await until(
                lambda: author.get_cell("orders", "1", "vat", default=None) == 20,
                other.hub.subscribe,
                "the derived cell",
            )
    assert room.doc.get("tinybase", type=Map)["t"]["orders"]["1"]["vat"] == 20.0


# --- interruptions


async def test_it_comes_again_and_what_was_written_meanwhile_arrives(serving: Serving) -> None:
    room = serving.server.room()
    async with Peer(serving) as peer:
        await peer.provider.flush()
        serving.refuse()
        await serving.drop_all()
        await peer.until_status("disconnected")
        assert not peer.provider.synced
        sent = room.counts()
        for number in range(100):
            peer.map[f"offline{number}"] = "x"
        room.map["meanwhile"] = "y"
        serving.admit()
        await peer.provider.wait_synced()
        assert peer.map["meanwhile"] == "y"
        await room.until_cells(offline0="x", offline99="x")
        # Nothing had been queued: one answer to the server's question has it all.
        assert (room.counts() - sent)["update"] == 0
        assert (room.counts() - sent)["step2"] == 1
    assert peer.errors
    assert all(isinstance(error, ProviderError) for error in peer.errors)


async def test_a_server_that_is_away_at_first_is_waited_for(serving: Serving) -> None:
    serving.refuse(status=503)
    async with Peer(serving) as peer:
        peer.map["x"] = "1"
        with pytest.raises(SyncTimeoutError, match=r"last error: cannot connect to .*503"):
            await peer.provider.wait_synced(FOR_NOW)
        serving.admit()
        await peer.provider.wait_synced()
        await peer.provider.flush()
        assert peer.provider.last_error is None
    assert serving.server.room().content() == {"x": "1"}


async def test_a_flush_returns_when_the_server_has_processed_what_was_written(serving: Serving) -> None:
    room = serving.server.room()
    async with Peer(serving) as peer:
        await peer.provider.flush()
        serving.server.resumed.clear()
        for number in range(50):
            peer.map[f"k{number}"] = "x"
        flush = asyncio.create_task(peer.provider.flush())
        with pytest.raises(SyncTimeoutError, match="not confirmed"):
            await peer.provider.flush(FOR_NOW)
        assert not flush.done()
        assert room.content() == {}
        serving.server.resumed.set()
        await flush
        assert len(room.content()) == 50


async def test_a_flush_survives_interruptions(serving: Serving) -> None:
    room = serving.server.room()
    async with Peer(serving) as peer:
        await peer.provider.flush()
        serving.server.resumed.clear()
        peer.map["x"] = "1"
        flushes = [asyncio.create_task(peer.provider.flush()) for _ in range(3)]
        for _ in range(3):
            await serving.drop_all()
            await peer.until_status("disconnected")
            await peer.until_status("connected")
        assert not any(flush.done() for flush in flushes)
        serving.server.resumed.set()
        await asyncio.gather(*flushes)
        assert room.content() == {"x": "1"}


async def test_a_flush_begun_offline_covers_what_was_written_offline(serving: Serving) -> None:
    room = serving.server.room()
    serving.refuse()
    async with Peer(serving) as peer:
        peer.map["x"] = "1"
        flush = asyncio.create_task(peer.provider.flush())
        await peer.until_status("disconnected")
        serving.admit()
        await flush
        assert room.content() == {"x": "1"}


@pytest.mark.parametrize("code", [4400, 4403, 4499])
async def test_a_permanent_close_code_ends_it_and_tells_who_waits(serving: Serving, code: int) -> None:
    async with Peer(serving) as peer:
        await peer.provider.wait_synced()
        serving.server.resumed.clear()
        peer.map["x"] = "1"
        flush = asyncio.create_task(peer.provider.flush())
        await asyncio.sleep(0)
        await serving.drop_all(code, "not here")
        with pytest.raises(ConnectionClosedError) as caught:
            await flush
        assert (caught.value.code, caught.value.reason, caught.value.permanent) == (code, "not here", True)
        await peer.until_status("closed")
        for wait in (peer.provider.wait_synced, peer.provider.flush):
            with pytest.raises(ConnectionClosedError):
                await wait()
        serving.server.resumed.set()
        await peer.provider.connect()  # the owner may try again
        await peer.provider.flush()
        assert serving.server.room().content() == {"x": "1"}


@pytest.mark.parametrize("code", [1000, 1001, 4500])
async def test_other_close_codes_are_passing(serving: Serving, code: int) -> None:
    async with Peer(serving) as peer:
        await peer.provider.wait_synced()
        await serving.drop_all(code)
        await peer.until_status("disconnected")
        await peer.provider.wait_synced()
        assert [error.code for error in peer.errors if isinstance(error, ConnectionClosedError)] == [code]


@pytest.mark.parametrize(
    ("status", "said"), [(401, "credentials"), (403, "allow"), (404, "nothing at this address")]
)
async def test_a_refused_handshake_ends_it_with_a_clear_sentence(
    serving: Serving, status: int, said: str
) -> None:
    serving.refuse(status=status)
    async with Peer(serving, params={"token": "secret"}) as peer:
        with pytest.raises(ConnectError, match=said) as caught:
            await peer.provider.wait_synced()
        assert caught.value.status == status
        assert peer.provider.status == "closed"
        assert "secret" not in f"{caught.value}{peer.errors}{peer.provider!r}"


async def test_credentials_are_asked_for_at_each_connect(serving: Serving) -> None:
    tokens = iter(["first", "second"])

    async def params() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"token": next(tokens)}

    count = iter(range(9))
    async with Peer(serving, params=params, headers=lambda: {"X-Count": str(next(count))}) as peer:
        await peer.provider.wait_synced()
        await serving.drop_all()
        await peer.until_status("disconnected")
        await peer.provider.wait_synced()
    assert [path for path, _ in serving.requests] == ["/room?token=first", "/room?token=second"]
    assert [headers["x-count"] for _, headers in serving.requests] == ["0", "1"]


async def test_credentials_that_cannot_be_had_are_reported_and_asked_for_again(serving: Serving) -> None:
    failures = [OSError("no token server")]

    def params() -> dict[str, str]:
        if failures:
            raise failures.pop()
        return {"token": "here"}

    async with Peer(serving, params=params) as peer:
        await peer.provider.wait_synced()
    (error,) = peer.errors
    assert isinstance(error, ConnectError)
    assert "no token server" in str(error)
    assert [path for path, _ in serving.requests] == ["/room?token=here"]


async def test_who_gives_credentials_can_end_it(serving: Serving) -> None:
    def params() -> dict[str, str]:
        raise ConnectError("ws://token", "the user logged out", status=401)

    async with Peer(serving, params=params) as peer:
        with pytest.raises(ConnectError, match="logged out"):
            await peer.provider.wait_synced()
    assert serving.requests == []


async def test_listeners_hear_where_the_connection_stands(serving: Serving) -> None:
    heard: list[tuple[Status, bool]] = []
    peer = Peer(serving)
    remove = peer.provider.add_status_listener(lambda status, synced: heard.append((status, synced)))
    async with peer:
        await peer.provider.wait_synced()
        await serving.drop_all()
        await peer.until_status("disconnected")
        await peer.provider.wait_synced()
    remove()
    once: list[tuple[Status, bool]] = [
        ("connecting", False), ("connected", False), ("connected", True), ("disconnected", False)
    ]  # fmt: skip
    assert heard == [*once, *once, ("closed", False)]


async def test_a_malformed_message_is_reported_and_the_connection_made_anew(serving: Serving) -> None:
    room = serving.server.room()
    async with Peer(serving) as peer:
        await peer.provider.wait_synced()
        room.visits[0].queue.put_nowait(b"\x00\x02\xff")
        await peer.until_status("disconnected")
        assert isinstance(peer.errors[-1], RemoteProtocolError)
        await peer.provider.wait_synced()
        peer.map["x"] = "1"
        await peer.provider.flush()
        assert room.content() == {"x": "1"}


async def test_a_server_that_does_not_let_write_is_told_by_flush(serving: Serving) -> None:
    room = serving.server.room()
    room.map["there"] = "1"
    async with Peer(serving) as peer:
        await peer.provider.wait_synced()
        room.visits[0].session.read_only = True
        peer.map["x"] = "1"
        with pytest.raises(ProviderError, match="does not allow"):
            await peer.provider.flush()
        assert peer.map["there"] == "1"
        assert "x" not in room.content()
    assert type(peer.errors[0]) is ProviderError


# --- leaving


async def test_what_was_written_just_before_leaving_arrives(serving: Serving) -> None:
    async with Peer(serving) as peer:
        peer.map["x"] = "1"
    assert serving.server.room().content() == {"x": "1"}
    assert peer.errors == []
    assert peer.provider.status == "closed"


async def test_leaving_a_server_that_cannot_be_reached_takes_bounded_time_and_is_reported(
    serving: Serving,
) -> None:
    serving.refuse()
    async with Peer(serving, close_timeout=FOR_NOW) as peer:
        peer.map["x"] = "1"
    assert isinstance(peer.errors[-1], SyncTimeoutError)


async def test_leaving_without_having_written_anything_waits_for_nobody(serving: Serving) -> None:
    serving.refuse()
    async with Peer(serving, close_timeout=60) as peer:
        await peer.until_status("disconnected")
    assert not any(isinstance(error, SyncTimeoutError) for error in peer.errors)


async def test_after_an_exception_nobody_waits_for_the_server(serving: Serving) -> None:
    serving.refuse()
    peer = Peer(serving, close_timeout=60)
    await peer.provider.__aenter__()
    peer.map["x"] = "1"
    await peer.until_status("disconnected")
    await peer.provider.__aexit__(KeyError, KeyError(), None)
    assert peer.provider.status == "closed"


async def test_a_disconnected_provider_connects_again_and_a_closed_one_does_not(serving: Serving) -> None:
    room = serving.server.room()
    async with Peer(serving) as peer:
        await peer.provider.flush()
        await peer.provider.disconnect()
        assert peer.provider.status == "disconnected"
        peer.map["x"] = "1"
        for wait in (peer.provider.flush, peer.provider.wait_synced):
            with pytest.raises(ProviderClosedError, match="not connected"):
                await wait()
        await peer.provider.connect()
        await peer.provider.connect()
        await peer.provider.flush()
        assert room.content() == {"x": "1"}
        assert len(serving.requests) == 2
        await peer.provider.close()
        await peer.provider.close()
        peer.map["y"] = "2"
        with pytest.raises(ProviderClosedError, match="was closed"):
            await peer.provider.connect()
    assert room.content() == {"x": "1"}


async def test_leaving_tells_who_waits(serving: Serving) -> None:
    serving.refuse()
    async with Peer(serving, close_timeout=0) as peer:
        waits = [asyncio.create_task(wait()) for wait in (peer.provider.wait_synced, peer.provider.flush)]
        await peer.until_status("disconnected")
        await peer.provider.disconnect()
        for wait in waits:
            with pytest.raises(ProviderClosedError):
                await wait


async def test_it_connects_only_when_told(serving: Serving) -> None:
    async with Peer(serving, connect=False) as peer:
        assert peer.provider.status == "disconnected"
        with pytest.raises(ProviderClosedError, match="not connected"):
            await peer.provider.wait_synced()
        assert serving.requests == []
        await peer.provider.connect()
        await peer.provider.wait_synced()


async def test_a_closed_provider_lets_go_of_the_document(serving: Serving) -> None:
    peer = Peer(serving)
    async with peer:
        await peer.provider.flush()
    reference = weakref.ref(peer.doc)
    provider = weakref.ref(peer.provider)
    del peer
    gc.collect()
    assert reference() is None
    assert provider() is None


# --- awareness


async def test_awareness_states_are_seen_by_the_others_and_taken_back_on_leaving(serving: Serving) -> None:
    async with Peer(serving) as one:
        one.provider.set_local_state({"name": "one"})
        async with Peer(serving) as other:
            other.provider.set_local_field("name", "other")
            await one.until_others({"name": "other"})
            await other.until_others({"name": "one"})
            one.provider.set_local_field("cursor", 3)
            await other.until_others({"name": "one", "cursor": 3})
            one.provider.set_local_state(None)
            await other.until_others()
        await one.until_others()
    assert serving.server.room().awareness.states == {}


async def test_a_state_is_announced_again_after_a_reconnect_under_a_higher_clock(serving: Serving) -> None:
    room = serving.server.room()
    async with Peer(serving) as one, Peer(serving) as other:
        one.provider.set_local_state({"name": "one"})
        other.provider.set_local_state({"name": "other"})
        await one.until_others({"name": "other"})
        await other.until_others({"name": "one"})
        await serving.drop_all()
        # Whom one knows only through a connection is gone with it.
        await one.until_others()
        await other.until_others()
        await one.until_others({"name": "other"})
        await other.until_others({"name": "one"})
        await room.until(lambda: len(room.awareness.states) == 2)


async def test_a_state_is_kept_over_a_disconnect_and_taken_from_the_others(serving: Serving) -> None:
    async with Peer(serving) as one, Peer(serving) as other:
        one.provider.set_local_state({"name": "one"})
        await other.until_others({"name": "one"})
        await one.provider.disconnect()
        await other.until_others()
        await one.provider.connect()
        await other.until_others({"name": "one"})


async def test_awareness_can_be_left_out(serving: Serving) -> None:
    room = serving.server.room()
    async with Peer(serving, awareness=False) as peer, Peer(serving) as other:
        other.provider.set_local_state({"name": "other"})
        assert peer.provider.awareness is None
        with pytest.raises(LocalProtocolError):
            peer.provider.set_local_state({"name": "peer"})
        peer.map["x"] = "1"
        await other.until_cells(x="1")
    assert room.content() == {"x": "1"}


@pytest.mark.parametrize("state", [{"x": float("nan")}, {"x": object()}, {"x": "y" * 5000}])
async def test_a_state_that_cannot_be_sent_is_refused(serving: Serving, state: dict[str, object]) -> None:
    async with Peer(serving) as peer:
        peer.provider.set_local_state({"name": "kept"})
        with pytest.raises((TypeError, ValueError)):
            peer.provider.set_local_state(state)
        assert peer.provider.awareness is not None
        assert peer.provider.awareness.local_state == {"name": "kept"}


# --- two servers


async def test_two_providers_on_one_document_relay_between_their_servers(serving: Serving) -> None:
    async with type(serving)() as second:
        near, far = serving.server.room(), second.server.room()
        near.echo = far.echo = True
        doc = create_doc()
        async with Peer(serving, doc=doc) as one, Peer(second, doc=doc) as two, Peer(second) as beyond:
            await asyncio.gather(*(peer.provider.wait_synced() for peer in (one, two, beyond)))
            near.map["near"] = "1"
            await far.until_cells(near="1")
            beyond.map["beyond"] = "2"
            await near.until_cells(beyond="2")
            one.map["own"] = "3"
            await near.until_cells(own="3")
            await far.until_cells(own="3")
            await beyond.until_cells(near="1", beyond="2", own="3")


async def test_updates_do_not_go_round_in_a_ring_of_two_servers_and_two_bridges(serving: Serving) -> None:
    async with type(serving)() as second:
        rooms = serving.server.room(), second.server.room()
        for room in rooms:
            room.echo = True
        left, right = create_doc(), create_doc()
        async with (
            Peer(serving, doc=left) as a,
            Peer(second, doc=left) as b,
            Peer(serving, doc=right) as c,
            Peer(second, doc=right) as d,
        ):
            peers = (a, b, c, d)
            await asyncio.gather(*(peer.provider.flush() for peer in peers))
            for number in range(20):
                a.map[f"a{number}"] = "x"
                d.map[f"d{number}"] = "x"
            for room in rooms:
                await room.until(lambda room=room: len(room.content()) == 40)  # type: ignore[misc]
            # Two rounds of flushes: what was under way before the first has been answered after the second.
            for _ in range(2):
                await asyncio.gather(*(peer.provider.flush() for peer in peers))
            settled = [room.counts()["update"] for room in rooms]
            for _ in range(2):
                await asyncio.gather(*(peer.provider.flush() for peer in peers))
            assert [room.counts()["update"] for room in rooms] == settled
            # Each update reaches each server by each bridge at most once.
            assert all(40 <= count <= 80 for count in settled)


async def test_providers_may_share_an_awareness_and_relay_it(serving: Serving) -> None:
    async with type(serving)() as second:
        doc = create_doc()
        awareness = Awareness(doc.client_id)
        async with (
            Peer(serving, doc=doc, awareness=awareness) as one,
            Peer(second, doc=doc, awareness=awareness),
            Peer(serving) as near,
            Peer(second) as far,
        ):
            one.provider.set_local_state({"name": "bridge"})
            await near.until_others({"name": "bridge"})
            await far.until_others({"name": "bridge"})
            near.provider.set_local_state({"name": "near"})
            await far.until_others({"name": "bridge"}, {"name": "near"})
            await near.provider.disconnect()
            await far.until_others({"name": "bridge"})


# --- bounds


async def test_what_waits_for_a_slow_server_is_bounded_and_nothing_is_lost(serving: Serving) -> None:
    room = serving.server.room()
    bound = 200_000
    async with Peer(serving, limits=Limits(max_outbound=bound)) as peer:
        await peer.provider.flush()
        serving.server.resumed.clear()
        outbox = peer.provider._engine.outbox
        assert outbox is not None
        payload = "x" * 50_000
        forgot = 0
        for number in range(200):  # 10 MB, more than the sockets' buffers take
            peer.map[f"k{number}"] = payload
            await asyncio.sleep(0)
            assert outbox.size <= bound
            forgot += outbox.forgot
        assert forgot
        flush = asyncio.create_task(peer.provider.flush())
        peer.provider.set_local_state({"name": "peer"})
        peer.map["last"] = "y"
        await asyncio.sleep(0)
        assert not flush.done()
        serving.server.resumed.set()
        await flush
        assert {f"k{number}" for number in range(200)} <= room.content().keys()
        await peer.provider.flush()
        assert room.content() == dict(peer.map.items())
        assert room.awareness.states == {peer.doc.client_id: {"name": "peer"}}
        assert len(serving.requests) == 1
    assert peer.errors == []
