"""The journal of a Store that merges: what a place lacks of its document, and what it brings."""

from __future__ import annotations

from typing import Any

import pytest

from weft.documents.mergeable import MergeableDocument
from weft.errors import StorageError
from weft.mergeable import MergeableStore
from weft.persisters import FilePersister, SqliteTablesPersister, TablesConfig
from weft.persisters._core.mergeable_journal import MergeableJournal, document_of
from weft.store import Store
from weft.values import UNDEFINED


class Journalled:
    """A journal with what it reports and how often it tells of edits."""

    def __init__(self) -> None:
        self.store = MergeableStore()
        self.document = self.store.document
        self.errors: list[Exception] = []
        self.edited = 0
        self.journal = MergeableJournal(self.store, self.document, self._edited, self.errors.append)
        self.journal.attach()

    def _edited(self) -> None:
        self.edited += 1


@pytest.fixture
def here() -> Journalled:
    return Journalled()


def content(cell: int = 1) -> list[Any]:
    """What another process has written; greater is later."""
    document = MergeableDocument(get_now=lambda: 1_700_000_000_000 + cell)
    document.set_cell("pets", "fido", "price", cell)
    return document.get_content()


def test_each_stamp_is_an_edit_and_a_deletion_is(here: Journalled) -> None:
    here.document.set_cell("pets", "fido", "price", 1)
    here.document.set_value("open", True)
    taken = here.journal.take_dirty()
    assert (taken.tables, taken.values) == ({"pets": {"fido": {"price": None}}}, {"open": None})
    here.document.set_cell("pets", "fido", "price", UNDEFINED)
    changes = here.journal.changes(here.journal.take_dirty())
    assert changes[0][0]["pets"][0]["fido"][0]["price"][0] is UNDEFINED
    assert changes[2] == 1
    assert here.edited == 3
    assert not here.journal.dirty


def test_what_a_place_brings_is_no_edit_and_is_merged(here: Journalled) -> None:
    assert here.journal.replace(content())
    assert here.document.get_cell("pets", "fido", "price") == 1
    assert here.journal.merge([*content(2), 1])
    assert here.document.get_cell("pets", "fido", "price") == 2
    assert (here.edited, bool(here.journal.dirty)) == (0, False)


def test_what_a_place_lacks_is_to_be_saved(here: Journalled) -> None:
    here.document.set_value("open", True)
    here.journal.take_dirty()
    here.journal.replace(content())
    assert here.journal.dirty.everything
    changes = here.journal.changes(here.journal.take_dirty())
    assert changes == [*here.document.get_content(), 1]
    here.journal.replace(here.document.get_content())
    assert not here.journal.dirty


@pytest.mark.parametrize(
    "bad",
    [
        [[{}, "", 0]],
        [[{"t": 1}, "", 0], [{}, "", 0]],
        [[{"t": [{"r": [{"c": [1, "zzzzzzz----ABCDE", 5]}, "", 5]}, "", 5]}, "", 5], [{}, "", 0]],
    ],
)
def test_what_is_malformed_or_far_ahead_is_refused_whole(here: Journalled, bad: Any) -> None:
    for verb in (here.journal.replace, here.journal.merge, here.journal.join):
        with pytest.raises(StorageError, match="cannot be merged"):
            verb(bad)
    assert here.document.get_content() == [[{}, "", 0], [{}, "", 0]]


def test_only_a_load_takes_over_plain_content(here: Journalled) -> None:
    with pytest.raises(StorageError, match="a plain Store: load"):
        here.journal.join(({"pets": {}}, {}))
    here.journal.replace(({"pets": {"fido": {"price": 1}}}, {"open": True}))
    assert here.store.get_content() == ({"pets": {"fido": {"price": 1}}}, {"open": True})
    assert here.journal.dirty.everything


def test_edits_made_while_plain_content_is_loaded_win(here: Journalled) -> None:
    here.store.set_value("open", "before")
    here.journal.begin_load(keep_unsaved=False)
    here.store.set_value("seats", "meanwhile")
    here.journal.replace(({}, {"open": "there", "seats": "there"}))
    here.journal.end_load()
    assert here.store.get_values() == {"open": "there", "seats": "meanwhile"}


def test_what_listeners_make_of_what_a_place_brings_is_an_edit(here: Journalled) -> None:
    def mark(store: Store, table_id: str, row_id: str, *_: object) -> None:
        store.set_cell(table_id, row_id, "seen", True)

    here.store.add_cell_listener(None, None, "price", mark, mutator=True)
    here.journal.replace(content())
    assert here.journal.take_dirty().tables == {"pets": {"fido": {"seen": None}}}


def test_what_the_schema_hides_is_merged_and_stays(here: Journalled) -> None:
    here.store.set_tables_schema({"pets": {"price": {"type": "string"}}})
    assert here.journal.replace(content())
    assert not here.store.has_tables()
    assert here.document.get_cell("pets", "fido", "price") == 1
    assert not here.journal.dirty


async def test_a_place_without_room_for_stamps_refuses_the_store(tmp_path: Any) -> None:
    with pytest.raises(TypeError, match="SqliteTablesPersister has no room for the stamps of a MergeableSt"):
        SqliteTablesPersister(MergeableStore(), tmp_path / "db", TablesConfig())
    async with FilePersister(MergeableStore(), tmp_path / "file") as persister:
        await persister.save()
        assert persister.keeps_document
    assert (tmp_path / "file").read_text() == '[[{},"",0],[{},"",0]]'


def test_other_stores_have_no_document() -> None:
    assert document_of(Store()) is None
    assert document_of(MergeableStore()) is not None
