from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from support.edits import apply_edits, edits
from weft.errors import StorageError
from weft.persisters._core.store_journal import StoreJournal
from weft.persisters._core.unsaved import merge
from weft.store import Store
from weft.testing.persisters import MORE, PETS
from weft.values import UNDEFINED


class Journalled:
    """A journal of a Store with what it reports and how often it tells of edits."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = Store() if store is None else store
        self.errors: list[Exception] = []
        self.edited = 0
        self.journal = StoreJournal(self.store, self._edited, self.errors.append)
        self.journal.attach()

    def _edited(self) -> None:
        self.edited += 1


@given(edits(), edits())
def test_the_store_becomes_what_a_place_holds_and_that_is_no_edit(before: Any, after: Any) -> None:
    journalled = Journalled(apply_edits(Store(), before))
    wanted = apply_edits(Store(), after)
    assert journalled.journal.replace((wanted._tables, wanted._values))
    assert journalled.store.get_content() == wanted.get_content()
    assert not journalled.journal.dirty
    assert journalled.edited == 0


@given(edits(), edits(), edits(), st.booleans())
@example(
    [],
    [("set_cell", "a", "a", "a", 0), ("set_row", "c", "a", {"a": 0}), ("del_row", "c", "a")],
    [("set_cell", "c", "a", "a", 0)],
    True,
)
def test_unsaved_edits_win_over_what_a_place_brings_and_stay_unsaved(
    before: Any, made: Any, there: Any, as_changes: bool
) -> None:
    """A place that merges the edits holds then what the Store holds."""
    journalled = Journalled(apply_edits(Store(), before))
    old: Any = journalled.journal.content()
    apply_edits(journalled.store, made)
    place = apply_edits(Store().set_content(old), there)
    if as_changes:
        heard: list[Any] = []
        other = Store().set_content(old)
        other.add_did_finish_transaction_listener(lambda _: heard.append(other._stored_changes()))
        apply_edits(other, there)
        for tables, values in heard:
            journalled.journal.merge((tables, values, 1))
    else:
        journalled.journal.replace((place._tables, place._values))
    content: Any = (place.get_tables(), place.get_values())
    merge(content, journalled.journal.changes(journalled.journal.take_dirty()))
    assert content == journalled.store.get_content()


def test_initial_content_is_an_edit_and_may_be_a_function() -> None:
    for initial in (PETS, lambda: PETS):
        journalled = Journalled()
        journalled.journal.set_initial(initial)
        assert journalled.store.get_content() == PETS
        assert journalled.edited == 1
        assert journalled.journal.changes(journalled.journal.take_dirty())[:2] == PETS


def test_what_a_listener_writes_on_top_is_an_edit() -> None:
    journalled = Journalled()
    journalled.store.add_cell_listener(
        None, None, "price", lambda store, table, row, *_: store.set_cell(table, row, "seen", True), True
    )
    journalled.journal.replace(PETS)
    assert journalled.journal.changes(journalled.journal.take_dirty())[:2] == (
        {"pets": {"fido": {"seen": True}}},
        {},
    )


def test_what_is_no_table_row_or_cell_is_left_out_and_reported() -> None:
    journalled = Journalled()
    content: Any = ({"t": {"r": {"good": 1, "bad": b"bytes"}, "no row": 5}, "no table": []}, {"v": object()})
    assert not journalled.journal.replace(content)
    assert journalled.store.get_content() == ({"t": {"r": {"good": 1}}}, {})
    text = " ".join(map(str, journalled.errors))
    for part in ("no row", "no table", "2 cells or values were refused"):
        assert part in text


def test_a_table_or_row_that_went_takes_its_cells_along() -> None:
    journalled = Journalled(Store().set_content(MORE))
    assert journalled.journal.merge(({"pets": {"fido": UNDEFINED}}, {"open": UNDEFINED}, 1))
    assert journalled.store.get_content() == ({"pets": {"felix": MORE[0]["pets"]["felix"]}}, {})
    assert journalled.journal.merge(({"pets": UNDEFINED}, {}, 1))
    assert journalled.store.get_content() == ({}, {})
    assert not journalled.journal.dirty


async def test_it_waits_until_the_store_is_in_no_transaction() -> None:
    journalled = Journalled()
    journalled.store.start_transaction()
    settled = asyncio.create_task(journalled.journal.settled())
    await asyncio.sleep(0)
    journalled.store.start_transaction()
    journalled.store.finish_transaction()
    await asyncio.sleep(0)
    assert not settled.done()
    journalled.store.finish_transaction()
    await settled


def test_after_the_end_nothing_is_journalled() -> None:
    journalled = Journalled()
    journalled.journal.attach()  # a second time, which does nothing
    journalled.journal.detach()
    journalled.journal.detach()
    journalled.store.set_content(PETS)
    assert not journalled.journal.dirty
    assert journalled.edited == 0


async def test_who_holds_a_transaction_open_does_not_wait_for_its_own_end() -> None:
    journalled = Journalled()
    with (
        journalled.store.transaction(),
        pytest.raises(StorageError, match="a transaction of the Store is open in this task"),
    ):
        await journalled.journal.settled()
    await journalled.journal.settled()
