"""What happens in one turn of the event loop is told at its end: to whom, in which bytes, how often."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from support.servers import eventually, peers_in, serving
from support.yclient import YClient, awareness_frame, update_frame
from weft.server.fronts.websocket_link import WebsocketLink
from weft.server.ysync import turn as module
from weft.server.ysync.turn import Turn, TurnClient

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weft.server._core.batch import Batch


class Client(TurnClient):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Batch] = []
        self.behind: bytes | None = None
        self.has_no_room = False

    @property
    def session(self) -> object:
        return self

    def relay(self, updates: Batch) -> bool:
        self.told.append(updates)
        return self.has_no_room

    def relay_awareness(self, states: Batch) -> bool:
        return self.relay(states)

    def relay_both(self, updates: Batch, states: Batch, both: Batch) -> bool:
        assert [*updates.messages, *states.messages] == list(both.messages)
        return self.relay(both)

    def note_full(self, state_vector: bytes) -> None:
        self.behind = state_vector

    @property
    def messages(self) -> list[bytes]:
        return [message for batch in self.told for message in batch.messages]


def awareness_message(ids: Iterable[int]) -> bytes:
    return b"states of %d" % sum(ids)


def messages_of(updates: Sequence[bytes]) -> Sequence[bytes]:
    return updates


@pytest.fixture
def clients() -> list[Client]:
    return [Client() for _ in range(4)]


@pytest.fixture
def turn(clients: list[Client]) -> Turn:
    return Turn(
        clients,
        update_messages=messages_of,
        awareness_message=awareness_message,
        state_vector=lambda: b"state",
    )


async def test_a_sole_writer_hears_nothing_and_the_others_get_one_batch(
    turn: Turn, clients: list[Client]
) -> None:
    turn.add_update(b"1", clients[0])
    turn.add_update(b"2", clients[0])
    assert not any(client.told for client in clients)
    await asyncio.sleep(0)
    assert [client.messages for client in clients] == [[], [b"1", b"2"], [b"1", b"2"], [b"1", b"2"]]
    assert len({id(client.told[0]) for client in clients[1:]}) == 1
    turn.add_update(b"3", clients[1])
    await eventually(lambda: bool(clients[0].told))
    assert clients[0].messages == [b"3"]


async def test_after_a_costly_turn_what_comes_is_joined_for_a_while(
    turn: Turn, clients: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PACE", 1e9)
    turn.add_update(b"1", None)
    await asyncio.sleep(0)
    turn.add_update(b"2", None)
    for _ in range(5):
        await asyncio.sleep(0)
        turn.add_update(b"3", None)
    assert clients[0].messages == [b"1"]
    await eventually(lambda: len(clients[0].told) == 2)
    assert clients[0].messages == [b"1", b"2"] + [b"3"] * 5


async def test_of_several_writers_everybody_gets_the_same(turn: Turn, clients: list[Client]) -> None:
    for number, writer in enumerate([clients[0], clients[1], clients[0]]):
        turn.add_update(b"%d" % number, writer)
    await asyncio.sleep(0)
    assert {id(batch) for client in clients for batch in client.told} == {id(clients[0].told[0])}
    assert clients[0].messages == [b"0", b"1", b"2"]


async def test_states_are_told_once_with_the_updates(turn: Turn, clients: list[Client]) -> None:
    turn.add_update(b"u", clients[0])
    turn.add_awareness([1], clients[0])
    turn.add_awareness([2, 1], clients[0])
    await asyncio.sleep(0)
    assert clients[0].told == []
    assert clients[1].messages == [b"u", b"states of 3"]
    turn.add_update(b"v", clients[0])
    turn.add_awareness([5], clients[1])
    await eventually(lambda: bool(clients[0].told))
    assert clients[0].messages == [b"states of 5"]
    assert clients[1].messages[2:] == [b"v"]
    assert clients[2].messages[2:] == [b"v", b"states of 5"]


async def test_who_is_full_is_told_up_to_where_it_has_been_told(turn: Turn, clients: list[Client]) -> None:
    clients[2].has_no_room = True
    turn.add_update(b"u", None)
    await asyncio.sleep(0)
    assert [client.behind for client in clients] == [None, None, b"state", None]
    assert clients[2].messages == [b"u"]


async def test_updates_and_states_of_a_turn_are_one_write_of_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        serving() as server,
        YClient(server.url, "room") as writer,
        YClient(server.url, "room") as one,
        YClient(server.url, "room") as two,
    ):
        for client in (writer, one, two):
            await client.synced()
        await writer.flush()
        room = server.rooms.get("room")
        assert room is not None
        written: list[Batch] = []
        write = WebsocketLink.write

        def note(link: WebsocketLink, batch: Batch) -> bool:
            written.append(batch)
            return write(link, batch)

        monkeypatch.setattr(WebsocketLink, "write", note)
        frames = [update_frame(writer.write(**{f"k{number}": number})) for number in range(5)]
        frames.append(awareness_frame({7: (1, {"name": "Ada"})}))
        sender = next(peer for peer in peers_in(room) if peer.name.startswith(address(writer)))
        for frame in frames:
            sender.receive(frame)
        await one.wait_for(k4=4)
        await two.wait_for(k4=4)
        await eventually(lambda: len(written) == 2)
        assert written[0] is written[1]
        await one.wait(lambda: 7 in one.awareness)


def address(client: YClient) -> str:
    host, port = client.socket.local_address[:2]
    return f"{host}:{port}"


async def test_updates_that_cannot_be_joined_are_told_one_by_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(updates: object) -> bytes:
        raise IndexError("a bug")

    monkeypatch.setattr("weft.server.ysync.room.merge_updates", fail)
    async with (
        serving() as server,
        YClient(server.url, "room") as writer,
        YClient(server.url, "room") as reader,
    ):
        await writer.synced()
        await reader.synced()
        room = server.rooms.get("room")
        assert room is not None
        sender = next(peer for peer in peers_in(room) if peer.name.startswith(address(writer)))
        for number in range(3):
            sender.receive(update_frame(writer.write(**{f"k{number}": number})))
        await reader.wait_for(k0=0, k1=1, k2=2)
        assert sum(frame[:2] == b"\0\2" for frame in reader.frames) == 3
    assert "could not be joined" in caplog.text


async def test_large_updates_are_not_joined() -> None:
    async with (
        serving() as server,
        YClient(server.url, "room") as writer,
        YClient(server.url, "room") as reader,
    ):
        await writer.synced()
        await reader.synced()
        room = server.rooms.get("room")
        assert room is not None
        sender = next(peer for peer in peers_in(room) if peer.name.startswith(address(writer)))
        for number, size in enumerate([1, 1, 70_000, 40_000, 1, 40_000]):
            sender.receive(update_frame(writer.write(**{f"k{number}": "x" * size})))
        await reader.wait_for(k5="x" * 40_000)
        assert len(reader.content) == 6
        sizes = [len(frame) // 10_000 for frame in reader.frames if frame[:2] == b"\0\2"]
        assert sizes == [0, 7, 4, 4]
