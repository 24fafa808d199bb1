"""Against PartyKit's own worker with TinyBase's own server class, in miniflare."""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from support.hosted import Hosted
from support.proxy import Proxy
from support.vectors import vectors
from weft.errors import StorageError
from weft.persisters import PartyKitPersister
from weft.store import Store
from weft.testing.persisters import MORE, PETS, PersisterSuite, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.node import JsPeer
    from weft.changes import Content
    from weft.persisters import Persister

pytestmark = pytest.mark.interop
NUMBERS = itertools.count()
HASTE: Any = {"confirm_seconds": 0.1}


@pytest.fixture
def hosted(partykit_rooms: Hosted) -> Hosted:
    return partykit_rooms


@pytest.fixture
def room() -> str:
    return f"room {next(NUMBERS)}é"


@pytest.fixture
def make(hosted: Hosted, room: str) -> Callable[..., PartyKitPersister]:
    return lambda store, **options: PartyKitPersister(store, hosted.host, room, **options)


class Raw:
    """A client of a room that is neither weft nor TinyBase."""

    def __init__(self, hosted: Hosted, room: str) -> None:
        self.hosted = hosted
        self.path = f"/parties/main/{room.replace(' ', '%20').replace('é', '%C3%A9')}"

    def read(self) -> Any:
        return self.hosted.json(f"{self.path}/store")

    def stored(self) -> dict[str, Any]:
        return dict(self.hosted.json(f"{self.path}/storage"))

    def clear(self) -> None:
        self.hosted.request("DELETE", f"{self.path}/storage")

    def put(self, text: str) -> int:
        return self.hosted.request("PUT", f"{self.path}/store", text)[0]

    async def send(self, *texts: str) -> None:
        url = f"http://{self.hosted.host}{self.path}"
        patience = aiohttp.ClientWSTimeout(ws_close=0.01)  # nobody answers a close
        async with aiohttp.ClientSession() as session, session.ws_connect(url, timeout=patience) as socket:
            for text in texts:
                await socket.send_str(text)


class TestSuite(PersisterSuite):
    # The server refuses what is no content.
    test_bad_stored_data_is_an_error_and_a_save_repairs_it = None  # type: ignore[assignment]
    test_bad_stored_data_stops_no_auto_load = None  # type: ignore[assignment]

    @pytest.fixture(autouse=True)
    def place(self, hosted: Hosted, room: str) -> None:
        self.room, self.raw = room, Raw(hosted, room)

    def make(self, store: Store, **options: Any) -> Persister:
        return PartyKitPersister(store, self.raw.hosted.host, self.room, **HASTE, **options)

    async def read_raw(self) -> Content | None:
        content = await asyncio.to_thread(self.raw.read)
        return None if content is None else Store().set_json(json.dumps(content)).get_content()

    async def write_raw(self, content: Content) -> None:
        wanted = json.loads(Store().set_content(content).get_json())
        if await asyncio.to_thread(self.raw.put, json.dumps(wanted)) == 201:
            return
        there = await asyncio.to_thread(self.raw.read)
        gone = [dict.fromkeys(there[part], "\ufffc") for part in (0, 1)]
        await self.raw.send(f"s{json.dumps([*gone, 1])}", f"s{json.dumps([*wanted, 1])}")
        await until(lambda: self.raw.read() == wanted)


def test_its_http_is_as_it_was_seen(hosted: Hosted) -> None:
    for method, path, body, status, text, _ in vectors("partykit")["http"]:
        given = None if body == "<<undefined>>" else body
        got = hosted.request(method, path, given)
        if "forbidden" not in str(body):  # what is refused differs
            assert got == (status, text) or got[0] == status == 200


async def test_python_and_tinybase_edit_one_room(
    hosted: Hosted, room: str, make: Callable[..., PartyKitPersister], js_peer: JsPeer
) -> None:
    store, other = Store(), Store()
    async with make(store) as persister, make(other) as second:
        await persister.start_auto_persisting(PETS)
        await js_peer("hosted.join", name="js", port=hosted.port, room=room)
        await second.start_auto_persisting()
        assert await js_peer("hosted.call", name="js", method="getContent") == list(PETS)
        await js_peer("hosted.call", name="js", method="setRow", args=["pets", "felix", {"a": {"b": [1]}}])
        await js_peer("hosted.call", name="js", method="delValue", args=["open"])
        await until(lambda: store.get_cell("pets", "felix", "a") == {"b": [1]} and not store.get_values())
        store.set_cell("pets", "rex", "tags", ["big", None])
        store.del_row("pets", "fido")
        other.set_value("n", 1.5)
        await until(lambda: persister.is_at_rest() and second.is_at_rest() and store.has_value("n"))
        await js_peer("hosted.wait", name="js", method="getValues", equals={"n": 1.5})
        await js_peer(
            "hosted.wait", name="js", method="getCell", args=["pets", "rex", "tags"], equals=["big", None]
        )
        await js_peer("hosted.call", name="js", method="delTable", args=["pets"])
        await until(lambda: store.get_content() == other.get_content() == ({}, {"n": 1.5}))
        assert Raw(hosted, room).stored() == {"hasStore": 1, "vn": 1.5}
        assert await js_peer("hosted.ignored", name="js") == []


