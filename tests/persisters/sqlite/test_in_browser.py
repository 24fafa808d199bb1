"""A database of sqlite-wasm, written by TinyBase, edited by weft under Pyodide and read by TinyBase again."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from support.browser import bundle
from support.node import INTEROP

if TYPE_CHECKING:
    from support.browser import PythonPage

TABULAR = {
    "mode": "tabular",
    "tables": {"load": {"pets": "pets"}, "save": {"pets": "pets"}},
    "values": {"load": True, "save": True},
}


@pytest.fixture(scope="module")
def page(python_page: PythonPage) -> PythonPage:
    bundle(INTEROP / "page_sqlite.mjs", python_page.folder / "sqlite.js", "--format=esm")
    shutil.copy(INTEROP / "node_modules/@sqlite.org/sqlite-wasm/dist/sqlite3.wasm", python_page.folder)
    return python_page


@pytest.mark.interop
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("store", "config", "persister"),
    [
        ("createStore", {"mode": "json"}, "SqliteJsonPersister(Store(), path)"),
        ("createMergeableStore", {"mode": "json"}, "SqliteJsonPersister(MergeableStore(), path)"),
        ("createStore", TABULAR, "SqliteTablesPersister(Store(), path, TABLES)"),
    ],
    ids=["json", "mergeable", "tables"],
)
def test_a_database_goes_from_sqlite_wasm_to_python_and_back(
    page: PythonPage, store: str, config: dict[str, Any], persister: str
) -> None:
    path = f"/{store}{config['mode']}.db"
    source = """
const {save} = await import('./sqlite.js');
const store = globalThis[create]();
store.setContent([{pets: {fido: {species: 'dog', price: 5.5}, felix: {species: 'cat'}}}, {open: 'yes'}]);
pyodide.FS.writeFile(path, await save(store, config));
"""
    page.js(source, create=store, config=config, path=path)
    source = f"""
from weft import Store
from weft.mergeable import MergeableStore
from weft.persisters import SqliteJsonPersister, SqliteTablesPersister, TablesConfig, ValuesTable
pets, values = {{"pets": "pets"}}, ValuesTable(load=True, save=True)
TABLES = TablesConfig(load=pets, save=pets, values=values)
async with {persister} as persister:
    await persister.start_auto_persisting()
    store = persister.get_store()
    before = store.get_json()
    store.set_row("pets", "rex", {{"species": "d\u00f6g", "price": 7}})
    store.del_row("pets", "felix")
    store.set_value("open", "no")
before
"""
    before = [
        {"pets": {"fido": {"species": "dog", "price": 5.5}, "felix": {"species": "cat"}}},
        {"open": "yes"},
    ]
    assert _without_nulls(json.loads(page.python(source, path=path))) == before
    source = """
const {load} = await import('./sqlite.js');
const store = globalThis[create]();
await load(store, config, pyodide.FS.readFile(path));
return store.getContent();
"""
    assert _without_nulls(page.js(source, create=store, config=config, path=path)) == [
        {"pets": {"fido": {"species": "dog", "price": 5.5}, "rex": {"species": "d\u00f6g", "price": 7}}},
        {"open": "no"},
    ]


@pytest.mark.interop
@pytest.mark.timeout(240)
def test_databases_and_files_are_kept_in_a_directory_of_the_browser(python_page: PythonPage) -> None:
    mount = """
const root = await navigator.storage.getDirectory();
const mounted = await pyodide.mountNativeFS(path, await root.getDirectoryHandle('weft', {create: true}));
globalThis.sync = () => mounted.syncfs();
"""
    source = """
from weft import Store
from weft.persisters import FilePersister, SqliteJsonPersister
async def both(folder, verb, store):
    said = []
    for kind, name in ((SqliteJsonPersister, "a.db"), (FilePersister, "a.json")):
        async with kind(store, f"{folder}/{name}") as persister:
            await getattr(persister, verb)()
        said.append(store.get_json())
    return said
await both("/one", "save", Store().set_value("v", 1))
"""
    python_page.js(mount, path="/one")
    python_page.python(source)
    python_page.js("await sync()")
    python_page.js(mount, path="/two")
    assert python_page.python('await both("/two", "load", Store())') == ['[{},{"v":1}]'] * 2


def _without_nulls(content: Any) -> Any:
    """A table of SQL has NULL, which is a cell, where a row has no such cell."""
    tables = {
        table_id: {
            row_id: {cell_id: cell for cell_id, cell in row.items() if cell is not None}
            for row_id, row in table.items()
        }
        for table_id, table in content[0].items()
    }
    return [tables, content[1]]
