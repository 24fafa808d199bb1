"""Each place of a browser, written by one of Python and JavaScript and read by the other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from support.vectors import vectors
from weft.mergeable import MergeableStore, from_json
from weft.store import Store

if TYPE_CHECKING:
    from support.browser import PythonPage

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

KINDS = {"local": "LocalPersister", "session": "SessionPersister", "opfs": "OpfsPersister"}
KINDS["indexedDb"] = "IndexedDbPersister"
VECTORS = vectors("tinybase_browser")


def raw_of(kind: str, form: str) -> Any:
    """What TinyBase wrote, as it stands in the place."""
    if kind == "indexedDb":
        return {store: entries["all"] for store, entries in VECTORS["indexedDb"][form]["stores"].items()}
    return (
        VECTORS["opfs"][form]["text"]
        if kind == "opfs"
        else VECTORS["storage"][f"{kind}{form.capitalize()}"]["text"]
    )


def content_of(form: str) -> Any:
    return json.loads(VECTORS["opfs"][form]["text"])


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, python_page: PythonPage) -> str:
    kind: str = request.param
    source = "import json, weft.mergeable\nfrom weft import Store\nfrom weft.mergeable import MergeableStore"
    python_page.python(f"{source}\nfrom weft.persisters import {KINDS[kind]} as P")
    return kind


@pytest.mark.parametrize("form", ["plain", "mergeable"])
def test_python_reads_what_tinybase_wrote(python_page: PythonPage, kind: str, form: str) -> None:
    python_page.js(
        "await writePlace(kind, name, raw)", kind=kind, name=f"read {form}", raw=raw_of(kind, form)
    )
    source = """
store = {"plain": Store, "mergeable": MergeableStore}[form]()
async with P(store, f"read {form}") as persister:
    await persister.load()
[store.get_json(), store.document.content_text() if form == "mergeable" else None]
"""
    plain, mergeable = python_page.python(source, form=form)
    assert json.loads(plain) == content_of("plain")
    if mergeable is not None:
        assert json.loads(mergeable) == content_of("mergeable")


@pytest.mark.parametrize("form", ["plain", "mergeable"])
def test_python_writes_what_tinybase_would(python_page: PythonPage, kind: str, form: str) -> None:
    source = """
store = {"plain": Store, "mergeable": MergeableStore}[form]()
if form == "plain":
    store.set_json(text)
else:
    store.set_mergeable_content(weft.mergeable.from_json(text))
async with P(store, f"write {form}") as persister:
    await persister.save()
"""
    python_page.python(source, form=form, text=VECTORS["opfs"][form]["text"])
    raw = python_page.js("return await readPlace(kind, name)", kind=kind, name=f"write {form}")
    assert raw == raw_of(kind, form)
    source = """
const store = form === 'plain' ? createStore() : createMergeableStore();
const persister = await createPersister(kind, store, `write ${form}`);
await persister.load();
await persister.destroy();
return store.getJson();
"""
    assert json.loads(python_page.js(source, kind=kind, form=form)) == content_of("plain")


# A tab has a session storage of its own, and TinyBase does not look what others in the tab write.
@pytest.mark.parametrize("kind", ["local", "opfs", "indexedDb"], indirect=True)
@pytest.mark.parametrize("form", ["plain", "mergeable"])
def test_both_follow_each_other(python_page: PythonPage, kind: str, form: str) -> None:
    # TinyBase hears of local storage what other pages write.
    python_page.open("beside", beside="main", python=False)
    try:
        source = """
globalThis.store = form === 'plain' ? createStore() : createMergeableStore();
globalThis.persister = await createPersister(kind, store, `both ${form}`);
store.setRow('pets', 'fido', {price: 5});
await persister.save(); // TinyBase never looks again at an IndexedDB that was not there when it began
await persister.startAutoPersisting();
globalThis.until = (condition) => new Promise((resolve) => {
  const look = () => condition() && resolve(store.getJson());
  store.addDidFinishTransactionListener(look);
  look();
});
"""
        python_page.js(source, on="beside", kind=kind, form=form)
        source = """
import asyncio
store = {"plain": Store, "mergeable": MergeableStore}[form]()
events_alone = {"poll_seconds": None}
options = {"IndexedDbPersister": {"poll_seconds": 0.02}, "LocalPersister": events_alone}
persister = P(store, f"both {form}", **options.get(P.__name__, {}))
await persister.start_auto_persisting()
store.set_cell("pets", "felix", "price", [4])
async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            heard = asyncio.Event()
            listening = store.add_did_finish_transaction_listener(lambda *_: heard.set())
            await heard.wait()
            store.del_listener(listening)
