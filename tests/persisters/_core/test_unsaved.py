from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from support.edits import apply_edits, edits
from weft.persisters._core.unsaved import NotLoaded, changes_at, keep_not_loaded, merge, take_touched
from weft.store import Store
from weft.store.replica import Paths


def journalled(store: Store) -> Paths:
    dirty = Paths()
    store.add_did_finish_transaction_listener(
        lambda _: dirty.add(*store._stored_changes(), *store._removed())
    )
    return dirty


def copied(store: Store) -> Any:
    return store.get_tables(), store.get_values()


@given(edits(), st.lists(edits(max_size=4), max_size=6))
def test_the_changes_of_a_journal_make_the_old_content_the_new(before: Any, transactions: Any) -> None:
    store = apply_edits(Store(), before)
    place = copied(store)
    dirty = journalled(store)
    for transaction in transactions:
        apply_edits(store, transaction)
    merge(place, changes_at(dirty, store._tables, store._values))
    assert place == store.get_content()


@given(edits())
def test_everything_writes_all_and_deletes_nothing_unasked(made: Any) -> None:
    store = apply_edits(Store(), made)
    place: Any = ({"a": {"a": {"other": 1}}, "other": {"r": {"c": 1}}}, {"other": 1})
    merge(place, changes_at(Paths(everything=True), store._tables, store._values))
    assert place[0]["other"] == {"r": {"c": 1}}
    assert place[0]["a"]["a"]["other"] == 1
    for table_id, table in store.get_tables().items():
        for row_id, row in table.items():
            assert row.items() <= place[0][table_id][row_id].items()


def test_a_row_deleted_as_a_row_takes_what_was_never_loaded_with_it_and_an_emptied_one_does_not() -> None:
    store = Store().set_tables({"t": {"deleted": {"a": 1}, "emptied": {"a": 1}}})
    dirty = journalled(store)
    store.del_row("t", "deleted")
    store.del_cell("t", "emptied", "a")
    place: Any = ({"t": {"deleted": {"a": 1, "b": 2}, "emptied": {"a": 1, "b": 2}}}, {})
    merge(place, changes_at(dirty, store._tables, store._values))
    assert place == ({"t": {"emptied": {"b": 2}}}, {})


def test_what_is_made_and_removed_in_one_transaction_deletes_nothing() -> None:
    store = Store().set_tables({"t": {"r": {"a": 1}}})
    dirty = journalled(store)
    with store.transaction():
        store.set_cell("t", "r", "a", 2)
        store.set_row("t", "new", {"a": 1}).del_row("t", "new")
        store.set_table("u", {"r": {"a": 1}}).del_table("u")
    place: Any = ({"t": {"r": {"a": 1}, "new": {"b": 1}}, "u": {"other": {"b": 1}}}, {})
    merge(place, changes_at(dirty, store._tables, store._values))
    assert place == ({"t": {"r": {"a": 2}, "new": {"b": 1}}, "u": {"other": {"b": 1}}}, {})


def test_foreign_pieces_that_are_no_tables_or_rows_give_way() -> None:
    place: Any = ({"t": 5, "u": {"r": None, "kept": 6}}, {})
    merge(place, ({"t": {"r": {"c": 1}}, "u": {"r": {"c": 2}}}, {}, 1))
    assert place == ({"t": {"r": {"c": 1}}, "u": {"r": {"c": 2}, "kept": 6}}, {})


def test_what_was_not_loaded_is_kept_beside_content_that_is_to_be_all() -> None:
    not_loaded = NotLoaded()
    there: Any = (
        {"t": {"r": {"a": 1, "b": {"no": "cell"}}, "gone": {"b": "x"}, "bad": {"b": "x"}}, "list": []},
        {"v": None, "w": "there"},
    )
    for path in [("t", "r", "b"), ("t", "gone", "b"), ("list", "r", "a"), ("t", "bad", "b")]:
        not_loaded.note(path, {"t": {"r": {"a": 1}, "gone": {"a": 1}}})
    not_loaded.note(("w",), {})
    assert not_loaded
    assert not NotLoaded()
    content: Any = ({"t": {"r": {"a": 2}}}, {"v": 1})
    keep_not_loaded(content, there, not_loaded)
    assert content == (
        {"t": {"r": {"a": 2, "b": {"no": "cell"}}, "bad": {"b": "x"}}},
        {"v": 1, "w": "there"},
    )
    content = ({"t": {"r": {"b": "set since"}}}, {"w": 2})
    keep_not_loaded(content, there, not_loaded)
    assert content == ({"t": {"r": {"b": "set since"}, "bad": {"b": "x"}}}, {"w": 2})


def test_what_edits_touch_is_taken_out_with_the_rest_of_its_row() -> None:
    paths = Paths(
        tables={
            "t": {"a": {"x": None, "y": None}, "b": {"x": None}, "c": {"x": None}},
            "gone": {"a": {"x": None}, "b": {"x": None}},
            "other": {"a": {"x": None}},
        },
        values={"v": None},
        removed_rows={("t", "a"), ("t", "c"), ("other", "a")},
        removed_tables={"gone"},
    )
    edited = Paths(tables={"t": {"a": {"z": None}, "d": {"x": None}}, "gone": {"z": {"x": None}}})
    assert take_touched(paths, edited) == Paths(
        tables={"t": {"a": {"x": None, "y": None}}, "gone": {"a": {"x": None}, "b": {"x": None}}},
        values={"v": None},
        removed_rows={("t", "a")},
        removed_tables={"gone"},
    )
    assert paths == Paths(
        tables={"t": {"b": {"x": None}, "c": {"x": None}}, "other": {"a": {"x": None}}},
        removed_rows={("t", "c"), ("other", "a")},
    )
    edited = Paths(tables={"t": {"z": {}}}, removed_tables={"t"})
    assert set(take_touched(paths, edited).tables["t"]) == {"b", "c"}
    assert paths == Paths(tables={"other": {"a": {"x": None}}}, removed_rows={("other", "a")})
