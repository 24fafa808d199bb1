"""``weft.connect("tinybase+ws://…")``: a Store at one of TinyBase's servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import weft
from support.live import until
from support.serverdouble import SocketServing
from support.serving import WeftServe
from support.tinybase_server import TinyBaseServer
from weft.errors import LocalProtocolError, ProviderError
from weft.mergeable import MergeableDocument, MergeableStore
from weft.providers import TinyBaseProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from weft.facade import SharedStore


@pytest.fixture
async def serving() -> AsyncIterator[SocketServing[TinyBaseServer]]:
    async with SocketServing(TinyBaseServer()) as serving:
        yield serving


async def cell(store: SharedStore, row: str, cell_id: str, wanted: object) -> None:
    def subscribe(check: object) -> object:
        listener = store.add_cell_listener(None, None, None, lambda *_: check())  # type: ignore[operator]
        return lambda: store.del_listener(listener)

    await until(
        lambda: store.get_cell("t", row, cell_id, default=None) == wanted,
        subscribe,  # type: ignore[arg-type]
        f"{row}/{cell_id} = {wanted!r}",
    )


@pytest.mark.parametrize(("path", "other"), [("room", "room"), ("base#a/b", "base/a/b")])
async def test_two_stores_and_a_mergeable_one_share_a_room(
    serving: SocketServing[TinyBaseServer], path: str, other: str
) -> None:
    address = f"tinybase+{serving.url}/{path}"
    plain = MergeableStore()
    async with weft.connect(address) as one, weft.connect(address) as two:
        one.set_cell("t", "r", "a", 1)
        await one.sync.flush()
        assert one.sync.status == "synced"
        assert one.sync.address == address
        assert isinstance(one.sync.document, MergeableDocument)
        await cell(two, "r", "a", 1)
        two.set_cell("t", "r", "b", {"x": [1]})
        await cell(one, "r", "b", {"x": [1]})
        async with TinyBaseProvider(plain, f"{serving.url}/{other}") as provider:
            await provider.wait_synced()
            assert plain.get_tables() == {"t": {"r": {"a": 1, "b": {"x": [1]}}}}
        assert one.add_row("t", {"c": 1}) != two.add_row("t", {"c": 1}), "row ids are unique"


async def test_presence_says_that_there_is_none(serving: SocketServing[TinyBaseServer]) -> None:
    async with weft.connect(f"tinybase+{serving.url}/room") as store:
        assert dict(store.presence.others) == {}
        with pytest.raises(LocalProtocolError, match="no presence"):
            store.presence.me["user"] = {"name": "Ada"}
        assert dict(store.presence.me) == {}


async def test_what_cannot_be_asked_for_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="a mergeable document has TinyBase's only"):
        weft.connect("tinybase+ws://h/room", layout="flat")


async def test_what_a_relay_has_not_confirmed_is_not_given_up_in_silence() -> None:
    async with SocketServing(TinyBaseServer(has_store=False)) as serving:
        opening = weft.connect(f"tinybase+{serving.url}/room", close_timeout=0.2)
        store = await opening.start()
        store.set_cell("t", "r", "a", 1)
        with pytest.raises(ProviderError, match="not confirmed"):
            await store.sync.close()


async def test_what_a_relay_has_not_confirmed_is_kept_in_the_file(tmp_path: Path) -> None:
    async with SocketServing(TinyBaseServer(has_store=False)) as serving:
        address, file = f"tinybase+{serving.url}/room", tmp_path / "farm.weft"
        async with weft.connect(address, offline=file, close_timeout=0.2) as store:
            store.set_cell("t", "r", "a", 1)
        async with weft.connect(address, offline=file, close_timeout=0.2) as store:
            assert store.get_tables() == {"t": {"r": {"a": 1}}}
            assert store.sync.pending.updates == 1


def test_it_works_without_an_event_loop_at_wefts_server(tmp_path: Path) -> None:
    with WeftServe(tmp_path / "rooms.sqlite3") as server:
        address = f"tinybase+{server.url}/room"
        with weft.sync.connect(address) as one:
            one.set_cell("t", "r", "a", 1)
            one.sync.flush(20)
            assert one.sync.pending.updates == 0
            hashes = one.get_mergeable_content_hashes()
        with weft.sync.connect(address) as other:
            other.sync.wait_synced(20)
            assert other.get_tables() == {"t": {"r": {"a": 1}}}
            assert other.is_mergeable()
            assert other.get_mergeable_content_hashes() == hashes
            other.set_default_content(({"t": {"r": {"a": 5, "b": 2}}}, {}))
            assert other.get_row("t", "r") == {"a": 1, "b": 2}


def test_it_starts_from_a_file_without_an_event_loop(tmp_path: Path) -> None:
    file = tmp_path / "farm.weft"
    with weft.sync.connect(
        "tinybase+ws://127.0.0.1:9/base#farm", offline=file, on_error=lambda error: None
    ) as store:
        store.set_cell("t", "r", "a", 1)
    with WeftServe(tmp_path / "rooms.sqlite3") as server:
        address = f"tinybase+{server.url}/base#farm"
        with weft.sync.connect(address, offline=file, poll=True) as store:
            heard: list[object] = []
            store.add_cell_listener("t", None, None, lambda *given: heard.append(given[3]))
            assert store.sync.pending.updates == 1
            store.set_cell("t", "r", "b", 2)
            store.sync.flush(timeout=20)
            assert store.sync.poll() == 1
            assert heard == ["b"]
            assert (store.sync.pending.updates, store.sync.status) == (0, "synced")
        with weft.sync.connect(f"tinybase+{server.url}/base/farm") as other:
            other.sync.wait_synced(timeout=20)
            assert other.get_tables() == {"t": {"r": {"a": 1, "b": 2}}}


async def test_a_machine_that_was_set_back_goes_on(tmp_path: Path) -> None:
    """Under another client id from the moment on at which the server tells of it, and with the same Store."""
    file = tmp_path / "farm.weft"
    with WeftServe(tmp_path / "rooms.sqlite3") as server:
        address = f"tinybase+{server.url}/farm"
        async with weft.connect(address, offline=file) as store:
            store.set_cell("t", "fido", "price", 1)
            await store.sync.flush(timeout=20)
        before = {path: path.read_bytes() for path in sorted(tmp_path.glob("farm.weft*"))}  # noqa: ASYNC240
        async with weft.connect(address, offline=file) as store:
            client_id = store.sync.document.clock.client_id
            store.set_cell("t", "fido", "price", 2)
            store.set_value("lost here", True)
            await store.sync.flush(timeout=20)
        for path, data in before.items():
            path.write_bytes(data)  # into the same inode, as the whole machine is
        async with weft.connect(address, offline=file) as store:
            assert store.sync.document.clock.client_id == client_id
            store.set_cell("t", "fido", "owner", "Ada")
            await store.sync.flush(timeout=20)
            assert store.sync.document.clock.client_id != client_id
            assert store.get_content() == ({"t": {"fido": {"price": 2, "owner": "Ada"}}}, {"lost here": True})
            store.set_cell("t", "fido", "price", 3)
            await store.sync.flush(timeout=20)
        async with weft.connect(address) as other:
            await other.sync.wait_synced(timeout=20)
            assert other.get_row("t", "fido") == {"price": 3, "owner": "Ada"}


async def test_what_a_server_without_a_store_does_not_confirm_is_an_error_at_the_end() -> None:
    async def write(address: str) -> None:
        async with weft.connect(address, close_timeout=0.1) as store:
            store.set_cell("t", "r", "a", 1)

    async with SocketServing(TinyBaseServer(has_store=False)) as serving:
        with pytest.raises(ProviderError, match=r"kept nowhere \(the provider is connected\)"):
            await write(f"tinybase+{serving.url}/room")
