"""A Store in a document at a server, in one call, with real servers and JavaScript peers."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

import weft
from support.live import until
from support.servers import serving
from weft import Store
from weft.errors import (
    DocumentClosedError,
    LocalProtocolError,
    ProviderError,
    SyncTimeoutError,
    WriteDeniedError,
)
from weft.server import Allow, Deny, Request, Server, allow_all
from weft.server.storage import MemoryRoomStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from support.node import JsPeer
    from weft.facade import SharedStore, StoreSync

NOWHERE = "ws://127.0.0.1:9/farm"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


async def until_cell(store: Store, table: str, row: str, cell: str, *, is_: Any) -> None:
    def hear(changed: Any) -> Any:
        listener = store.add_did_finish_transaction_listener(changed)
        return lambda: store.del_listener(listener)

    await until(
        lambda: bool(store.get_cell(table, row, cell, default=None) == is_), hear, f"{cell} to be {is_!r}"
    )


async def until_sync(sync: StoreSync, condition: Any, what: str) -> None:
    await until(lambda: bool(condition(sync)), sync.on_change, f"{what}; it is {sync!r}")


@pytest.mark.parametrize("scheme", ["", "automerge+"])
async def test_two_programs_edit_one_store(server: Server, scheme: str) -> None:
    address = f"{scheme}{server.url}" + ("" if scheme else "/farm")
    async with weft.connect(address) as ada:
        assert isinstance(ada, Store)
        row = ada.add_row("readings", {"t": 21.5})
        assert ada.sync.pending
        await ada.sync.flush(timeout=20)
        assert not ada.sync.pending
        assert ada.sync.last_synced_at is not None
        assert (datetime.now(UTC) - ada.sync.last_synced_at).total_seconds() < 60
        async with weft.connect(ada.sync.address) as ben:
            await ben.sync.wait_synced(timeout=20)
            assert ben.get_content() == ({"readings": {row: {"t": 21.5}}}, {})
            ben.tables["readings"][str(row)]["t"] = 22
            await until_cell(ada, "readings", str(row), "t", is_=22)
            assert ben.sync.address == ada.sync.address
    assert ada.sync.status == "closed"


@pytest.mark.interop
async def test_with_a_javascript_peer_in_the_room(server: Server, js_peer: JsPeer) -> None:
    await js_peer("doc.create", name="js")
    await js_peer("socket.connect", name="js", url=server.url, room="farm")
    async with weft.connect(f"{server.url}/farm") as store:
        store.set_cell("pets", "fido", "species", "dog")
        await js_peer("doc.wait", name="js", path=["tinybase", "t", "pets", "fido", "species"], equals="dog")
        await js_peer("doc.edit", name="js", edits=[["set", ["tinybase", "t", "pets", "fido", "price"], 5]])
        await until_cell(store, "pets", "fido", "price", is_=5)


async def test_the_server_is_asked_by_itself_and_listeners_hear_of_it(server: Server) -> None:
    async with weft.connect(f"{server.url}/farm") as store:
        seen: list[tuple[str, int]] = []
        end = store.sync.on_change(lambda sync: seen.append((sync.status, sync.pending.updates)))
        await until_sync(store.sync, lambda sync: sync.status == "synced", "synced")
        for number in range(3):
            store.set_cell("t", "r", "c", number)
        await until_sync(store.sync, lambda sync: not sync.pending, "nothing pending")
        assert ("synced", 3) in seen
        assert seen[-1] == ("synced", 0)
        end()
        count = len(seen)
    assert len(seen) == count


async def test_it_begins_without_a_network_and_catches_up_with_it() -> None:
    async with serving() as first:
        port = first.port
    async with weft.connect(f"ws://127.0.0.1:{port}/farm", on_error=lambda error: None) as store:
        store.set_cell("t", "r", "c", 1)
        await until_sync(store.sync, lambda sync: sync.last_error is not None, "an error")
        assert "connection refused" in str(store.sync.last_error)
        with pytest.raises(SyncTimeoutError):
            await store.sync.wait_synced(timeout=0.01)
        async with Server(auth=allow_all, storage=MemoryRoomStorage(), port=port) as server:
            await store.sync.flush(timeout=20)
            assert store.sync.last_error is None
            async with weft.connect(f"{server.url}/farm") as other:
                await other.sync.wait_synced(timeout=20)
                assert other.get_cell("t", "r", "c") == 1
            await store.sync.close()


async def _write_nowhere(then: Callable[[], object]) -> None:
    async with weft.connect(NOWHERE, close_timeout=0.05, on_error=lambda error: None) as store:
        store.set_cell("t", "r", "c", 1)
        then()


async def test_what_is_kept_nowhere_at_the_end_is_an_error() -> None:
    with pytest.raises(ProviderError, match=r"1 updates were not confirmed.*nowhere.*offline='FILE.weft'"):
        await _write_nowhere(lambda: None)
    async with weft.connect(NOWHERE, close_timeout=30, on_error=lambda error: None):
        pass  # nothing is waited for where nothing was written


async def test_an_error_of_the_block_is_the_one_that_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        await _write_nowhere(lambda: 1 / 0)
    assert "kept nowhere" in raised.value.__notes__[0]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_after_the_end_it_can_be_read_and_not_written(server: Server) -> None:
    async with weft.connect(f"{server.url}/farm") as store:
        store.set_cell("t", "r", "c", 1)
    assert store.get_cell("t", "r", "c") == 1
    with pytest.raises(DocumentClosedError, match=f"the Store of {server.url}/farm was closed"):
        store.set_cell("t", "r", "c", 2)
    copy = store.copy().set_cell("t", "r", "c", 2)
    assert type(copy) is Store
    await store.sync.close()  # again


async def test_what_a_server_refuses_is_told() -> None:
    asked: list[Request] = []

    def auth(request: Request) -> Allow | Deny:
        asked.append(request)
        return Allow(read_only=True) if request.query.get("token") == "reader" else Deny("who are you?")

    async with serving(auth=auth) as server:
        errors: list[Exception] = []
        async with weft.connect(f"{server.url}/farm?v=1", token="none", on_error=errors.append) as store:
            with pytest.raises(ProviderError, match="who are you"):
                await store.sync.wait_synced(timeout=20)
            assert store.sync.status == "closed"
            assert "who are you" in str(store.sync.last_error)

        async def token() -> str:
            return "reader"

        async def write() -> None:
            options: Any = {"token": token, "headers": {"X-Farm": "1"}, "on_error": errors.append}
            async with weft.connect(f"{server.url}/farm", **options) as store:
                await store.sync.wait_synced(timeout=20)
                store.set_cell("t", "r", "c", 1)
                with pytest.raises(WriteDeniedError):
                    await store.sync.flush(timeout=20)

        with pytest.raises(ProviderError, match="kept nowhere"):
            await write()
        assert asked[0].query == {"v": "1", "token": "none"}
        assert asked[-1].headers["x-farm"] == "1"


async def test_a_schema_holds_from_the_beginning(server: Server) -> None:
    async with weft.connect(f"{server.url}/farm") as plain, AsyncExitStack() as stack:
        plain.set_table("pets", {"fido": {"price": 5}, "felix": {"price": "much"}})
        await plain.sync.flush(timeout=20)
        errors: list[Exception] = []
        store: SharedStore = await stack.enter_async_context(
            weft.connect(
                f"{server.url}/farm", schema={"pets": {"price": {"type": "number"}}}, on_error=errors.append
            )
        )
        await store.sync.wait_synced(timeout=20)
        assert store.get_tables() == {"pets": {"fido": {"price": 5}}}
        assert "much" in str(errors)
        assert store.sync.last_error is errors[-1]
        assert plain.get_cell("pets", "felix", "price") == "much"
        store.set_cell("pets", "fido", "price", 6)  # with whose confirmation all is well
        await until_sync(store.sync, lambda sync: sync.last_error is None, "no error")


FULL = """
import asyncio, resource, sys, weft

