"""IndexedDB below the persister: what stands there before, beside and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.browser import PythonPage

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

_START = """
from weft import Store
from weft.errors import StorageError
from weft.persisters import IndexedDbPersister
def tried(name, store, verb):
    async def run():
        async with IndexedDbPersister(store, name) as persister:
            try:
                await getattr(persister, verb)()
            except StorageError as error:
                return str(error)
            return store.get_json()
    return run()
pets = Store().set_tables({"pets": {"fido": {"price": 5}}})
"""
_DATABASES = "return (await indexedDB.databases()).filter(({name: found}) => found === name)"


def test_looking_makes_no_database(python_page: PythonPage) -> None:
    assert python_page.python(f"{_START}await tried('new', Store(), 'load')") == "[{},{}]"
    assert python_page.js(_DATABASES, name="new") == []


def test_the_empty_database_that_tinybase_leaves_is_filled(python_page: PythonPage) -> None:
    source = "await createIndexedDbPersister(createStore(), name).load()"
    python_page.js(source, name="looked at")
    assert python_page.js(_DATABASES, name="looked at") == [{"name": "looked at", "version": 1}]
    assert python_page.python(f"{_START}await tried('looked at', Store(), 'load')") == "[{},{}]"
    saved = python_page.python(
        "await tried('looked at', pets, 'save')\nawait tried('looked at', Store(), 'load')"
    )
    assert saved == '[{"pets":{"fido":{"price":5}}},{}]'
    assert python_page.js(_DATABASES, name="looked at") == [{"name": "looked at", "version": 3}]


def test_the_database_of_another_program_is_left_alone(python_page: PythonPage) -> None:
    source = """
await new Promise((resolve) => {
  const opening = indexedDB.open('theirs', 7);
  opening.onupgradeneeded = () => opening.result.createObjectStore('notes');
  opening.onsuccess = () => resolve(opening.result.close());
});
"""
    python_page.js(source)
    said = python_page.python(f"{_START}await tried('theirs', pets, 'save')")
    assert said.startswith("IndexedDB 'theirs': VersionError")


def test_a_save_that_fails_half_way_writes_nothing(python_page: PythonPage) -> None:
    source = f"""{_START}
from weft._aio.javascript import javascript
from weft.persisters.browser.database import BrowserDatabase, edit_text
await tried('half', pets, 'save')
database, said = BrowserDatabase(javascript('the test'), 'half'), []
def fails(found):
    said.append(found)
    raise ZeroDivisionError
for decide in (fails, lambda found: ['{{"clear":true,"remove":[],"keys":["a"],"values":[1]}}', 'no JSON']):
    try:
        await database.edit({{'t': ['pets', 'none'], 'v': None}}, decide)
    except (ZeroDivisionError, StorageError) as error:
        said.append(type(error).__name__)
[*said, await database.get_all('tv')]
"""
    entry = '["pets",{"fido":{"price":5}}]'
    assert python_page.python(source) == [
        f"[[{entry}],[]]",
        "ZeroDivisionError",
        "StorageError",
        f"[[{entry}],[]]",
    ]


def test_a_save_merges_what_others_saved_of_the_same_table(python_page: PythonPage) -> None:
    source = f"""{_START}
async with IndexedDbPersister(pets, 'shared', poll_seconds=None) as persister:
    await persister.start_auto_persisting()
    other = Store().set_tables({{"a": {{"b": {{"c": 1}}}}, "pets": {{"rex": {{"price": 1}}}}}})
    await tried('shared', other.set_row("pets", "fido", {{"price": 5}}).set_value("v", 1), 'save')
    pets.set_cell("pets", "fido", "price", 6)
    pets.set_value("w", 2)
    await persister.stop_auto_save()
await tried('shared', Store(), 'load')
"""
    assert python_page.python(source) == (
        '[{"a":{"b":{"c":1}},"pets":{"rex":{"price":1},"fido":{"price":6}}},{"v":1,"w":2}]'
    )