"""
        python_page.python(source, form=form)
        source = """
await until(() => store.hasRow('pets', 'felix'));
// TinyBase does not save what is written while it loads.
await new Promise((resolve) => {
  const look = () => persister.getStatus() === 0 && resolve();
  persister.addStatusListener(look);
  look();
});
store.transaction(() => store.setCell('pets', 'fido', 'price', 6).setValue('open', null));
"""
        python_page.js(source, on="beside")
        python_page.python("await until(lambda: store.has_value('open'))")
        python_page.python("store.del_row('pets', 'felix')\nNone")
        theirs = python_page.js("return await until(() => !store.hasRow('pets', 'felix'))", on="beside")
        ours = python_page.python("await persister.close()\nstore.get_json()")
        assert json.loads(ours) == json.loads(theirs) == [{"pets": {"fido": {"price": 6}}}, {"open": None}]
    finally:
        python_page.driver("page.close", name="beside")


@pytest.mark.parametrize("observes", [True, False], ids=["observer", "looking"])
def test_a_file_is_a_path_with_folders_or_a_handle(python_page: PythonPage, observes: bool) -> None:
    source = """
import asyncio
from weft import Store
from weft.persisters import OpfsPersister
one, two = Store(), Store()
first = OpfsPersister(one, f"folder/{observes}/notes.json", poll_seconds=0.02)
handle = await first.get_handle()
second = OpfsPersister(two, handle, poll_seconds=0.02)
await first.start_auto_persisting()
await second.start_auto_persisting()
heard = asyncio.Event()
two.on_values()(lambda *_: heard.set())
one.set_value("v", "heard of")
async with asyncio.timeout(30):
    await heard.wait()
await first.close()
await second.close()
[handle.name, two.get_values(), first.place, second.place]
"""
    hidden = "globalThis.hidden = globalThis.FileSystemObserver; delete globalThis.FileSystemObserver"
    if not observes:
        python_page.js(hidden)
    try:
        said = python_page.python(source, observes=observes)
    finally:
        if not observes:
            python_page.js("globalThis.FileSystemObserver = hidden")
    assert said[:2] == ["notes.json", {"v": "heard of"}]
    assert said[2:] == [f"OPFS, folder/{observes}/notes.json", "OPFS, notes.json"]


def test_a_full_storage_keeps_what_it_had(python_page: PythonPage) -> None:
    source = """
from weft import Store
from weft.errors import StorageError
from weft.persisters import LocalPersister
store = Store().set_value("v", "kept")
async with LocalPersister(store, "full") as persister:
    await persister.save()
    store.set_value("v", "x" * 6_000_000)
    try:
        await persister.save()
    except StorageError as error:
        said = str(error)
said
"""
    said = python_page.python(source)
    assert said.startswith("localStorage, key 'full': QuotaExceededError")
    assert python_page.js("return localStorage.getItem('full')") == '[{},{"v":"kept"}]'


def test_deep_text_is_refused_and_the_page_lives(python_page: PythonPage) -> None:
    for at, text in enumerate(("[" * 20_000 + "]" * 20_000, '[[{"a":' + "[" * 20_000)):
        python_page.js("await writePlace('local', name, text)", name=f"deep{at}", text=text)
    source = """
from weft.persisters import LocalPersister
from weft.errors import InvalidJsonError, StorageError
said = []
for name, kind in (("deep0", Store), ("deep0", MergeableStore), ("deep1", MergeableStore)):
    async with LocalPersister(kind(), name) as persister:
        try:
            await persister.load()
        except StorageError as error:
            said.append(str(error))
try:
    Store().set_json("[" * 20_000)
except InvalidJsonError as error:
    said.append(str(error))
said
"""
    said = python_page.python(f"from weft import Store\nfrom weft.mergeable import MergeableStore\n{source}")
    assert len(said) == 4
    assert all("nested too deeply" in sentence for sentence in said)


def test_the_vectors_are_of_one_content() -> None:
    store = MergeableStore()
    store.set_mergeable_content(from_json(VECTORS["opfs"]["mergeable"]["text"]))
    assert store.get_content() == Store().set_json(VECTORS["opfs"]["plain"]["text"]).get_content()
