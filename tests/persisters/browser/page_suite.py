"""The persister suite on the places that a browser has: it runs in a page, where these places are.

What stands in a place is written and read by JavaScript's TinyBase, which is on the same page.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pyodide.code import run_js  # type: ignore[import-not-found]

from weft.persisters import IndexedDbPersister, LocalPersister, OpfsPersister, Persister, SessionPersister
from weft.testing.persisters import PersisterSuite

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.changes import Content
    from weft.store import Store

_TINYBASE = """
(() => {
  const using = async (kind, name, store, use) => {
    const persister = await createPersister(kind, store, name);
    await use(persister);
    await persister.destroy();
    return JSON.stringify(store.getContent());
  };
  return {
    load: (kind, name) => using(kind, name, createStore(), (persister) => persister.load()),
    save: (kind, name, content) =>
      using(kind, name, createStore().setContent(JSON.parse(content)), (persister) => persister.save()),
    spoil: (kind, name) => writePlace(kind, name, '[{"pets":'),
  };
})()
"""
tinybase = run_js(_TINYBASE)
names = (f"suite{number}" for number in itertools.count())


class InPage(PersisterSuite):
    kind: ClassVar[str]
    persister: ClassVar[Callable[..., Persister]]
    options: ClassVar[dict[str, Any]] = {"poll_seconds": 0.02}

    @pytest.fixture(autouse=True)
    def place(self) -> None:
        self.name = next(names)

    def make(self, store: Store, **options: Any) -> Persister:
        return type(self).persister(store, self.name, **self.options, **options)

    async def read_raw(self) -> Content | None:
        content: Content = tuple(json.loads(await tinybase.load(self.kind, self.name)))
        return content

    async def write_raw(self, content: Content) -> None:
        await tinybase.save(self.kind, self.name, json.dumps(content))

    async def test_the_blocking_form_loads_and_saves(self) -> None:
        pytest.skip("a page has no threads")


class Text(InPage):
    async def write_bad(self) -> None:
        await tinybase.spoil(self.kind, self.name)


class TestLocal(Text):
    kind = "local"
    persister = LocalPersister


class TestSession(Text):
    kind = "session"
    persister = SessionPersister


class TestOpfs(Text):
    kind = "opfs"
    persister = OpfsPersister
    options: ClassVar[dict[str, Any]] = {}  # the browser tells of changes


class TestIndexedDb(InPage):
    kind = "indexedDb"
    persister = IndexedDbPersister


del Text, InPage, PersisterSuite  # which pytest would run as well