async def test_a_room_with_a_path_and_prefixes_of_its_own(hosted: Hosted, room: str, js_peer: JsPeer) -> None:
    room = f"configured {room}"
    store = Store()
    options: Any = {"store_path": "/content", "message_prefix": "m/"}
    async with PartyKitPersister(store, hosted.host, room, **options) as persister:
        await persister.start_auto_persisting(PETS)
        config = {"storeProtocol": "http", "storePath": "/content", "messagePrefix": "m/"}
        await js_peer("hosted.join", name="js", port=hosted.port, room=room, config=config)
        await js_peer("hosted.call", name="js", method="setValue", args=["open", "js"])
        await until(lambda: store.get_value("open") == "js")
        store.set_value("open", "python")
        await persister.save()
        await js_peer("hosted.wait", name="js", method="getValues", equals={"open": "python"})
    assert Raw(hosted, room).stored()["p_vopen"] == "python"


async def test_who_comes_second_adds_to_the_room_what_it_had(
    hosted: Hosted, room: str, make: Callable[..., PartyKitPersister]
) -> None:
    raw = Raw(hosted, room)
    assert raw.put('[{"pets":{"felix":{"species":"cat"}}},{"open":"no"}]') == 201
    store = Store().set_content(PETS)
    async with make(store) as persister:
        await persister.start_auto_save()
        assert raw.read()[0]["pets"].keys() == {"fido", "felix"}
        assert raw.read()[1] == {"open": "yes"}
        await persister.start_auto_load()
        assert store.get_row_ids("pets") == ["fido", "felix"]


async def test_two_that_are_first_at_once_lose_nothing(make: Callable[..., PartyKitPersister]) -> None:
    stores = [Store().set_table("t", {f"{name}{i}": {"c": i} for i in range(200)}) for name in "abc"]
    async with make(stores[0]) as one, make(stores[1]) as two, make(stores[2]) as three:
        await asyncio.gather(*(persister.start_auto_save() for persister in (one, two, three)))
        loaded = Store()
        async with make(loaded) as persister:
            await persister.load()
    assert loaded.get_row_count("t") == 600


async def test_two_that_write_one_cell_at_once_agree(
    hosted: Hosted, room: str, make: Callable[..., PartyKitPersister]
) -> None:
    stores = [Store(), Store(), Store()]
    async with make(stores[0]) as one, make(stores[1]) as two, make(stores[2]) as three:
        persisters = (one, two, three)
        for persister in persisters:
            await persister.start_auto_persisting(PETS)
        for number in range(60):
            for at, store in enumerate(stores):
                store.set_cell("t", "r", "c", number * 3 + at)
                if number % 7 == at:
                    store.del_table("t")
            await asyncio.sleep(0)
        await until(
            lambda: (
                all(persister.is_at_rest() for persister in persisters)
                and all(store.get_content() == stores[0].get_content() for store in stores)
            )
        )
        assert Raw(hosted, room).read() == json.loads(stores[0].get_json())


@pytest.mark.parametrize("loads", [True, False])
async def test_what_the_room_refuses_is_reported_and_what_it_has_comes_back(
    hosted: Hosted, room: str, make: Callable[..., PartyKitPersister], loads: bool
) -> None:
    errors: list[Exception] = []
    store = Store()
    async with make(store, on_error=errors.append, **HASTE) as persister:
        await persister.load(({"t": {"r": {"a": 1, "locked": 1}}}, {}))
        await persister.start_auto_save()
        if loads:
            await persister.start_auto_load()
        store.set_row("t", "r", {"a": 2, "forbidden": 3})
        await until(lambda: len(errors) == 1 and persister.is_at_rest())
        await until(lambda: store.has_cell("t", "r", "locked") == loads)
        store.set_cell("strict", "r", "a", 1)
        await until(lambda: store.has_table("strict") != loads and len(errors) == 2)
        assert "1 changes were refused, the first: 'strict', 'r', 'a'" in str(errors[1])
        assert Raw(hosted, room).read() == [{"t": {"r": {"a": 2, "locked": 1}}}, {}]
        store.set_cell("strict", "s", "a", 1)
        with pytest.raises(StorageError, match="refused"):
            await persister.save()
        if loads:
            await persister.stop_auto_load()
        store.del_table("strict")
        store.del_cell("t", "r", "forbidden")
        store.set_cell("t", "r", "locked", 1)


