"""Durable Objects of TinyBase's own class, in workerd, in all six forms that TinyBase has for them."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

import pytest

from support.hosted import Hosted
from weft.errors import StorageError
from weft.mergeable import MergeableStore
from weft.persisters import DurableObjectPersister
from weft.providers import TinyBaseProvider
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from support.node import JsPeer

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]
NUMBERS = itertools.count()

# The classes of interop/workers/durable_objects.mjs, and the options for their files.
CLASSES: dict[str, dict[str, Any]] = {
    "Kv": {"mode": "kv"},
    "KvPrefix": {"mode": "kv", "prefix": "tb_"},
    "Json": {"mode": "json"},
    "JsonNamed": {"mode": "json", "store_table_name": "my_store"},
    "Fragmented": {"mode": "fragmented"},
    "FragmentedPrefix": {"mode": "fragmented", "prefix": "My-é"},
}


@pytest.fixture(scope="module")
def objects(_node: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with Hosted("durable", tmp_path_factory.mktemp("objects")) as hosted:
        yield hosted


class Object:
    """One object of a class, and its file."""

    def __init__(self, hosted: Hosted, name: str) -> None:
        self.hosted, self.name = hosted, name
        self.path = f"/{name}/{next(NUMBERS)}"
        self.url = f"ws://{hosted.host}{self.path}"
        self._before = set(self._files())
        self._file: Path | None = None

    def _files(self) -> list[Path]:
        files = (self.hosted.folder / f"-{self.name}").glob("*.sqlite")
        return [file for file in files if file.name != "metadata.sqlite"]

    def persister(self, store: MergeableStore, **options: Any) -> DurableObjectPersister:
        if self._file is None:
            (self._file,) = set(self._files()) - self._before
        return DurableObjectPersister(store, self._file, **CLASSES[self.name], **options)

    def unlink(self) -> None:
        assert self._file is not None
        self._file.unlink()

    async def hashes(self) -> list[int]:
        """Ask the object itself, which wakes it."""
        content = (await asyncio.to_thread(self.hosted.json, self.path))["content"]
        return [content[0][2], content[1][2]]

    async def has(self, hashes: list[int]) -> bool:
        return await self.hashes() == hashes


class JsClient:
    """A MergeableStore of TinyBase's with its websocket client, connected to an object."""

    def __init__(self, js: JsPeer, thing: Object) -> None:
        self._js, self._thing = js, thing
        self._name = f"client {next(NUMBERS)}"

    async def join(self) -> Self:
        await self._js("hosted.sync", name=self._name, url=self._thing.url)
        return self

    async def call(self, method: str, *args: Any) -> Any:
        return await self._js("hosted.call", name=self._name, method=method, args=args)

    async def wait(self, equals: Any, method: str, *args: Any) -> None:
        await self._js("hosted.wait", name=self._name, method=method, args=args, equals=equals)


