"""The ids that add_row gives."""

from __future__ import annotations

from weft import Store


def test_add_row_counts_up_and_reuses_what_was_given_back_first_in_first_out() -> None:
    store = Store()
    ids = [store.add_row("t", {"a": 1}) for _ in range(5)]
    assert ids == ["0", "1", "2", "3", "4"]
    store.del_row("t", "1").del_row("t", "3").del_row("t", "0")
    assert store.add_row("t", {"a": 1}) == "1"
    assert store.add_row("t", {"a": 1}, reuse_row_ids=False) == "5"
    assert [store.add_row("t", {"a": 1}) for _ in range(3)] == ["3", "0", "6"]


def test_add_row_skips_ids_that_are_taken_and_begins_anew_with_a_new_table() -> None:
    store = Store()
    store.set_row("t", "0", {"a": 1}).set_row("t", "2", {"a": 1})
    assert [store.add_row("t", {"a": 1}) for _ in range(2)] == ["1", "3"]
    store.del_table("t")
    assert store.add_row("t", {"a": 1}) == "0"
    store.del_cell("t", "0", "a")
    assert store.add_row("t", {"a": 1}) == "0"


def test_only_ids_that_the_pool_can_have_made_come_back_and_not_those_of_emptied_rows() -> None:
    store = Store()
    store.set_row("t", "keep", {"a": 1})
    for row_id in ("x", "٣", "007", "5"):
        store.set_row("t", row_id, {"a": 1}).del_row("t", row_id)
    store.set_row("t", "9", {"a": 1}).del_cell("t", "9", "a")
    assert [store.add_row("t", {"a": 1}) for _ in range(4)] == ["007", "5", "0", "1"]


def test_the_pool_keeps_a_thousand_ids() -> None:
    store = Store().set_table("t", {str(i): {"a": 1} for i in range(1, 1203)})
    store.set_table("t", {"keep": {"a": 1}})
    ids = [store.add_row("t", {"a": 1}) for _ in range(1002)]
    assert ids[:1000] == [str(i) for i in range(1, 1001)]
    assert ids[1000] == "0"
    assert ids[1001] == "1001", "the counter goes on, past what is taken"
