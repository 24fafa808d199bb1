"""Shared Stores without an event loop: with a real server, a JavaScript peer, threads, workers and a fork."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

import weft
from support.foreign import in_child, in_thread
from support.serving import WeftServe
from weft import UNDEFINED, Store
from weft.errors import LocalProtocolError, SyncTimeoutError
from weft.facade import Cursor
from weft.facade.polling import PollQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.node import SyncJsPeer

NOWHERE = "ws://127.0.0.1:9/farm"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with WeftServe(tmp_path_factory.mktemp("serve") / "weft.sqlite3") as server:
        yield server.url


def wait(store: Any, condition: Any) -> None:
    """Poll until a condition holds: every listener of the Store waits for it."""
    while not condition():
        assert store.sync.poll(timeout=20), "nothing came"


@pytest.mark.interop
def test_a_plain_script_and_a_javascript_peer(url: str, sync_js: SyncJsPeer) -> None:
    js = sync_js("doc.create", name="js")["clientId"]
    sync_js("socket.connect", name="js", url=url, room="script")
    sync_js("awareness.set", name="js", state={"user": {"name": "Ben"}, "cursor": {"table": "pets"}})
    with weft.sync.connect(f"{url}/script", poll=True) as store:
        assert isinstance(store, Store)
        threads = set()
        store.on_cell()(lambda *_: threads.add(threading.get_ident()))
        store.set_cell("pets", "fido", "species", "dog")
        store.sync.flush(timeout=20)
        assert not store.sync.pending
        assert store.sync.last_synced_at is not None
        sync_js("doc.wait", name="js", path=["tinybase", "t", "pets", "fido", "species"], equals="dog")
        sync_js("doc.edit", name="js", edits=[["set", ["tinybase", "t", "pets", "fido", "price"], 5]])
        wait(store, lambda: threads and store.get_cell("pets", "fido", "price", default=None) == 5)
        assert threads == {threading.get_ident()}
        store.presence.on_join(lambda *_: None)
        wait(store, lambda: str(js) in store.presence.others)
        assert store.presence.cursors == {str(js): Cursor("pets")}
        in_thread(lambda: store.presence.me.update(user={"name": "Ada"}))
        store.presence.set_cursor("pets", "fido")
        mine = {"user": {"name": "Ada"}, "cursor": {"table": "pets", "row": "fido"}}
        sync_js("awareness.wait", name="js", clientId=int(store.presence.id), equals=mine)
        assert store.presence.me == mine
        assert store.sync.last_error is None
        assert repr(store.sync) == f"<DocumentSync {url}/script synced, 0 pending>"
    assert store.sync.status == "closed"


@pytest.mark.interop
def test_sixteen_threads_write_at_once(url: str, sync_js: SyncJsPeer) -> None:
    sync_js("store.create", name="js", autoLoad=False, autoSave=False)
    sync_js("socket.connect", name="js", url=url, room="threads")
    errors: list[BaseException] = []
    with weft.sync.connect(f"{url}/threads") as store:

        def work(name: int) -> None:
            try:
                for number in range(25):
                    store.set_cell("t", f"{name} {number}", "c", number)
                    with store.transaction():
                        store.set_value("n", store.get_value("n", 0) + 1)  # type: ignore[operator]
                store.sync.flush(timeout=20)
            except BaseException as error:  # noqa: BLE001 - looked at below
                errors.append(error)

        threads = [threading.Thread(target=work, args=(name,)) for name in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(50)
        assert errors == []
        tables, values = store.get_content()
    assert (len(tables["t"]), values) == (400, {"n": 400})
    sync_js("socket.wait", name="js", condition="synced")
    sync_js("persister.call", name="js", method="startAutoPersisting")
    sync_js("store.wait", name="js", method="getContent", equals=[tables, values])


def test_an_exchange_and_what_is_said_of_it(url: str) -> None:
    with (
        weft.sync.connect(f"{url}/exchange") as other,
        weft.sync.connect(f"{url}/exchange", connect=False) as store,
    ):
        other.set_row("t", "r", {"a": 1, "b": 2})
        other.set_value("v", 3)
        other.sync.flush(timeout=20)
        for number in range(40):
            store.set_cell("own", str(number), "c", number)
        assert str(store.sync.sync(timeout=20)) == "sent 40 edits, received 3"
        assert store.sync.status == "disconnected"


def test_listeners_wait_for_the_thread_that_asks(url: str) -> None:
    with weft.sync.connect(f"{url}/poll", poll=True) as store, weft.sync.connect(f"{url}/poll") as plain:
        assert store.sync.poll() == 0
        calls: list[Any] = []
        store.on_cell("t")(lambda *args: calls.append(args[1:6]))
        store.on_row("t")(lambda _store, table, row, change: calls.append(change(table, row, "c")))
        store.on_table_ids()(lambda _store, ids: calls.append(ids()))
        store.on_values()(lambda _store, change: calls.append((change("v"), change("w"))))
        store.on_value("v", mutator=True)(lambda *_: store.set_value("w", "set by a mutator"))
        with store.transaction():
            store.set_cell("t", "r", "c", 1)
            store.set_value("v", 2)
        store.set_cell("t", "r", "c", 9)
        assert calls == []
        assert store.sync.poll() == 6
        assert calls == [
            {"t": 1},
            ("t", "r", "c", 1, UNDEFINED),
            (True, UNDEFINED, 1),
            ((True, UNDEFINED, 2), (True, UNDEFINED, "set by a mutator")),
            ("t", "r", "c", 9, 1),
            (True, 1, 9),
        ]
        store.on_value("v")(lambda *_: 1 / 0)
        store.set_value("v", 3)
        store.set_value("v", 4)
        with pytest.raises(ZeroDivisionError):
            store.sync.poll()
        with pytest.raises(LocalProtocolError, match="poll=True"):
            plain.sync.poll()


def test_listeners_that_nobody_polls_for_are_kept_and_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    queue, calls = PollQueue(), list[int]()
    for _ in range(2):
        for number in range(10_002):
            queue.put(calls.append, number)
        (record,) = caplog.records
        assert record.getMessage().startswith("10000 calls of listeners wait for store.sync.poll()")
        caplog.clear()
        assert queue.poll(0.0) == 10_002
    assert calls == [*range(10_002)] * 2


def test_waits_end_in_time_and_changes_are_heard_of() -> None:
    with weft.sync.connect(NOWHERE, poll=True, on_error=lambda error: None) as store:
        seen: list[str] = []
        end = store.sync.on_change(lambda sync: seen.append(sync.status))
        with pytest.raises(SyncTimeoutError):
            store.sync.flush(timeout=0.05)
        with pytest.raises(SyncTimeoutError):
            store.sync.wait_synced(timeout=0.05)
        wait(store, lambda: "disconnected" in seen)
        assert "connection refused" in str(store.sync.last_error)
        end()


def test_nothing_can_be_waited_for_inside_a_transaction(url: str) -> None:
    with weft.sync.connect(f"{url}/inside") as store:
        with store.transaction(), pytest.raises(LocalProtocolError, match="inside a transaction"):
            store.sync.flush()
        errors: list[Exception] = []

        def waits(*_: object) -> None:
            try:
                store.sync.flush()
            except LocalProtocolError as error:
                errors.append(error)

        store.on_value("v")(waits)
        store.set_value("v", 1)
        assert "by a listener" in str(errors)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_is_told_and_can_have_a_store_of_its_own(url: str) -> None:
    with weft.sync.connect(f"{url}/fork") as store:
        store.set_value("v", 1)
        store.sync.flush(timeout=20)
        uses = (
            lambda: store.set_value("v", 2),
            lambda: store.get_value("v"),
            store.transaction().__enter__,
            lambda: store.sync.flush(timeout=1),
            lambda: store.sync.status,
        )
        for use in uses:
            assert "WrongProcessError: weft's thread was made in process" in in_child(use)

        def own() -> None:
            with weft.sync.connect(f"{url}/fork") as there:
                there.sync.wait_synced(timeout=20)
                found = there.get_value("v")
                there.set_value("child", found)
                there.sync.flush(timeout=20)
            raise AssertionError(found)

        assert in_child(own) == "AssertionError: 1"
        store.sync.sync(timeout=20)
        assert store.get_value("child") == 1


def test_what_is_called_there_is_a_plain_function(url: str) -> None:
    with weft.sync.connect(f"{url}/call") as store:
        assert store.sync.call(lambda: store.sync.document is not None)

        async def wrong() -> None: ...

        with pytest.raises(TypeError, match="a coroutine function"):
            store.sync.call(wrong)  # type: ignore[unused-coroutine]


def test_without_a_block_as_in_a_notebook(url: str) -> None:
    store = weft.sync.connect(f"{url}/notebook").start()
    store.set_value("v", 1)
    store.sync.flush(timeout=20)
    store.sync.close()
    store.sync.close()
    assert store.sync.status == "closed"
    assert store.get_value("v") == 1