class Python:
    """A MergeableStore of ours, connected to an object."""

    def __init__(self, thing: Object, store: MergeableStore | None = None) -> None:
        self.store = MergeableStore() if store is None else store
        # workerd does not answer when a websocket is closed: nothing is to be waited for there.
        self.provider = TinyBaseProvider(self.store, thing.url, close_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self.provider.connect()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.provider.close()


async def test_rows_that_python_wrote_come_up_in_the_objects_and_reach_their_clients(
    objects: Hosted, js_peer: JsPeer
) -> None:
    found = [Object(objects, name) for name in CLASSES]
    for thing in found:
        js = await JsClient(js_peer, thing).join()
        await js.call("setRow", "pets", "fido", {"color": "brown é犬", "o": {"a": [1]}, "n": None, "x": 1})
        await js.call("delCell", "pets", "fido", "x")
        await js.call("setValue", "open", True)
        wanted = await js.call("getMergeableContentHashes")
        await until(lambda thing=thing, wanted=wanted: thing.has(wanted))  # type: ignore[misc]
        with pytest.raises(StorageError, match="its object is awake"):
            async with thing.persister(MergeableStore().set_value("open", False)) as persister:
                await persister.save()
    await js_peer("reset")
    await asyncio.to_thread(objects.stop)
    stores = [MergeableStore() for _ in found]
    for number, (thing, store) in enumerate(zip(found, stores, strict=True)):
        async with thing.persister(store) as persister:
            await persister.start_auto_persisting()
            assert store.get_row("pets", "fido") == {"color": "brown é犬", "o": {"a": [1]}, "n": None}
            store.set_row("pets", "felix", {"species": "cat", "o": ["ü", None, {}]})
            store.set_cell("pets", "fido", "color", "black")
            store.set_value("n", 1e21)
        if number % 2:  # a file that Python made, too
            thing.unlink()
            async with thing.persister(store) as persister:
                await persister.save()
    await asyncio.to_thread(objects.start)
    for thing, store in zip(found, stores, strict=True):
        js = await JsClient(js_peer, thing).join()
        await js.wait(store.get_mergeable_content_hashes(), "getMergeableContentHashes")
        assert await js.call("getTables") == store.get_tables()
        assert await thing.hashes() == store.get_mergeable_content_hashes()
        await js.call("delRow", "pets", "felix")
        wanted = await js.call("getMergeableContentHashes")
        await until(lambda thing=thing, wanted=wanted: thing.has(wanted))  # type: ignore[misc]
        later = MergeableStore()
        async with thing.persister(later) as persister:  # reads while the object is awake
            await until(persister_has(persister, later, wanted))
        assert later.get_values() == {"open": True, "n": 1e21}
        assert later.get_row_ids("pets") == ["fido"]


async def test_clients_in_both_languages_and_the_objects_agree_over_a_restart(
    objects: Hosted, js_peer: JsPeer
) -> None:
    found = [Object(objects, name) for name in CLASSES]
    async with AsyncExitStack() as stack:
        pairs = [[await stack.enter_async_context(Python(thing)) for _ in range(2)] for thing in found]

        async def edit(thing: Object, one: Python, two: Python) -> None:
            one.store.set_row("pets", "fido", {"color": "brown é犬", "o": {"a": [1]}, "n": None, "x": 1})
            two.store.set_cell("pets", "early", "by", "two")
            await one.provider.flush()
            one.store.del_cell("pets", "fido", "x")
            js = await JsClient(js_peer, thing).join()
            await js.wait("brown é犬", "getCell", "pets", "fido", "color")
            for number in range(10):
                one.store.set_cell("pets", f"py{number}", "n", number)
                two.store.set_cell("pets", "fido", "n", number)
                await js.call("setCell", "pets", f"js{number}", "n", number)
                await js.call("setValue", "open", {"number": number})
            await js.call("delRow", "pets", "js0")
            await two.provider.flush()
            await one.provider.flush()
            await until(lambda: all(python.store.get_row_count("pets") == 21 for python in (one, two)))
            await agree(thing, one, two, js)

        async def edit_after(thing: Object, one: Python, two: Python) -> None:
            await one.provider.flush()
            await until(lambda: two.store.has_row("pets", "offline"))
            js = await JsClient(js_peer, thing).join()
            await agree(thing, one, two, js)

        await asyncio.gather(*(edit(thing, *pair) for thing, pair in zip(found, pairs, strict=True)))
        await js_peer("reset")
        await asyncio.to_thread(objects.stop)
        for one, _ in pairs:
            await until(lambda one=one: one.provider.status != "connected")  # type: ignore[misc]
            one.store.set_cell("pets", "offline", "by", "python")
        await asyncio.to_thread(objects.start)
        await asyncio.gather(*(edit_after(thing, *pair) for thing, pair in zip(found, pairs, strict=True)))


async def agree(thing: Object, one: Python, two: Python, js: JsClient) -> None:
    async def are_equal() -> bool:
        hashes = one.store.get_mergeable_content_hashes()
        others = two.store.get_mergeable_content_hashes(), await js.call("getMergeableContentHashes")
        return others == (hashes, hashes) and await thing.has(hashes)

    await until(are_equal)


async def test_what_was_flushed_into_objects_that_woke_alone_is_stored(objects: Hosted) -> None:
    """Such an object asks for others for a second, and takes no changes before that."""
    found = [Object(objects, name) for name in CLASSES]
    stores = [MergeableStore() for _ in found]

    async def edit(thing: Object, store: MergeableStore) -> None:
        await thing.hashes()
        async with Python(thing, store) as python:
            store.set_cell("t", "r", "c", 1)
            await python.provider.flush()

    await asyncio.gather(*(edit(*pair) for pair in zip(found, stores, strict=True)))
    await asyncio.to_thread(objects.stop)
    for thing, store in zip(found, stores, strict=True):
        kept = MergeableStore()
        async with thing.persister(kept) as persister:
            await persister.load()
        assert kept.get_mergeable_content_hashes() == store.get_mergeable_content_hashes()
    await asyncio.to_thread(objects.start)


def persister_has(
    persister: DurableObjectPersister, store: MergeableStore, hashes: list[int]
) -> Callable[[], Awaitable[bool]]:
    async def has() -> bool:
        await persister.load()
        return store.get_mergeable_content_hashes() == hashes

    return has