async def main(path):
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    async with weft.open(path, on_error=lambda error: None) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, most))
        for number in range(1_000):
            store.set_row("r", str(number), {"text": "x" * 1_000})
            await asyncio.sleep(0)
            if store.sync.last_error is not None:
                break
        print(type(store.sync.last_error).__name__)
        well = asyncio.Event()
        store.sync.on_change(lambda sync: sync.last_error or well.set())
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        await asyncio.wait_for(well.wait(), 20)
        print(store.sync.last_error)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no such limit")
def test_an_error_of_the_disk_is_gone_when_it_can_be_written_again(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL, str(tmp_path / "farm.weft")],
        capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    assert (done.stdout.split(), done.stderr) == (["StorageError", "None"], "")


async def test_an_exchange_is_counted_and_leaves_no_connection(server: Server) -> None:
    address = f"{server.url}/farm"
    async with weft.connect(address) as other, weft.connect(address, connect=False) as store:
        other.set_table("t", {"r": {"a": 1, "b": 2}})
        other.set_value("v", 3)
        await other.sync.flush(timeout=20)
        for number in range(40):
            store.set_cell("own", str(number), "c", number)
        assert (store.sync.status, store.sync.pending.updates) == ("disconnected", 40)
        summary = await store.sync.sync(timeout=20)
        assert str(summary) == "sent 40 edits, received 3"
        assert store.sync.status == "disconnected"
        await until_cell(other, "own", "39", "c", is_=39)
        assert str(await store.sync.sync(timeout=20)) == "sent 0 edits, received 0"
        assert (await other.sync.sync(timeout=20)).sent == 0
        assert other.sync.status == "synced"


