"""A Store that any thread may call: every public method, transactions of one thread, and what threads see."""

from __future__ import annotations

import asyncio
import pickle
import threading
from _thread import get_ident
from typing import TYPE_CHECKING, Any

import pytest

import weft
from support.foreign import in_thread
from weft import Checkpoints, Store
from weft.errors import InvalidCellError, ReadOnlyError, WrongTaskError
from weft.facade import BlockingStore
from weft.facade.owner_thread import HERE, Mark, OwnerThread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlockingStore]:
    with weft.sync.open(tmp_path / "pets.json") as store:
        yield store


def test_every_public_method_of_a_store_is_there_for_any_thread() -> None:
    public = {name for name in dir(Store) if not name.startswith("_")}
    assert len(public) > 120
    left = {name for name in public if getattr(BlockingStore, name) is getattr(Store, name)}
    # The decorators, which come to ``_add`` and ``_add_phase``.
    assert left == {name for name in public if name.startswith("on_")}
    assert {"_add", "_add_phase", "__repr__", "__copy__", "__reduce_ex__"} <= vars(BlockingStore).keys()


def test_methods_return_what_a_stores_return_and_listeners_run_in_wefts_thread(store: BlockingStore) -> None:
    assert isinstance(store, Store)
    assert store.set_cell("pets", "fido", "species", "dog") is store
    threads: list[Mark] = []
    listening = store.on_cell("pets")(lambda *_: threads.append(HERE.mark))
    store.add_did_finish_transaction_listener(lambda _: threads.append(HERE.mark))
    in_thread(lambda: store.set_partial_row("pets", "fido", {"price": 5, "species": "cat"}))
    assert set(threads) == {OwnerThread.current().mark}
    assert len(threads) == 3
    listening.unsubscribe()
    with pytest.raises(InvalidCellError):
        store.set_cell("pets", "fido", "price", object())  # type: ignore[arg-type]
    assert store.get_row("pets", "fido") == {"species": "cat", "price": 5}
    assert store.same_content(store)
    assert store.to_dicts("pets", row_id="id") == [{"id": "fido", "species": "cat", "price": 5}]
    assert repr(store) == "<BlockingStore pets: 1 row; 0 values>"
    assert "fido" in store._repr_html_()
    seen: list[Any] = []
    store.for_each_row("pets", lambda row_id, each: seen.append((row_id, get_ident())))
    assert seen == [("fido", get_ident())]


def test_a_copy_is_a_plain_store_of_ones_own(store: BlockingStore) -> None:
    store.set_value("v", 1)
    for copy in (store.copy(), pickle.loads(pickle.dumps(store))):
        assert type(copy) is Store
        assert copy.set_value("v", 2).get_value("v") == 2
    assert store.get_value("v") == 1


def test_a_transaction_is_its_threads_alone(store: BlockingStore) -> None:
    store.set_value("n", 0)
    seen: list[Any] = []
    store.on_values()(lambda *_: seen.append(store.get_value("n")))
    began = threading.Event()

    def other() -> None:
        began.set()
        store.set_value("n", -1)

    thread = threading.Thread(target=other)
    with store.transaction(origin="mine") as same:
        assert same is store
        thread.start()
        began.wait(20)
        for number in range(5):
            store.set_value("n", number)
        with store.transaction():
            store.values["m"] = store.get_value("n")
        assert store.transaction_origin == "mine"
        assert store.get_values() == {"n": 4, "m": 4}
        assert seen == []
    thread.join(20)
    assert seen == [4, -1]
    assert store.transaction_origin is None


def test_an_exception_rolls_back(store: BlockingStore) -> None:
    def fail() -> None:
        with store.transaction():
            store.set_value("v", 1)
            with store.transaction():
                raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
    assert store.get_values() == {}
    assert store.transaction(lambda: store.set_value("v", 2), lambda same: True) is store
    assert store.get_values() == {}

    async def actions() -> None: ...

    with pytest.raises(TypeError, match="not awaited"):
        store.transaction(actions)  # type: ignore[unused-coroutine]
    store.set_value("v", 3)


def test_start_and_finish_belong_to_a_thread(store: BlockingStore) -> None:
    store.start_transaction().set_value("v", 1)
    in_thread(store.start_transaction().finish_transaction)  # another's does nothing
    store.finish_transaction().set_value("v", 2)
    store.finish_transaction(lambda _: True)
    assert store.get_values() == {}
    store.finish_transaction()
    with pytest.raises(TypeError):
        store.finish_transaction(7)  # type: ignore[arg-type]


