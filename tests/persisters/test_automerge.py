from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.amdocs import at, exchange, numbered_document, project
from support.mirrored_suite import MirroredSuite
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
from weft.errors import StorageError
from weft.mirrors import AutomergeDocument, AutomergeMirror
from weft.persisters import AutomergePersister
from weft.store import Store
from weft.testing.persisters import MORE, PETS, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.changes import Content
    from weft.persisters import Persister


class TestAutomerge(MirroredSuite):
    @pytest.fixture(autouse=True)
    def place(self) -> None:
        self.document = AutomergeDocument()

    def make(self, store: Store, **options: Any) -> Persister:
        return AutomergePersister(store, self.document, **options)

    async def read_raw(self) -> Content | None:
        content = project(self.document)
        return content if content != ({}, {}) else None

    async def write_raw(self, content: Content) -> None:
        store = Store()
        with AutomergeMirror(store, self.document):
            store.set_content(content)

    async def write_bad(self) -> None:
        with self.document.transaction() as tx:
            rows = at(self.document, "tinybase", "t", "pets")
            tx.put_object(at(self.document, "tinybase", "t", "pets", "fido"), "species", ObjType.List)
            tx.put(rows, "no row", ScalarType.Int, 1)


def _a_number_as_root(document: AutomergeDocument) -> None:
    with document.transaction() as tx:
        tx.put(ROOT, "tinybase", ScalarType.Int, 1)


def _a_text_for_the_tables(document: AutomergeDocument) -> None:
    with document.transaction() as tx:
        tx.put_object(tx.put_object(ROOT, "tinybase", ObjType.Map), "t", ObjType.Text)


@pytest.mark.parametrize("make", [_a_number_as_root, _a_text_for_the_tables])
async def test_a_document_that_holds_something_else_there_is_an_error_and_stays(
    make: Callable[[AutomergeDocument], None],
) -> None:
    document, store = AutomergeDocument(), Store().set_content(PETS)
    make(document)
    heads = document.heads
    async with AutomergePersister(store, document) as persister:
        for verb in (persister.save, persister.start_auto_save):
            with pytest.raises(StorageError, match="where a map should be"):
                await verb()
        for load in (persister.load, persister.start_auto_persisting):
            with pytest.raises(StorageError, match="where a map should be"):
                await load(MORE)
    assert store.get_content() == PETS
    assert document.heads == heads


async def test_the_document_is_at_hand() -> None:
    document = AutomergeDocument()
    async with AutomergePersister(Store(), document) as persister:
        assert persister.get_document() is document
        await persister.load()


async def test_transactions_of_one_tick_all_reach_the_document() -> None:
    """JavaScript TinyBase keeps the first only."""
    document, store = AutomergeDocument(), Store()
    async with AutomergePersister(store, document) as persister:
        await persister.start_auto_persisting()
        store.set_cell("t", "r", "a", 1).set_cell("t", "r", "b", 2).set_cell("t", "r", "a", 3)
        assert store.get_row("t", "r") == {"a": 3, "b": 2}
    assert project(document)[0] == store.get_tables() == {"t": {"r": {"a": 3, "b": 2}}}


async def test_rows_first_written_apart_merge_and_stores_follow() -> None:
    documents, stores = [numbered_document(1), numbered_document(2)], [Store(), Store()]
    async with (
        AutomergePersister(stores[0], documents[0]) as one,
        AutomergePersister(stores[1], documents[1]) as two,
    ):
        await one.start_auto_persisting()
        await two.start_auto_persisting()
        stores[0].set_row("pets", "fido", {"color": "brown"}).set_value("a", 1)
        stores[1].set_row("pets", "fido", {"price": 5}).set_value("b", 2)
        await until(lambda: one.is_at_rest() and two.is_at_rest())
        exchange(*documents)
        await until(lambda: stores[0].get_content() == stores[1].get_content())
        assert stores[0].get_content() == (
            {"pets": {"fido": {"color": "brown", "price": 5}}},
            {"a": 1, "b": 2},
        )
