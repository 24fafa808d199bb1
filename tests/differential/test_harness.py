"""The differential suite itself: that it sees what differs, and that its programs go everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from differential.generator import KINDS, WILL, generate
from differential.language import in_js_order, odd
from differential.oracle import failing, first_difference, run_on_tinybase, shrink
from differential.runner import run_on_weft
from weft.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from differential.language import Op, Program, Trace

# What comes on top of TinyBase.
ONLY_PYTHON = {
    *("copy", "get_tables_schema", "get_values_schema", "row", "same_content", "table", "text", "to_dicts"),
    "undo_manager",
}

FAULTS: dict[str, Callable[..., Any]] = {
    "del_row": lambda store, *_: store,
    "set_partial_row": Store.set_row,
    "finish_transaction": lambda store, _=None, real=Store.finish_transaction: real(store),
    "get_table_ids": lambda store: sorted(store._tables),
    "get_values": lambda store, real=Store.get_values: dict(reversed(real(store).items())),
    "add_row_listener": Store.add_cell_ids_listener,
    "get_cell": lambda store, *args, real=Store.get_cell: (
        int(cell) if isinstance(cell := real(store, *args), bool) else cell
    ),
    "add_did_finish_transaction_listener": Store.add_will_finish_transaction_listener,
}


@pytest.fixture(scope="module")
def answered(_node: None) -> list[tuple[Program, Trace]]:
    programs = [generate(seed) for seed in range(150)]
    return list(zip(programs, run_on_tinybase(programs), strict=True))


@pytest.mark.interop
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_store_is_found(
    name: str, answered: list[tuple[Program, Trace]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, name, FAULTS[name])
    assert any(first_difference(expected, run_on_weft(program)) is not None for program, expected in answered)


@pytest.mark.interop
def test_a_program_that_shows_a_fault_is_cut_down(
    answered: list[tuple[Program, Trace]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "del_row", FAULTS["del_row"])
    found = next(
        program
        for program, expected in answered
        if first_difference(expected, run_on_weft(program)) is not None
    )
    small = shrink(found)
    assert len(small["ops"]) <= 3
    assert failing([small]) == [small]


def test_values_that_only_seem_equal_differ() -> None:
    def differ(one: Any, two: Any) -> bool:
        return first_difference([["R", "get_cell", one]], [["R", "get_cell", two]]) is not None

    assert differ(1, True)
    assert differ(False, 0)
    assert differ(None, odd("undefined"))
    assert differ([1, 2], [2, 1])
    assert differ([1], [1, 2])
    assert differ("1", 1)
    assert differ(1, 1.0), "an integral number must be an int"
    assert differ(odd("o", v=[["a", 1], ["b", 2]]), odd("o", v=[["b", 2], ["a", 1]]))
    assert differ(0, odd("-0")), "weft has no -0"
    assert not differ(odd("-0"), 0)
    assert not differ(1.5, 1.5)


def test_a_trace_that_stops_early_differs() -> None:
    trace = [["O", 0], ["R", "del_tables", odd("store")]]
    assert first_difference(trace, trace[:1]) == 1
    assert first_difference(trace[:1], trace) == 1
    assert first_difference(trace, trace) is None


def test_a_seed_gives_one_program() -> None:
    assert generate(7) == generate(7)
    assert generate(7) != generate(8)


def test_the_programs_go_everywhere() -> None:
    called: set[str] = set()
    names: set[str] = set()
    events: set[str] = set()

    def walk(ops: list[Op]) -> None:
        for op in ops:
            names.add(op["op"])
            walk(op.get("ops", []))
            walk((op.get("rollback") or {}).get("ops", []))

    for seed in range(1000):
        program = generate(seed)
        walk(program["ops"])
        for event in run_on_weft(program):
            events.add(event[0])
            if event[0] in {"L", "M"}:
                called.add(event[1].partition("#")[0])
    assert called == {*KINDS, *WILL}
    assert events == set("ORELMFKCD")
    # Every method of the Store is called, but for what only Python has and what is written otherwise.
    methods = {name for name in dir(Store) if name[0] != "_" and callable(getattr(Store, name))}
    written_otherwise = {f"add_{kind}_listener" for kind in KINDS} | {
        f"for_each_{level}" for level in ("table", "table_cell", "row", "cell", "value")
    }
    only_python = {name for name in methods if name.startswith("on_")} | ONLY_PYTHON
    assert methods - written_otherwise - only_python - names == set()


def test_keys_are_ordered_as_javascript_orders_them() -> None:
    keys = ["b", "10", "01", "9", "-1", "4294967294", "4294967295", "", "²", "a", "0"]
    ordered = ["0", "9", "10", "4294967294", "b", "01", "-1", "4294967295", "", "²", "a"]
    assert in_js_order(keys) == ordered


@pytest.mark.interop
@pytest.mark.usefixtures("_node")
def test_node_orders_them_so_too() -> None:
    keys = ["b", "10", "01", "9", "-1", "4294967294", "4294967295", "", "²", "a", "0"]
    row = {"$": "o", "v": [[key, 1] for key in keys]}
    ops = [{"op": "set_row", "args": ["t", "r", row]}, {"op": "get_row", "args": ["t", "r"]}]
    program = {"seed": 0, "corrections": [], "probes": {"cells": [], "values": []}, "ops": ops}
    trace = run_on_tinybase([program])[0]
    assert [key for key, _ in trace[-1][2]["v"]] == in_js_order(keys)