async def test_a_room_that_refuses_the_first_content_gets_what_follows(
    hosted: Hosted, room: str, make: Callable[..., PartyKitPersister]
) -> None:
    errors: list[Exception] = []
    store = Store().set_cell("strict", "r", "c", 1)
    async with make(store, on_error=errors.append, **HASTE) as persister:
        await persister.start_auto_save()
        store.set_cell("t", "r", "c", 1)
        await until(persister.is_at_rest)
    assert Raw(hosted, room).read() == [{"t": {"r": {"c": 1}}}, {}]
    assert len(errors) == 1


async def test_a_room_that_lost_its_content_gets_all_of_it_again(
    hosted: Hosted, room: str, make: Callable[..., PartyKitPersister]
) -> None:
    errors: list[Exception] = []
    store, raw = Store(), Raw(hosted, room)
    async with make(store, on_error=errors.append, **HASTE) as persister:
        await persister.start_auto_persisting(PETS)
        await asyncio.to_thread(raw.clear)
        store.set_cell("pets", "rex", "species", "dog")
        await until(persister.is_at_rest)
        assert raw.read() == json.loads(store.get_json())
    assert any("lost its content" in str(error) for error in errors)


async def test_large_content_goes_in_and_out_in_pieces(
    hosted: Hosted, room: str, make: Callable[..., PartyKitPersister]
) -> None:
    store, other = Store(), Store()
    async with make(store) as persister, make(other) as second:
        await persister.start_auto_persisting()
        store.set_table("t", {str(row): {"a": row, "b": "x" * 100} for row in range(1000)})
        await persister.save()
        await second.start_auto_persisting()
        assert other.get_row_count("t") == 1000
        store.set_content(MORE)
        await until(lambda: persister.is_at_rest() and other.get_content() == MORE)
        assert Store().set_json(json.dumps(Raw(hosted, room).read())).get_content() == MORE


async def test_what_is_edited_while_there_is_no_connection_arrives(tmp_path: Path, js_peer: JsPeer) -> None:
    errors: list[Exception] = []
    stores = [Store(), Store()]
    with Hosted("partykit", tmp_path) as hosted:

        def make(store: Store) -> PartyKitPersister:
            return PartyKitPersister(store, hosted.host, "r", on_error=errors.append)

        async with make(stores[0]) as one, make(stores[1]) as two:
            await one.start_auto_persisting(PETS)
            await two.start_auto_persisting()
            await asyncio.to_thread(hosted.stop)
            await until(lambda: len(errors) >= 2)
            stores[0].set_cell("pets", "fido", "price", 6)
            stores[0].del_value("open")
            stores[1].set_cell("pets", "rex", "species", "dog")
            await until(lambda: len(errors) >= 6)
            with pytest.raises(StorageError):
                await one.save()
            await asyncio.to_thread(hosted.start)
            await until(lambda: one.is_at_rest() and two.is_at_rest())
            await until(lambda: stores[0].get_content() == stores[1].get_content())
            await js_peer("hosted.join", name="js", port=hosted.port, room="r")
            wanted = {"pets": {"fido": {"price": 6, "species": "dog"}, "rex": {"species": "dog"}}}
            assert await js_peer("hosted.call", name="js", method="getContent") == [wanted, {}]
            assert stores[0].get_content() == (wanted, {})