async def test_exchanges_at_once_come_one_after_the_other(server: Server) -> None:
    async with weft.connect(f"{server.url}/farm", connect=False) as store:
        for number in range(3):
            store.set_cell("own", str(number), "c", number)
        summaries = await asyncio.gather(*(store.sync.sync(timeout=20) for _ in range(4)))
        assert [str(summary) for summary in summaries] == [
            "sent 3 edits, received 0", *["sent 0 edits, received 0"] * 3,
        ]  # fmt: skip
        assert store.sync.status == "disconnected"


async def test_an_exchange_waits_for_another_no_longer_than_its_own_time() -> None:
    async with weft.connect(NOWHERE, connect=False, on_error=lambda error: None) as store:
        first = asyncio.create_task(store.sync.sync())
        await until_sync(store.sync, lambda sync: sync.status == "connecting", "the first to connect")
        with pytest.raises(SyncTimeoutError, match=r"within 0\.05 s"):
            await store.sync.sync(timeout=0.05)
        assert not first.done()
        first.cancel()
        await asyncio.wait([first])
        assert store.sync.status == "disconnected"


async def test_an_exchange_that_cannot_be_ends_in_time() -> None:
    async with weft.connect(NOWHERE, connect=False, on_error=lambda error: None) as store:
        with pytest.raises(SyncTimeoutError, match=f"no exchange with {NOWHERE} within 0.05 s"):
            await store.sync.sync(timeout=0.05)
        assert store.sync.status == "disconnected"


async def test_an_exchange_after_one_that_failed_leaves_no_connection_either() -> None:
    async with serving() as server:
        port = server.port
    async with weft.connect(
        f"ws://127.0.0.1:{port}/farm", connect=False, on_error=lambda error: None
    ) as store:
        store.set_cell("t", "r", "c", 1)
        async with asyncio.timeout(3):  # and not for the server's word, which cannot come
            with pytest.raises(SyncTimeoutError):
                await store.sync.sync(timeout=0.2)
        assert store.sync.last_error is not None
        async with Server(port=port, auth=allow_all, storage=MemoryRoomStorage()):
            assert (await store.sync.sync(timeout=20)).sent == 1
            assert store.sync.status == "disconnected"


