from __future__ import annotations

import asyncio

import pytest

from weft.errors import RemoteProtocolError
from weft.protocols.awareness import Awareness
from weft.server.ysync.shared_awareness import SharedAwareness

A, B = b"process1", b"process2"


class Process:
    def __init__(self) -> None:
        self.now = 0.0
        self.awareness = Awareness(1)
        self.told: list[bytes] = []
        self.changed: list[int] = []
        self.awareness.observe(lambda change, _: self.changed.extend(change.ids))
        self.seen: list[bytes] = []  # by the clients here
        self.shared = SharedAwareness(
            self.awareness, clock=lambda: self.now, tell=self.told.append, flush=self.flush
        )

    def flush(self) -> None:
        self.seen.append(self.awareness.encode(self.changed))

    def client_says(self, client_id: int, name: str, *, session: object, clock: int = 1) -> None:
        self.awareness.apply(said(client_id, name, clock), now=self.now, origin=session, exclusive=True)

    @property
    def names(self) -> dict[int, str]:
        return {client_id: state["name"] for client_id, state in self.awareness.states.items()}


def said(client_id: int, name: str, clock: int = 1) -> bytes:
    somebody = Awareness(client_id)
    for _ in range(clock):
        somebody.set_local_state({"name": name}, 0.0)
    return somebody.encode()


async def test_what_clients_here_say_is_passed_on_once_a_turn() -> None:
    here, there = Process(), Process()
    session = object()
    here.client_says(7, "Ada", session=session)
    here.client_says(8, "Bob", session=session)
    here.client_says(7, "Ada!", session=session, clock=2)
    await asyncio.sleep(0)
    assert len(here.told) == 1
    there.shared.hear(A, here.told[0])
    assert there.names == {7: "Ada!", 8: "Bob"}
    await asyncio.sleep(0)
    assert there.told == []


async def test_only_ones_own_clients_are_answered_with() -> None:
    process = Process()
    assert not process.shared.own_words()
    process.shared.hear(A, said(7, "Ada"))
    assert not process.shared.own_words()
    process.client_says(8, "Bob", session=object())
    other = Process()
    (words,) = process.shared.own_words()
    other.shared.hear(B, words)
    assert other.names == {8: "Bob"}
    await asyncio.sleep(0)


async def test_no_message_is_larger_than_a_broker_carries() -> None:
    process, other = Process(), Process()
    for client_id in range(100, 400):
        process.client_says(client_id, "x" * 4000, session=object())
    words = process.shared.own_words()
    await asyncio.sleep(0)
    for messages in (words, process.told):
        assert max(map(len, messages)) < 256 * 1024
        for message in messages:
            other.shared.hear(A, message)
        assert len(other.names) == 300
        other = Process()


async def test_the_clients_of_a_process_that_is_gone_are_gone() -> None:
    process = Process()
    process.shared.hear(A, said(7, "Ada"))
    process.shared.hear(B, said(8, "Bob"))
    client = Process()
    client.shared.hear(A, process.awareness.encode())
    process.shared.forget(A)
    process.shared.forget(A)
    assert process.names == {8: "Bob"}
    client.shared.hear(A, process.seen[0])  # as it was told at once
    assert client.names == {8: "Bob"}
    process.shared.hear(A, said(7, "Ada"))  # it was silent only; its word counts afresh
    assert process.names == {7: "Ada", 8: "Bob"}
    await asyncio.sleep(0)


async def test_a_client_may_come_to_another_process_at_any_time() -> None:
    process = Process()
    process.shared.hear(A, said(7, "Ada"))
    session = object()
    process.client_says(7, "Ada", session=session, clock=2)
    assert process.awareness.ids_here() == [7]
    # The old process notices late that its connection is dead, and says that the client has left.
    late = Awareness(7)
    late.set_local_state({"name": "Ada"}, 0.0)
    late.set_local_state(None, 0.0)
    process.shared.hear(A, late.encode((7,)))
    process.shared.forget(A)
    await asyncio.sleep(0)


async def test_who_has_expired_here_is_not_said_to_be_gone_elsewhere() -> None:
    process = Process()
    process.shared.hear(A, said(7, "Ada"))
    process.client_says(8, "Bob", session=object())
    await asyncio.sleep(0)
    before = len(process.told)
    process.awareness.tick(40.0)
    assert process.names == {}
    process.awareness.set_local_state({"name": "the server"}, 40.0)
    await asyncio.sleep(0)
    assert len(process.told) == before + 1
    there = Process()
    there.awareness.client_id = 9
    there.shared.hear(A, process.told[-1])
    assert there.names == {1: "the server"}


async def test_what_is_no_awareness_message_is_refused() -> None:
    process = Process()
    with pytest.raises(RemoteProtocolError):
        process.shared.hear(A, b"\xff\xff")
    assert process.names == {}


async def test_after_closing_nothing_is_passed_on() -> None:
    process = Process()
    process.shared.close()
    process.client_says(7, "Ada", session=object())
    await asyncio.sleep(0)
    assert process.told == []
