"""Rows of one shape share their keys, and are ordinary dictionaries all the same."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

from weft import UNDEFINED, Store

CELL_IDS = ["a", "é", "", "\0x", "a b", "__missing__", "0", "class", "𝄞", "j"]


def rows(number: int, cell_ids: list[str]) -> Any:
    return {f"r{i}": {cell_id: i * 100 + j for j, cell_id in enumerate(cell_ids)} for i in range(number)}


def fill_at_once(store: Store, table: Any) -> None:
    store.set_tables({"t": table})


def fill_row_by_row(store: Store, table: Any) -> None:
    for row_id, row in table.items():
        store.set_row("t", row_id, row)


def fill_from_json(store: Store, table: Any) -> None:
    store.set_json(Store().set_table("t", table).get_json())


def fill_from_a_peer(store: Store, table: Any) -> None:
    with store.transaction(origin="peer"):
        store._apply_stored({"t": table}, {})


FILLS = [fill_at_once, fill_row_by_row, fill_from_json, fill_from_a_peer]


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize(
    "cell_ids", [CELL_IDS, [f"c{i}" for i in range(40)], ["only"], ["__class__", "__dict__", "__weakref__"]]
)
def test_many_rows_are_what_was_given(fill: Any, cell_ids: list[str]) -> None:
    store = Store()
    table = rows(200, cell_ids)
    fill(store, table)
    assert store.get_table("t") == table
    assert all(type(row) is dict for row in store._tables["t"].values())
    if fill is not fill_from_json:  # which has array indices first
        assert {tuple(store.get_cell_ids("t", row_id)) for row_id in table} == {tuple(cell_ids)}
    # Numbers and text are no garbage. Since Python 3.14 the collector visits every dictionary all the same.
    plain = gc.is_tracked(dict.fromkeys(cell_ids, 1))
    assert not any(gc.is_tracked(row) > plain for row in store._tables["t"].values())


@pytest.mark.parametrize("fill", FILLS)
def test_rows_that_share_keys_change_one_by_one(fill: Any) -> None:
    store = Store()
    table = rows(200, CELL_IDS)
    fill(store, table)
    store.set_cell("t", "r150", "a", "changed").del_cell("t", "r151", "é").set_cell("t", "r152", "new", 1)
    store.set_cell("t", "r151", "é", "back").set_row("t", "r153", {"x": 1}).del_row("t", "r154")
    table["r150"]["a"] = "changed"
    table["r151"]["é"] = "back"
    table["r152"]["new"] = 1
    table["r153"] = {"x": 1}
    del table["r154"]
    assert store.get_table("t") == table
    if fill is not fill_from_json:
        assert store.get_cell_ids("t", "r151") == [*(id_ for id_ in CELL_IDS if id_ != "é"), "é"]
    before = store.get_json()

    def fail() -> None:
        for row_id in store.get_row_ids("t")[100:]:
            store.del_cell("t", row_id, "a")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.transaction(fail)
    assert store.get_json() == before


def test_refused_cells_leave_no_trace_in_a_known_shape() -> None:
    store = Store(on_invalid="ignore").set_table("t", rows(200, ["a", "b"]))
    bad: Any = {"a": b"", "b": 1}
    store.set_row("t", "bad", bad)
    with store.transaction():
        store._apply_stored({"t": {"worse": {"a": float("nan"), "b": 2}, "gone": {"a": b"", "b": b""}}}, {})
    assert store.get_row("t", "bad") == {"b": 1}
    assert store.get_row("t", "worse") == {"b": 2}
    assert not store.has_row("t", "gone")
    surrogates: Any = {f"r{i}": {"\ud800": 1, "ok": 1} for i in range(200)}
    store.set_table("u", surrogates)
    with store.transaction():
        store._apply_stored({"v": surrogates}, {})
    assert store.get_table("u") == store.get_table("v") == {f"r{i}": {"ok": 1} for i in range(200)}
    assert store.get_table_cell_ids("u") == ["ok"]


def test_a_store_of_many_shapes_forgets_them() -> None:
    store = Store()
    for number in range(2_500):
        store.set_row("t", str(number), {f"c{number}": 1})
    assert len(store._shared_keys._known) <= 1_000
    assert store.get_row_count("t") == 2_500


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="another interpreter need not share keys")
def test_shared_keys_save_memory() -> None:
    plain = sys.getsizeof(dict.fromkeys(CELL_IDS))
    store = Store().set_table("t", rows(200, CELL_IDS))
    assert sys.getsizeof(store._tables["t"]["r199"]) < 0.7 * plain
    assert store.get_cell("t", "r199", "absent", UNDEFINED) is UNDEFINED
