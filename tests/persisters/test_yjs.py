from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Doc, Map, Text

from support.mirrored_suite import MirroredSuite
from weft.errors import StorageError
from weft.mirrors import YDocument, YjsMirror, create_doc
from weft.persisters import YjsPersister
from weft.store import Store
from weft.testing.persisters import MORE, PETS, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.changes import Content
    from weft.persisters import Persister


class TestNested(MirroredSuite):
    layout = "tinybase"

    @pytest.fixture(autouse=True)
    def place(self) -> None:
        self.doc = create_doc()

    def make(self, store: Store, **options: Any) -> Persister:
        return YjsPersister(store, self.doc, layout=self.layout, **options)  # type: ignore[arg-type]

    async def read_raw(self) -> Content | None:
        store = Store()
        with YjsMirror(store, self.doc, layout=self.layout):  # type: ignore[arg-type]
            content = store.get_content()
        return content if content != ({}, {}) else None

    async def write_raw(self, content: Content) -> None:
        store = Store()
        with YjsMirror(store, self.doc, layout=self.layout):  # type: ignore[arg-type]
            store.set_content(content)

    async def write_bad(self) -> None:
        rows = self.doc.get("tinybase", type=Map)["t"]["pets"]
        rows["fido"]["species"] = Map({"no": "cell"})
        rows["no row"] = "text"


class TestFlat(TestNested):
    layout = "flat"

    async def write_bad(self) -> None:
        root = self.doc.get("tinybase", type=Map)
        root["no key of a cell"] = Map({"no": "cell"})


def _a_text_as_root(doc: Doc[Any]) -> None:
    text = doc.get("tinybase", type=Text)
    text += "a text"


def _a_text_for_the_tables(doc: Doc[Any]) -> None:
    doc.get("tinybase", type=Map)["t"] = Text("a text")


@pytest.mark.parametrize("received", [False, True])
@pytest.mark.parametrize("make", [_a_text_as_root, _a_text_for_the_tables])
async def test_a_document_that_holds_something_else_there_is_an_error_and_stays(
    make: Callable[[Doc[Any]], None], received: bool
) -> None:
    doc, store = create_doc(), Store().set_content(PETS)
    make(doc)
    if received:
        made, doc = doc, create_doc()
        doc.apply_update(made.get_update())
    state = doc.get_state()
    async with YjsPersister(store, doc) as persister:
        for verb in (
            persister.load,
            persister.save,
            persister.start_auto_persisting,
            persister.start_auto_save,
        ):
            with pytest.raises(StorageError, match="where a map should be"):
                await verb(*(() if verb.__name__.endswith("save") else (MORE,)))
            assert store.get_content() == PETS
            assert doc.get_state() == state
    assert not persister.is_auto_loading()


def connect(*docs: Any) -> None:
    """Bring documents to the same state, as providers do."""
    hubs = [YDocument.of(doc) for doc in docs]
    for _ in range(3):
        for one in hubs:
            for other in hubs:
                if one is not other:
                    one.apply(other.diff(one.state_vector()), origin=other)


async def test_the_document_is_at_hand() -> None:
    doc = create_doc()
    async with YjsPersister(Store(), doc) as persister:
        assert persister.get_y_doc() is doc
        await persister.load()


async def test_transactions_of_one_tick_all_reach_the_document() -> None:
    doc, store = create_doc(), Store()
    async with YjsPersister(store, doc) as persister:
        await persister.start_auto_persisting()
        store.set_cell("t", "r", "a", 1).set_cell("t", "r", "b", 2).set_cell("t", "r", "a", 3)
        assert store.get_row("t", "r") == {"a": 3, "b": 2}
    mirrored = Store()
    with YjsMirror(mirrored, doc):
        assert mirrored.get_tables() == store.get_tables() == {"t": {"r": {"a": 3, "b": 2}}}


async def test_rows_first_written_apart_merge_and_stores_follow() -> None:
    docs, stores = [create_doc(), create_doc()], [Store(), Store()]
    async with YjsPersister(stores[0], docs[0]) as one, YjsPersister(stores[1], docs[1]) as two:
        await one.start_auto_persisting()
        await two.start_auto_persisting()
        stores[0].set_row("pets", "fido", {"color": "brown"}).set_value("a", 1)
        stores[1].set_row("pets", "fido", {"price": 5}).set_value("b", 2)
        await until(lambda: one.is_at_rest() and two.is_at_rest())
        connect(*docs)
        await until(lambda: stores[0].get_content() == stores[1].get_content())
        assert stores[0].get_content() == (
            {"pets": {"fido": {"color": "brown", "price": 5}}},
            {"a": 1, "b": 2},
        )


@pytest.mark.parametrize("seed", range(20))
async def test_stores_and_documents_agree_after_random_edits_and_exchanges(seed: int) -> None:
    draw = random.Random(seed)
    docs, stores = [create_doc() for _ in range(3)], [Store() for _ in range(3)]
    persisters = [YjsPersister(store, doc) for store, doc in zip(stores, docs, strict=True)]
    try:
        for persister in persisters:
            await persister.start_auto_persisting()
        for step in range(60):
            store = draw.choice(stores)
            table, row, cell = draw.choice("tu"), draw.choice("abc"), draw.choice("xyz")
            kind = draw.randrange(8)
            if kind < 5:
                store.set_cell(table, row, cell, step)
            elif kind == 5:
                store.del_cell(table, row, cell)
            elif kind == 6:
                store.del_row(table, row)
            else:
                for persister in persisters:
                    await until(lambda persister=persister: persister.is_at_rest())  # type: ignore[misc]
                connect(*draw.sample(docs, 2))
        for _ in range(2):
            for persister in persisters:
                await until(lambda persister=persister: persister.is_at_rest())  # type: ignore[misc]
            connect(*docs)
        await until(lambda: stores[0].get_content() == stores[1].get_content() == stores[2].get_content())
        for doc in docs:
            fresh = Store()
            with YjsMirror(fresh, doc):
                assert fresh.get_content() == stores[0].get_content()
    finally:
        for persister in persisters:
            await persister.destroy()


async def test_a_document_that_others_emptied_is_empty_and_is_not_filled_again() -> None:
    doc, store = create_doc(), Store()
    async with YjsPersister(store, doc) as persister:
        await persister.load(PETS)
        await persister.start_auto_save()
        with YjsMirror(other := Store(), doc):
            other.set_content(({}, {}))
        await persister.load()
        await until(persister.is_at_rest)
        assert store.get_content() == ({}, {})
        with YjsMirror(other, doc):
            assert other.get_content() == ({}, {})
