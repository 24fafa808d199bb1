"""The Store against TinyBase on Node: the same workload on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks._measure import Times, measure, report
from benchmarks._node import best, node, node_times
from benchmarks._table import Line
from benchmarks._workload import CELL_IDS, CELLS, SCHEMA, TABLE, row_ids, shuffled, tables
from benchmarks.memory import bytes_per_store
from weft import Store

if TYPE_CHECKING:
    from collections.abc import Callable

TINYBASE = "TinyBase 10.0.1 on Node"
SORT_ROWS = 20_000
CHANGED_CELLS = 10_000

ROWS = row_ids(CELLS)
CONTENT = tables(CELLS)


def _filled() -> Store:
    store = Store()
    store.set_tables(CONTENT)
    return store


def _set_each(store: Store) -> None:
    value = 0
    for row in ROWS:
        for cell in CELL_IDS:
            store.set_cell(TABLE, row, cell, value)
            value += 1


def _set_in_one(store: Store) -> None:
    store.transaction(lambda: _set_each(store))


def _with_wildcard_listener() -> Store:
    store = Store()
    calls = 0

    def listener(*_: object) -> None:
        nonlocal calls
        calls += 1

    store.add_cell_listener(None, None, None, listener)
    return store


def _with_listener_elsewhere() -> Store:
    store = Store()

    def listener(*_: object) -> None:
        raise AssertionError("nobody writes there")

    store.add_cell_listener("other", "row", "cell", listener)
    return store


def _with_schema() -> Store:
    store = Store()
    store.set_tables_schema(SCHEMA)
    return store


def _to_be_sorted() -> Store:
    store = Store()
    store.set_tables({TABLE: {f"r{i}": {"c": value} for i, value in enumerate(shuffled(SORT_ROWS))}})
    return store


def _json_out_and_in(store: Store) -> None:
    other = Store()
    other.set_json(store.get_json())
    assert other.has_table(TABLE)


def _changes() -> tuple[Store, Any]:
    changed = {row: dict.fromkeys(CELL_IDS, -1) for row in ROWS[: CHANGED_CELLS // len(CELL_IDS)]}
    return _filled(), ({TABLE: changed}, {}, 1)


def _apply_changes(subject: tuple[Store, Any]) -> None:
    store, changes = subject
    store.apply_changes(changes)
    assert store.get_cell(TABLE, ROWS[0], "c0") == -1


def _get_rows(store: Store) -> None:
    for row in ROWS:
        store.get_row(TABLE, row)


def _get_cells(store: Any) -> None:
    for row in ROWS:
        for cell in CELL_IDS:
            store.get_cell(TABLE, row, cell)


class _ThreeLookUps:
    """The least that a Python method which finds a cell can do."""

    def __init__(self) -> None:
        self._tables = tables(CELLS)

    def get_cell(self, table: str, row: str, cell: str) -> object:
        return self._tables[table][row][cell]


# name of the line, case on both sides, preparation, run, at most this ratio to TinyBase's time
CASES: list[tuple[str, str, Callable[[], Any], Callable[[Any], object], float | None]] = [
    ("set_cell, 100,000 transactions", "set_cell_separately", Store, _set_each, 0.5),
    ("set_cell, one transaction", "set_cell_in_one_transaction", Store, _set_in_one, 1 / 1.5),
    (
        "  with a wildcard cell listener",
        "set_cell_with_wildcard_listener",
        _with_wildcard_listener,
        _set_each,
        0.5,
    ),
    ("  with a tables schema", "set_cell_with_schema", _with_schema, _set_each, 0.5),
    ("set_tables, 100,000 cells", "set_tables", Store, lambda store: store.set_tables(CONTENT), 0.5),
    ("JSON out and in", "json_out_and_in", _filled, _json_out_and_in, 0.5),
    ("apply_changes, 10,000 cells", "apply_changes_10k", _changes, _apply_changes, 0.5),
    ("get_row, 10,000 rows", "get_row", _filled, _get_rows, 1.0),
    ("get_table, 100,000 cells", "get_table", _filled, lambda store: store.get_table(TABLE), 1.0),
    (
        "get_sorted_row_ids, 20,000 shuffled",
        "get_sorted_row_ids_20k",
        _to_be_sorted,
        lambda store: store.get_sorted_row_ids(TABLE, "c"),
        1.0,
    ),
    ("get_cell, 100,000 times", "get_cell", _filled, _get_cells, None),
]


def lines() -> list[Line]:
    """Measure the Store and TinyBase."""
    before = node_times("bench_store.mjs")
    ours: dict[str, Times] = {}
    for name, case, prepare, run, _ in CASES:
        report(name.strip())
        ours[case] = measure(prepare, run)
    theirs = best(before, node_times("bench_store.mjs"))
    found = [
        Line(name, ours[case].min, TINYBASE, theirs[case].min, at_most) for name, case, _, _, at_most in CASES
    ]
    report("three look-ups, and a listener on another cell")
    bare = measure(_ThreeLookUps, _get_cells)
    found.append(
        Line("get_cell, 100,000 times", ours["get_cell"].min, "bare 3-look-up method", bare.min, 1.5)
    )
    alone, elsewhere = measure(Store, _set_each), measure(_with_listener_elsewhere, _set_each)
    found.append(
        Line(
            "set_cell with a listener on another cell",
            elsewhere.min,
            "ours without a listener",
            min(alone.min, ours["set_cell_separately"].min),
            1.1,
        )
    )
    report("memory")
    memory = node("bench_memory.mjs")["bytes"]
    found.append(
        Line("memory of 100,000 cells", bytes_per_store() / 2**20, TINYBASE, memory / 2**20, 1.0, unit="MiB")
    )
    return found