@pytest.mark.parametrize("name", ["pets.json", "pets.weft", None])
async def test_what_is_accepted_while_it_is_closed_is_kept(tmp_path: Any, name: str | None) -> None:
    async def write(store: Store) -> None:
        number = 0
        while True:
            store.set_cell("t", "r", "c", number)
            number += 1
            begun.set()
            await asyncio.sleep(0)

    begun = asyncio.Event()
    opening = (
        weft.open(tmp_path / name)
        if name is not None
        else weft.connect(NOWHERE, offline=tmp_path / "pets.weft", on_error=lambda error: None)
    )
    async with opening as store:
        writing = asyncio.create_task(write(store))
        await begun.wait()
    with pytest.raises(DocumentClosedError):
        await writing
    async with weft.open(tmp_path / (name or "pets.weft")) as again:
        assert again.get_content() == store.get_content()


async def test_an_end_that_is_cancelled_leaves_nothing_running(server: Server) -> None:
    async with serving() as away:
        address = f"{away.url}/farm"
    opening = weft.connect(address, on_error=lambda error: None)
    store = await opening.start()
    store.set_cell("t", "r", "c", 1)
    closing = asyncio.create_task(store.sync.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert store.sync.provider is not None
    assert store.sync.provider.status == "closed"


async def test_what_a_listener_raises_is_reported(server: Server) -> None:
    errors: list[Exception] = []
    async with weft.connect(f"{server.url}/farm", on_error=errors.append) as store:

        def fails(sync: StoreSync) -> None:
            raise LookupError(sync.status)

        store.sync.on_change(fails)
        await store.sync.wait_synced(timeout=20)
        await store.sync.flush(timeout=20)
    assert {type(error) for error in errors} == {LookupError}


async def test_the_layout_is_the_mirrors(server: Server) -> None:
    async with weft.connect(f"{server.url}/farm", layout="flat") as store:
        store.set_cell("t", "r", "c", 1)
        await store.sync.flush(timeout=20)
        async with weft.connect(f"{server.url}/farm", layout="flat") as other:
            await other.sync.wait_synced(timeout=20)
            assert other.get_cell("t", "r", "c") == 1


def test_who_has_no_event_loop_is_told_where_to_go() -> None:
    opening: Any = weft.connect(NOWHERE)
    assert repr(opening) == f"<Connection {NOWHERE}, to be used with `with`>"
    with pytest.raises(TypeError, match=r"weft.sync.connect"), opening:
        pass


async def test_the_parts_are_reached(server: Server) -> None:
    async with weft.connect(f"{server.url}/farm") as store:
        sync = store.sync
        assert sync.store is store
        assert sync.mirror is not None
        assert sync.provider is not None
        assert sync.mirror.store is store
        assert sync.provider.doc is sync.document  # type: ignore[attr-defined]
        assert (sync.replica, sync.persister) == (None, None)
        assert repr(sync).startswith(f"<DocumentSync {server.url}/farm ")
        with pytest.raises(TypeError, match="cannot be copied"):
            __import__("copy").copy(sync)


async def test_a_file_has_nobody_to_exchange_anything_with(tmp_path: Any) -> None:
    async with weft.open(tmp_path / "pets.json") as store:
        with pytest.raises(LocalProtocolError, match="no server"):
            await store.sync.sync()
        with pytest.raises(LocalProtocolError, match="no server"):
            _ = store.presence


async def test_a_cancelled_block_closes(server: Server) -> None:
    async def program() -> None:
        async with weft.connect(f"{server.url}/farm") as store:
            store.set_cell("t", "r", "c", 1)
            begun.set()
            await asyncio.Event().wait()

    begun = asyncio.Event()
    task = asyncio.create_task(program())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with weft.connect(f"{server.url}/farm") as other:
        await other.sync.wait_synced(timeout=20)
        assert other.get_cell("t", "r", "c") == 1
