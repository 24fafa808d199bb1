"""A ``with store.transaction():`` that stands across an ``await`` is one task's; others are refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from support.foreign import in_thread
from support.mirrors import KINDS, Kind, make_peer
from weft import Store
from weft.errors import ReadOnlyError, WrongTaskError, WrongThreadError
from weft.persisters import FilePersister
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

WRITES: dict[str, Callable[[Store], object]] = {
    "a cell that is there": lambda store: store.set_cell("t", "r", "c", 9),
    "a new cell": lambda store: store.set_cell("t", "r", "other", 9),
    "a row": lambda store: store.set_row("t", "r2", {"c": 9}),
    "a value": lambda store: store.set_value("v", 9),
    "a deletion": lambda store: store.del_table("t"),
    "a transaction": lambda store: store.transaction().__enter__(),
    "a transaction of a function": lambda store: store.transaction(lambda: None),
    "the end of the transaction": lambda store: store.finish_transaction(),
}


@pytest.fixture(params=["free", *KINDS])
def store(request: pytest.FixtureRequest) -> Store:
    """A Store, and one mirrored in each kind of document."""
    if request.param == "free":
        return Store().set_cell("t", "r", "c", 0)
    kind: Kind = request.param
    peer = make_peer(kind)
    peer.store.set_cell("t", "r", "c", 0)
    request.node.peer = peer  # keeps the document
    return peer.store


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_task_that_was_ready_already_is_refused(
    store: Store, write: Callable[[Store], object]
) -> None:
    """The other task is the very next to run: before the event loop has come to another turn."""
    order: list[str] = []

    async def holds() -> None:
        with store.transaction(origin="mine"):
            store.set_cell("t", "r", "c", 1)
            order.append("open")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            store.set_cell("t", "r", "c", 2)
            order.append("closed")

    async def writes() -> None:
        order.append("write")
        with pytest.raises(WrongTaskError, match=r"origin 'mine'.*task 'the other'"):
            write(store)

    await asyncio.gather(asyncio.create_task(holds()), asyncio.create_task(writes(), name="the other"))
    assert order == ["open", "write", "closed"]
    assert store.get_content() == ({"t": {"r": {"c": 2}}}, {})
    store.set_cell("t", "r", "c", 3)  # it is over
    assert store.get_cell("t", "r", "c") == 3


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_task_that_the_block_makes_is_refused(store: Store, write: Callable[[Store], object]) -> None:
    async def writes() -> None:
        write(store)

    with store.transaction():
        store.set_cell("t", "r", "c", 1)
        with pytest.raises(WrongTaskError):
            await asyncio.create_task(writes())
        with pytest.raises(WrongThreadError):
            await asyncio.to_thread(write, store)
        store.set_cell("t", "r", "c", 2)
    assert store.get_content() == ({"t": {"r": {"c": 2}}}, {})


async def test_a_refused_write_does_not_go_with_the_rollback_of_the_other(store: Store) -> None:
    refused = asyncio.Event()

    async def fails() -> None:
        with store.transaction():
            store.set_cell("t", "r", "c", 1)
            await refused.wait()
            raise ZeroDivisionError

    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    try:
        store.set_cell("t", "mine", "c", 1)
    except WrongTaskError:
        refused.set()
    with pytest.raises(ZeroDivisionError):
        await task
    store.set_cell("t", "mine", "c", 1)
    assert store.get_content() == ({"t": {"r": {"c": 0}, "mine": {"c": 1}}}, {})


async def test_nobody_else_writing_it_goes_on(store: Store) -> None:
    with store.transaction():
        for number in range(5):
            store.set_cell("t", "r", "c", number)
            with store.transaction():
                store.set_row("t", f"r{number}", {"c": number})
                await asyncio.sleep(0)
            store.set_value("v", number)
    assert store.get_value("v") == 4
    assert store.get_row_count("t") == 6


async def test_transactions_of_two_stores_stand_in_one_task() -> None:
    one, two = Store(), Store()
    with one.transaction():
        with two.transaction():
            await asyncio.sleep(0)
            one.set_value("v", 1)
            two.set_value("v", 1)
        one.set_value("w", 1)

    async def child() -> None:
        with two.transaction():
            await asyncio.sleep(0)
            two.set_value("v", 2)

    with one.transaction():  # the mark that a child inherits is not its own
        task = asyncio.create_task(child())
        await asyncio.sleep(0)
        with pytest.raises(WrongTaskError):
            two.set_value("v", 3)
        await task
        one.set_value("v", 3)
    assert (one.get_values(), two.get_values()) == ({"v": 3, "w": 1}, {"v": 2})


async def test_many_transactions_of_one_turn_are_each_guarded() -> None:
    store = Store()
    for number in range(3):  # the look at the next turn was asked for by the first
        with store.transaction():
            store.set_value("v", number)

    async def writes() -> None:
        store.set_value("other", 1)

    with store.transaction():
        task = asyncio.create_task(writes())
        await asyncio.sleep(0)
        store.set_value("v", 3)
    with pytest.raises(WrongTaskError):
        await task
    await asyncio.create_task(writes())
    assert store.get_values() == {"v": 3, "other": 1}


def test_it_holds_in_a_second_event_loop_and_without_one() -> None:
    store = Store()

    async def run() -> None:
        async def writes() -> None:
            store.set_value("other", 1)

        with store.transaction():
            with pytest.raises(WrongTaskError):
                await asyncio.create_task(writes())
            store.set_value("v", 1)

    asyncio.run(run())
    asyncio.run(run())
    with store.transaction():
        in_thread(lambda: store.set_value("v", 2))  # no event loop, nothing attached: free as ever
    assert store.get_values() == {"v": 2}


async def test_a_callback_of_the_loop_is_another(store: Store) -> None:
    raised: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def call() -> None:
        try:
            store.set_cell("t", "r", "c", 9)
        except WrongThreadError as error:
            raised.set_result(error)

    with store.transaction():
        asyncio.get_running_loop().call_soon(call)
        assert "a callback of the event loop" in str(await raised)
    assert store.get_cell("t", "r", "c") == 0


async def test_a_generator_that_is_closed_elsewhere_closes_its_transaction(store: Store) -> None:
    async def rows() -> AsyncIterator[int]:
        with store.transaction():
            store.set_cell("t", "r", "c", 1)
            yield 1

    generator = rows()
    await asyncio.create_task(anext(generator))  # type: ignore[arg-type]
    await generator.aclose()  # type: ignore[attr-defined]
    assert store.get_cell("t", "r", "c") == 0  # rolled back by GeneratorExit
    store.set_cell("t", "r", "c", 2)
    assert store.get_cell("t", "r", "c") == 2


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_peer_sends_meanwhile_waits_for_the_end(kind: Kind) -> None:
    peer, other = make_peer(kind), make_peer(kind)
    updates = other.updates()
    other.store.set_cell("t", "r", "theirs", 1)

    async def receive() -> None:
        for update in updates:
            peer.apply(update)

    with peer.store.transaction():
        peer.store.set_cell("t", "r", "mine", 1)
        await asyncio.create_task(receive())
        assert peer.store.get_row("t", "r") == {"mine": 1}
    assert peer.store.get_row("t", "r") == {"mine": 1, "theirs": 1}
    assert peer.agrees()
    assert not peer.errors


async def test_auto_load_and_auto_save_wait_for_the_end(tmp_path: Path) -> None:
    path = tmp_path / "store.json"
    store = Store()
    async with FilePersister(store, path) as persister:
        await persister.start_auto_persisting()
        with store.transaction():
            store.set_cell("t", "r", "c", 1)
            path.write_text('[{"t": {"r": {"d": 2}}}, {}]')
            loading = asyncio.create_task(persister.load())
            await asyncio.sleep(0.01)
            store.set_cell("t", "r", "c", 3)
        await loading
        await until(persister.is_at_rest)
    assert store.get_cell("t", "r", "c") == 3


async def test_a_listener_that_only_looks_still_hears_read_only(store: Store) -> None:
    raised: list[Exception] = []

    def listen(*_: object) -> None:
        try:
            store.set_value("v", 1)
        except ReadOnlyError as error:
            raised.append(error)

    store.add_cell_listener("t", "r", "c", listen)
    with store.transaction():
        store.set_cell("t", "r", "c", 1)
        await asyncio.sleep(0)
    assert len(raised) == 1


async def test_mutators_of_the_transaction_write(store: Store) -> None:
    store.add_cell_listener("t", "r", "c", lambda *_: store.set_cell("t", "r", "d", 1), mutator=True)
    store.add_will_finish_transaction_listener(lambda _: store.set_cell("t", "r", "e", 1))
    with store.transaction():
        store.set_cell("t", "r", "c", 1)
        await asyncio.sleep(0)
    assert store.get_row("t", "r") == {"c": 1, "d": 1, "e": 1}


async def test_a_rollback_within_keeps_the_guard() -> None:
    store = Store().set_value("v", 0)

    async def writes() -> None:
        store.set_value("other", 1)

    with store.transaction(do_rollback=lambda _: True):
        store.set_value("v", 1)
        with pytest.raises(ZeroDivisionError):
            store.transaction(lambda: 1 // 0)
        with pytest.raises(WrongTaskError):
            await asyncio.create_task(writes())
    assert store.get_values() == {"v": 0}