async def test_nothing_is_lost_where_connections_break_in_the_middle_of_saves(
    hosted: Hosted, room: str, js_peer: JsPeer
) -> None:
    stores = [Store(), Store(), Store()]
    async with AsyncExitStack() as stack:
        proxies = [stack.enter_context(Proxy(hosted.port)) for _ in stores]
        persisters = [
            await stack.enter_async_context(
                PartyKitPersister(store, f"127.0.0.1:{proxy.port}", room, on_error=lambda _: None, **HASTE)
            )
            for store, proxy in zip(stores, proxies, strict=True)
        ]
        for persister in persisters:
            await persister.start_auto_persisting(({"t": {"r": {"c": 0}}}, {}))
        await js_peer("hosted.join", name="js", port=hosted.port, room=room)
        for number in range(32):
            for at, store in enumerate(stores):
                store.set_cell("t", f"{at}.{number}", "c", number)
                store.set_cell("t", "r", "c", number)
                if number % 4 == 3:
                    store.del_row("t", f"{at}.{number - 3}")
            await js_peer("hosted.call", name="js", method="setCell", args=["t", f"js{number}", "c", number])
            change = proxies[number % 3].cut if number % 2 else proxies[number % 3].heal
            await asyncio.to_thread(change)
        for proxy in proxies:
            await asyncio.to_thread(proxy.heal)
        await until(lambda: all(persister.is_at_rest() for persister in persisters))
        await until(lambda: all(store.get_content() == stores[0].get_content() for store in stores))
        assert stores[0].get_row_count("t") == 1 + 32 + 3 * 24
        assert Raw(hosted, room).read() == json.loads(stores[0].get_json())


async def test_parameters_and_headers_are_asked_for_each_time(
    make: Callable[..., PartyKitPersister],
) -> None:
    asked: list[str] = []

    def token(kind: str) -> dict[str, str]:
        asked.append(kind)
        return {"token": f"{kind}{len(asked)}"}

    store = Store().set_content(PETS)
    async with make(store, params=lambda: token("p"), headers=lambda: token("h")) as persister:
        await persister.save()
    async with make(store, params=lambda: 1 / 0) as persister:
        with pytest.raises(StorageError, match="division by zero"):
            await persister.save()
    assert asked.count("p") == asked.count("h") >= 4  # a GET, a PUT, two sockets


async def test_nobody_there_is_an_error_of_explicit_calls(make: Callable[..., PartyKitPersister]) -> None:
    async with PartyKitPersister(Store().set_content(PETS), "127.0.0.1:9", "r") as persister:
        for call in (persister.load, persister.save, persister.start_auto_load, persister.start_auto_save):
            with pytest.raises(StorageError, match=r"http://127\.0\.0\.1:9/parties/main/r"):
                await call()
        assert not persister.is_auto_loading()
    async with make(Store(), store_path="/elsewhere") as persister:
        with pytest.raises(StorageError, match="GET was answered with status 404"):
            await persister.load()
    async with make(Store(), party="other") as persister:
        with pytest.raises(StorageError, match="404"):
            await persister.start_auto_load()


async def test_an_answer_that_is_too_long_is_not_read(
    hosted: Hosted, room: str, make: Callable[..., PartyKitPersister]
) -> None:
    Raw(hosted, room).put(Store().set_value("v", "x" * 10_000).get_json())
    async with make(Store(), max_bytes=1000) as persister:
        with pytest.raises(StorageError, match="longer than 1000 bytes"):
            await persister.load()


@pytest.mark.parametrize(
    ("host", "options", "url"),
    [
        ("127.0.0.1:1999", {}, "http://127.0.0.1:1999/parties/main/a%20b"),
        ("localhost", {"party": "shop"}, "http://localhost/parties/shop/a%20b"),
        ("[::1]:80", {}, "http://[::1]:80/parties/main/a%20b"),
        ("party.example", {"store_path": "/s"}, "https://party.example/parties/main/a%20b"),
        ("party.example", {"protocol": "http"}, "http://party.example/parties/main/a%20b"),
    ],
)
async def test_addresses(host: str, options: dict[str, Any], url: str) -> None:
    persister = PartyKitPersister(Store(), host, "a b", **options)
    persister.expects_use = False
    assert persister.get_urls() == (url, url + options.get("store_path", "/store"))
    assert url in repr(persister)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("a/b", "r"), ValueError),
        (("", "r"), ValueError),
        (("user@host", "r"), ValueError),
        (("h", ""), ValueError),
        (("h", "a/.."), ValueError),
        ((1, "r"), TypeError),
        (("h", None), TypeError),
    ],
)
def test_what_is_no_room_is_refused(arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        PartyKitPersister(Store(), *arguments)
    with pytest.raises(ValueError, match="protocol"):
        PartyKitPersister(Store(), "h", "r", protocol="ws")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="confirm_seconds"):
        PartyKitPersister(Store(), "h", "r", confirm_seconds=0)
