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
from weft.testing.persisters import MergeablePersisterSuite, PersisterHooks, PersisterSuite

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
    // Of IndexedDB, what the two entries of a mergeable Store come to.
    readText: async (kind, name) => {
      const raw = await readPlace(kind, name);
      if (kind !== 'indexedDb') return raw;
      const [t, v] = ['t', 'v'].map((key) => raw.m.find(({k}) => k === key));
      const content = t && (v.v === '<<undefined>>' ? [t.v] : [t.v, v.v]);
      return t && JSON.stringify(content).replaceAll('"<<undefined>>"', '"\\uFFFC"');
    },
    writeText: (kind, name, text) => {
      if (kind !== 'indexedDb') return writePlace(kind, name, text);
      const [t, v] = JSON.parse(text.replaceAll('"\\uFFFC"', '"<<undefined>>"'));
      return writePlace(kind, name, {m: [{k: 't', v: t}, {k: 'v', v}]});
    },
  };
})()
"""
tinybase = run_js(_TINYBASE)
names = (f"suite{number}" for number in itertools.count())


class InPage(PersisterHooks):
    kind: ClassVar[str]
    persister: ClassVar[Callable[..., Persister]]
    options: ClassVar[dict[str, Any]] = {"poll_seconds": 0.02}

    @pytest.fixture(autouse=True)
    def place(self) -> None:
        self.name = next(names)

    def make(self, store: Store, **options: Any) -> Persister:
        return type(self).persister(store, self.name, **self.options, **options)

    async def test_the_blocking_form_loads_and_saves(self) -> None:
        pytest.skip("a page has no threads")


class Plain(InPage, PersisterSuite):
    async def read_raw(self) -> Content | None:
        content: Content = tuple(json.loads(await tinybase.load(self.kind, self.name)))
        return content

    async def write_raw(self, content: Content) -> None:
        await tinybase.save(self.kind, self.name, json.dumps(content))


class Merging(InPage, MergeablePersisterSuite):
    async def read_text(self) -> str | None:
        text = await tinybase.readText(self.kind, self.name)
        return text or None if isinstance(text, str) else None

    async def write_text(self, text: str) -> None:
        await tinybase.writeText(self.kind, self.name, text)


class Local:
    kind = "local"
    persister = LocalPersister


class Session:
    kind = "session"
    persister = SessionPersister


class Opfs:
    kind = "opfs"
    persister = OpfsPersister
    options: ClassVar[dict[str, Any]] = {}  # the browser tells of changes


class IndexedDb:
    kind = "indexedDb"
    persister = IndexedDbPersister


class Text:
    name: str

    async def write_bad(self) -> None:
        await tinybase.writeText(self.kind, self.name, '[{"pets":')  # type: ignore[attr-defined]


class TestLocal(Local, Text, Plain): ...


class TestSession(Session, Text, Plain): ...


class TestOpfs(Opfs, Text, Plain): ...


class TestIndexedDb(IndexedDb, Plain): ...


class TestMergingLocal(Local, Merging): ...


class TestMergingSession(Session, Merging): ...


class TestMergingOpfs(Opfs, Merging): ...


class TestMergingIndexedDb(IndexedDb, Merging):
    # A plain Store stands beside it, and not in its place.
    test_plain_content_is_taken_over = None  # type: ignore[assignment]
    test_a_plain_store_says_what_to_use = None  # type: ignore[assignment]

    async def write_bad(self) -> None:
        await self.write_text('["bad"]')


del MergeablePersisterSuite, PersisterHooks, PersisterSuite  # which pytest would run as well