def test_what_a_thread_that_ended_left_open_is_rolled_back(store: BlockingStore) -> None:
    in_thread(lambda: store.start_transaction().start_transaction().set_value("v", 1))
    assert store.get_values() == {}
    assert store.set_value("v", 2).get_value("v") == 2


@pytest.mark.timeout(60)
def test_a_thread_that_gets_the_identifier_of_one_that_ended_does_not_pass_for_it(
    store: BlockingStore,
) -> None:
    def begin() -> int:
        store.start_transaction().start_transaction().set_value("v", 1)
        return get_ident()

    identifier: int | None = None
    found: list[dict[str, Any]] = []
    written, end = threading.Event(), threading.Event()

    def write() -> None:
        if get_ident() == identifier:
            found.append(store.finish_transaction().get_values())
            found.append(store.set_value("w", 2).get_values())
            written.set()
            end.wait(20)  # it lives on, with that identifier

    threads: list[threading.Thread] = []
    try:
        while not threads or threads[-1].ident != identifier:
            if len(threads) == 1000:
                pytest.skip("no thread got the identifier")
            if threads:
                threads[-1].join(20)
            if len(threads) % 20 == 0:  # somebody else's thread may have got the one before
                identifier = in_thread(begin)
            threads.append(threading.Thread(target=write, daemon=True))
            threads[-1].start()
        assert written.wait(20)
        assert found == [{}, {"w": 2}]
        assert in_thread(store.get_values) == {"w": 2}
    finally:
        end.set()
        for thread in threads:
            thread.join(20)


def test_listeners_may_write_where_a_stores_may(store: BlockingStore) -> None:
    store.on_value("v", mutator=True)(lambda *_: store.set_value("w", store.get_value("v")))
    store.set_value("v", 1)
    assert store.get_value("w") == 1

    def refused(*_: object) -> None:
        with store.transaction():
            pass

    store.on_value("v")(refused)
    with pytest.raises(ReadOnlyError):
        store.set_value("v", 2)
    assert store.get_value("w") == 2


def test_two_stores_in_one_transaction(store: BlockingStore, tmp_path: Path) -> None:
    with weft.sync.open(tmp_path / "other.json") as other, store.transaction():
        store.set_value("v", 1)
        other.set_value("v", store.get_value("v"))
        with other.transaction():
            other.set_value("w", 2)
        assert other.get_values() == {"v": 1, "w": 2}


def test_what_is_built_on_a_store_runs_in_its_thread(store: BlockingStore) -> None:
    checkpoints = store.sync.call(Checkpoints, store)
    store.set_value("v", 1)
    store.sync.call(checkpoints.add_checkpoint)
    store.set_value("v", 2)
    store.sync.call(checkpoints.go_backward)
    assert store.get_value("v") == 1


def test_sixteen_threads_lose_nothing_and_raise_nothing(store: BlockingStore) -> None:
    store.set_value("n", 0)

    def work(name: int) -> None:
        for number in range(20):
            store.set_cell("t", f"{name} {number}", "c", number)
            store.add_row("rows", {"by": name})
            with store.transaction():
                store.set_value("n", int(store.get_value("n")) + 1)  # type: ignore[arg-type]
            for row in store.tables["t"].values() if number == 10 else ():
                assert "c" in row
            assert store.get_sorted_row_ids("t", "c")

    errors: list[BaseException] = []

    def run(name: int) -> None:
        try:
            work(name)
        except BaseException as error:  # noqa: BLE001 - looked at below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(name,)) for name in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert errors == []
    assert (store.get_row_count("t"), store.get_row_count("rows"), store.get_value("n")) == (320, 320, 320)


def test_another_task_of_the_thread_cannot_write_into_a_transaction(store: BlockingStore) -> None:
    async def main() -> None:
        async def other() -> None:
            with pytest.raises(WrongTaskError, match="another task holds across an await"):
                store.set_value("v", 2)
            with pytest.raises(WrongTaskError):
                store.start_transaction()

        with store.transaction(origin="mine"):
            store.set_value("v", 1)
            await asyncio.create_task(other())
            store.set_value("w", 1)
        await asyncio.sleep(0)
        with store.transaction():
            store.set_value("w", 2)
        store.set_value("v", 3)

    asyncio.run(main())
    assert store.get_values() == {"v": 3, "w": 2}
