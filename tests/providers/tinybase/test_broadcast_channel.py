from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from weft.mergeable import MergeableStore
from weft.providers import BroadcastChannelSynchronizer

if TYPE_CHECKING:
    from support.browser import PythonPage


def test_it_needs_a_browser_and_a_name() -> None:
    with pytest.raises(RuntimeError, match="runs in a browser"):
        BroadcastChannelSynchronizer(MergeableStore(), "pets")
    with pytest.raises(TypeError, match="channel_name"):
        BroadcastChannelSynchronizer(MergeableStore(), 5)  # type: ignore[arg-type]


@pytest.mark.interop
@pytest.mark.timeout(240)
def test_pages_of_python_and_javascript_are_in_sync_without_a_server(python_page: PythonPage) -> None:
    python_page.open("beside", beside="main", python=False)
    try:
        source = """
globalThis.store = createMergeableStore();
store.setTables({pets: {fido: {price: 5, tags: ['a']}, felix: {price: 4}}});
store.delRow('pets', 'felix');
globalThis.synchronizer = createBroadcastChannelSynchronizer(store, 'pets');
await synchronizer.startSync();
globalThis.until = (condition) => new Promise((resolve) => {
  const look = () => condition() && resolve(JSON.stringify(store.getMergeableContentHashes()));
  store.addDidFinishTransactionListener(look);
  look();
});
"""
        python_page.js(source, on="beside")
        source = """
import asyncio
from weft.mergeable import MergeableStore
from weft.providers import BroadcastChannelSynchronizer
errors, heard = [], asyncio.Event()
store, second = MergeableStore(), MergeableStore()
store.add_did_finish_transaction_listener(lambda *_: heard.set())
async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            heard.clear()
            await heard.wait()
reported = asyncio.Event()
def report(error):
    errors.append(type(error).__name__)
    reported.set()
async def until_errors(count):
    async with asyncio.timeout(30):
        while len(errors) < count:
            reported.clear()
            await reported.wait()
synchronizer = BroadcastChannelSynchronizer(store, "pets", on_error=report)
await synchronizer.start()
await synchronizer.wait_synced(20)
await until(lambda: store.has_row("pets", "fido"))
async with BroadcastChannelSynchronizer(second, "pets") as other:
    await other.wait_synced(20)
    second.del_cell("pets", "fido", "tags")
    second.set_value("open", None)
    await until(lambda: store.has_value("open"))
store.get_json()
"""
        ours = python_page.python(source)
        assert json.loads(ours) == [{"pets": {"fido": {"price": 5}}}, {"open": None}]
        python_page.js("await until(() => store.hasValue('open'))", on="beside")
        python_page.js("new BroadcastChannel('pets').postMessage({no: 'message'})", on="beside")
        python_page.js("new BroadcastChannel('pets').postMessage(['a', null, 'b', 99, ''])", on="beside")
        python_page.python("await until_errors(2)")
        python_page.js("store.setCell('pets', 'fido', 'price', 6)", on="beside")
        source = """
await until(lambda: store.get_cell("pets", "fido", "price") == 6)
await synchronizer.stop()
[store.document.get_content_hashes(), errors]
"""
        hashes, errors = python_page.python(source)
        theirs = python_page.js("return await until(() => true)", on="beside")
        assert hashes == json.loads(theirs)
        assert errors == ["RemoteProtocolError"] * 2
    finally:
        python_page.driver("page.close", name="beside")
