"""Every entry of docs/tinybase-differences.md, shown on both sides.

Where the difference is a fault of TinyBase that random programs may meet, the oracle can correct it
(interop/store_corrections.mjs): then the programs here must differ without the correction, so that it is
needed, and agree with it, so that it is enough.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from differential.language import obj, odd
from differential.oracle import first_difference, run_on_tinybase
from differential.runner import run_on_weft

if TYPE_CHECKING:
    from differential.language import Event, Op, Program, Value

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("_node")]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tinybase-differences.md"
CORRECTIONS = ROOT / "interop" / "store_corrections.mjs"

UNDEFINED = odd("undefined")
LONE = "\ud800"


def call(name: str, *args: Value) -> Op:
    return {"op": name, "args": list(args)}


def listen(kind: str, *ids: str | None, **more: Any) -> Op:
    return {"op": "add_listener", "kind": kind, "ids": list(ids), "label": kind, **more}


def program(*ops: Op, corrections: tuple[str, ...] = ()) -> Program:
    probes: dict[str, Any] = {"cells": [["t", "r", "c"]], "values": ["v"]}
    return {"seed": 0, "corrections": list(corrections), "probes": probes, "ops": list(ops)}


def last(trace: list[Event]) -> list[Event]:
    """Give the events of the last operation, without its beginning."""
    start = max(index for index, event in enumerate(trace) if event[0] == "O")
    return trace[start + 1 :]


def both(*ops: Op) -> tuple[list[Event], list[Event]]:
    """Run operations on TinyBase as published and on weft; give the events of the last on each."""
    one = program(*ops)
    return last(run_on_tinybase([one])[0]), last(run_on_weft(one))


NO_OBJECTS: list[Value] = [None, 5, UNDEFINED]
SORT: Op = {"table_id": "t", "cell_id": "c", "descending": False, "offset": 0}
SCHEMA = call("set_tables_schema", obj({"t": obj({"c": obj({"type": "string", "default": "x"})})}))
CANCEL: Op = {"op": "middleware", "label": "will", "budget": 9, "do": "cancel"}


def undone(*ops: Op) -> Op:
    """Run operations in a transaction that is rolled back."""
    return {"op": "transaction", "ops": list(ops), "returns": None, "rollback": {"returns": True}}


UNDO: Op = {"op": "checkpoints", "name": "go_backward"}

# Correction to programs that need it, each the smallest that shows one side of the fault.
CORRECTED: dict[str, list[list[Op]]] = {
    "rollback-restores-everything": [
        # An object cell, the order of cells, the ids to come, and what a schema misses.
        [
            call("set_cell", "t", "r", "c", obj({"a": 1})),
            undone(call("del_row", "t", "r")),
        ],
        [
            call("set_row", "t", "r", obj({"a": 1, "b": 2})),
            undone(call("del_cell", "t", "r", "a")),
        ],
        [
            undone(call("add_row", "t", obj({"a": 1}))),
            call("set_row", "t", "r", obj({"a": 1})),
            undone(call("add_row", "t", obj({"a": 1}))),
            call("add_row", "t", obj({"a": 1})),
        ],
        [
            listen("invalid_cell", None, None, None),
            call("set_tables_schema", obj({"t": obj({k: obj({"type": "string"}) for k in "ab"})})),
            call("set_row", "t", "r", obj({"a": "x"})),
            undone(call("del_tables")),
        ],
    ],
    "defaults-need-an-object": [
        [SCHEMA, listen("invalid_cell", None, None, None), call("set_row", "t", "r", thing)]
        for thing in NO_OBJECTS
    ]
    + [
        [
            call("set_values_schema", obj({"v": obj({"type": "string"})})),
            listen("invalid_value", None),
            call("set_values", thing),
        ]
        for thing in NO_OBJECTS
    ],
    "object-defaults-are-valid": [
        [
            call("set_tables_schema", obj({"t": obj({"c": obj({"type": "array", "default": [1]})})})),
            listen("invalid_cell", None, None, None),
            call("set_row", "t", "r", obj({})),
        ],
        [
            listen("invalid_value", None),
            call("set_values_schema", obj({"v": obj({"type": "object", "default": obj({})})})),
        ],
    ],
    "json-setters-leave-listeners-alone": [
        [listen("tables", budget=1, throw="boom"), call("set_tables_json", '{"t":{"r":{"c":1}}}')],
        [listen("values", budget=1, throw="boom"), call("set_values_json", '{"v":1}')],
        [
            {**CANCEL, "kind": "will_set_table", "throw": "boom"},
            call("set_json", '[{"t":{"r":{"c":1}}},{}]'),
        ],
        [
            listen("table", "t", budget=1, mutator=True, ops=[call("set_cell", "t", "r", "d", "\ufffd[1]")]),
            call("set_tables_json", '{"t":{"r":{"c":1}}}'),
        ],
    ],
    "statistics-count-listeners": [
        [
            {**listen("sorted_row_ids"), "sort": SORT, "form": "args"},
            {**listen("sorted_row_ids"), "sort": SORT, "form": "positional"},
            {"op": "get_listener_stats"},
        ],
    ],
    "sorting-leaves-changes-alone": [
        [
            {**listen("sorted_row_ids"), "sort": SORT, "form": "args"},
            listen("tables"),
            call("set_cell", "t", "r", "c", 1),
            {
                "op": "transaction",
                "ops": [
                    call("set_cell", "t", "r", "c", 2),
                    call("set_cell", "t", "r", "c", 1),
                    call("set_cell", "t", "r", "d", 1),
                ],
                "returns": None,
            },
        ],
    ],
    "nothing-stays-empty": [
        [{**CANCEL, "kind": "will_set_cell"}, call("set_row", "t", "r", obj({"c": 1}))],
        [{**CANCEL, "kind": "will_set_row"}, call("set_table", "t", obj({"r": obj({"c": 1})}))],
        [
            call("set_cell", "t", "r", "c", 1),
            {**CANCEL, "kind": "will_set_row", "do": "drop", "path": ["d"]},
            call("set_table", "t", obj({"r": obj({"d": 1}), "s": obj({"c": 2})})),
        ],
    ],
    "undo-asks-no-middleware": [
        [
            {"op": "checkpoints", "name": "get_checkpoint_ids"},
            {**CANCEL, "kind": "will_set_value", "do": "pass"},
            call("set_values_schema", obj({"v": obj({"type": "string", "default": "x"})})),
            UNDO,
        ],
    ],
}


@pytest.mark.parametrize("name", CORRECTED)
def test_a_correction_is_needed_and_enough(name: str) -> None:
    for ops in CORRECTED[name]:
        plain = program(*ops)
        corrected = program(*ops, corrections=(name,))
        published, mended = run_on_tinybase([plain, corrected])
        ours = run_on_weft(plain)
        assert first_difference(published, ours) is not None, ops
        assert first_difference(mended, ours) is None, ops


def test_the_list_of_corrections_is_whole() -> None:
    assert set(
        re.findall(r"^  '([a-z-]+)': \[", CORRECTIONS.read_text(encoding="utf-8"), re.MULTILINE)
    ) == set(CORRECTED)


# The other entries: a test of the same name for each.


def test_ids_are_text() -> None:
    theirs, ours = both(call("set_cell", 1, "r", "c", 1))
    assert theirs[-1][1] == '[{"1":{"r":{"c":1}}},{}]'
    assert ours[-1][1] == "[{},{}]"


@pytest.mark.parametrize(
    "op",
    [
        call("set_cell", LONE, "r", "c", 1),
        call("set_cell", "t", "r", "c", LONE),
        call("set_cell", "t", "r", "c", [LONE]),
        call("set_tables_json", '{"t":{"r":{"c":"\\ud800"}}}'),
        call("set_tables_json", '{"\\udc00":{"r":{"c":1}}}'),
    ],
)
def test_no_lone_surrogates(op: Op) -> None:
    theirs, ours = both(op)
    assert theirs[-1][1] != "[{},{}]"
    assert ours[-1][1] == "[{},{}]"


def test_no_negative_zero() -> None:
    theirs, ours = both(call("set_cell", "t", "r", "c", odd("-0")), call("get_cell", "t", "r", "c"))
    assert theirs == [["R", "get_cell", odd("-0")]]
    assert ours == [["R", "get_cell", 0]]
    assert type(ours[0][2]) is int


@pytest.mark.parametrize("inside", [UNDEFINED, odd("nan"), odd("date"), odd("instance"), odd("function")])
def test_objects_are_strict_json(inside: Value) -> None:
    theirs, ours = both(call("set_cell", "t", "r", "c", obj({"a": inside})))
    assert theirs[-1][1].startswith('[{"t":{"r":{"c":"\ufffd{')
    assert ours[-1][1] == "[{},{}]"


def test_equal_objects_are_equal() -> None:
    def pairs(*keys: str) -> Value:
        return {"$": "o", "v": [[key, 1] for key in keys]}

    theirs, ours = both(
        listen("cell", None, None, None),
        call("set_cell", "t", "r", "c", pairs("a", "b")),
        call("set_cell", "t", "r", "c", pairs("b", "a")),
    )
    assert [event[0] for event in theirs] == ["L", "R", "D"]
    assert [event[0] for event in ours] == ["R"]


def test_bounded_depth() -> None:
    deep: Value = []
    for _ in range(200):
        deep = [deep]
    theirs, ours = both(call("set_cell", "t", "r", "c", deep))
    assert "\ufffd[[[" in theirs[-1][1]
    assert ours[-1][1] == "[{},{}]"
    theirs, ours = both(call("set_cell", "t", "r", "c", deep[0]))
    assert theirs == ours
    schema = obj({"v": obj({"type": "array", "default": odd("cyclic")})})
    theirs, ours = both(call("set_values_schema", schema))
    assert theirs[0] == ["E", "set_values_schema", ""]
    assert ours[0] == ["R", "set_values_schema", odd("store")]


def test_json_without_duplicates() -> None:
    theirs, ours = both(call("set_values_json", '{"v":1,"v":2}'))
    assert theirs[-1][1] == '[{},{"v":2}]'
    assert ours[-1][1] == "[{},{}]"


def test_json_of_a_string() -> None:
    theirs, ours = both(listen("invalid_value", None), call("set_json", '"ab"'))
    assert theirs[0] == ["L", "invalid_value", True, UNDEFINED, [UNDEFINED]]
    assert [event[0] for event in ours] == ["R"]


def test_order_of_ids() -> None:
    backwards = {"$": "o", "v": [["b", 1], ["1", 2]]}
    theirs, ours = both(call("set_row", "t", "r", backwards))
    assert theirs[-1][2][0][3] == [["r", ["1", "b"]]]
    assert ours[-1][2][0][3] == [["r", ["b", "1"]]]
    assert theirs[-1][1] == ours[-1][1] == '[{"t":{"r":{"1":2,"b":1}}},{}]'
    schema = obj({"t": obj({"1": obj({"type": "number", "default": 7}), "b": obj({"type": "number"})})})
    theirs, ours = both(call("set_tables_schema", schema), call("set_row", "t", "r", obj({"b": 1})))
    assert theirs[-1][2][0][3] == [["r", ["1", "b"]]]
    assert ours[-1][2][0][3] == [["r", ["b", "1"]]]
    # Setting a schema rewrites what is there, in TinyBase's order on both sides.
    theirs, ours = both(
        *(call("set_cell", "t", row, "c", "x") for row in ("10", "b", "9")), SCHEMA, call("get_row_ids", "t")
    )
    assert theirs == ours == [["R", "get_row_ids", ["9", "10", "b"]]]


def test_sorting_without_order() -> None:
    # What is promised: with fewer than 64 rows the result is the same. See test_sorting.py for many more.
    cells = [5, "a", 3, "10", "b", 1, "", 7, "c", 2] * 6
    ops = [call("set_cell", "t", f"r{index}", "c", cell) for index, cell in enumerate(cells)]
    theirs, ours = both(*ops, {"op": "get_sorted_row_ids", "sort": SORT, "form": "positional"})
    assert theirs == ours


def test_none_for_nothing() -> None:
    # The runner evens these out for the comparison; here they are looked at as they are.
    from weft.store import Store, create_checkpoints

    store = Store(on_invalid="ignore")
    assert store.add_row("t", {}) is None
    assert store.get_cell("t", "r", "c") is None
    assert store.get_value("v") is None
    assert store.has_tables_schema() is False
    assert store.has_values_schema() is False
    heard: list[tuple[object, ...]] = []
    store.add_did_finish_transaction_listener(lambda _: heard.append((store.transaction(lambda: 1),)))
    row_count = store.add_row_count_listener("t", lambda *args: heard.append(args))
    store.add_invalid_cell_listener(None, None, None, lambda *args: heard.append(args))
    store.call_listener(row_count)
    store.set_tables({})
    assert heard == [(store, "t", None), (store, None, None, None, [store_undefined()]), (None,)]
    checkpoints = create_checkpoints(store)
    store.set_value("v", 1)
    assert checkpoints.get_checkpoint_ids() == (["0"], None, [])
    assert checkpoints.get_checkpoint("9") is None
    theirs, _ = both({"op": "has_tables_schema"})
    assert theirs[0] == ["R", "has_tables_schema", UNDEFINED]
    theirs, _ = both(call("add_row", "t", obj({})))
    assert theirs[0] == ["R", "add_row", UNDEFINED]


def store_undefined() -> object:
    from weft import UNDEFINED as ABSENT

    return ABSENT


def test_finish_what_you_started() -> None:
    theirs, ours = both(
        listen("did_finish_transaction"),
        listen("tables", mutator=True, budget=1, ops=[call("finish_transaction")]),
        call("set_cell", "t", "r", "c", 1),
    )
    assert [event[1] for event in theirs].count("did_finish_transaction") == 2
    assert [event[1] for event in ours].count("did_finish_transaction") == 1


@pytest.mark.parametrize(
    "changes", [5, [], [obj({"t": None}), obj({}), 1], [obj({"t": obj({"r": None})}), obj({}), 1]]
)
def test_malformed_changes(changes: Value) -> None:
    theirs, ours = both(call("set_cell", "t", "r", "c", 1), call("apply_changes", changes))
    assert theirs[0] == ["E", "apply_changes", ""]
    assert ours == [["R", "apply_changes", odd("store")]]


def test_malformed_middleware() -> None:
    will = {**CANCEL, "kind": "will_set_table", "do": "const"}
    theirs, ours = both({**will, "v": None}, call("set_table", "t", obj({"r": obj({"c": 1})})))
    assert theirs[-1] == ["E", "set_table", ""]
    assert ours[-1] == ["R", "set_table", odd("store")]
    theirs, ours = both(
        {**will, "v": 5},
        call("set_cell", "t", "r", "c", 1),
        call("set_table", "t", obj({"r": obj({"c": 2})})),
    )
    assert theirs[-1][1] == "[{},{}]"
    assert ours[-1] == ["R", "set_table", odd("store")]
    will = {**CANCEL, "kind": "will_set_content", "do": "const", "v": [obj({})]}
    theirs, ours = both(call("set_value", "v", 1), will, call("set_content", [obj({}), obj({"v": 2})]))
    assert theirs[-1] == ["E", "set_content", ""]
    assert ours[-1] == ["R", "set_content", odd("store")]


def test_middleware_gives_no_encoded_objects() -> None:
    will = {**CANCEL, "kind": "will_set_cell", "do": "const"}
    theirs, ours = both(
        {**will, "v": "\ufffd[1]"}, call("set_cell", "t", "r", "c", 1), call("get_cell", "t", "r", "c")
    )
    assert theirs == [["R", "get_cell", [1]]]
    assert ours == [["R", "get_cell", UNDEFINED]]
    theirs, ours = both({**will, "v": "\ufffdx"}, call("set_cell", "t", "r", "c", 1))
    assert theirs[1] == ["E", "set_cell", ""]
    assert ours[1] == ["R", "set_cell", odd("store")]


def test_undo_is_ones_own() -> None:
    from weft.store import Store, create_checkpoints
    from weft.store.replica import Replica

    kept = []
    for include_remote in (True, False):  # TinyBase's own, and ours
        store = Store().set_value("v", 0)
        checkpoints = create_checkpoints(store, include_remote=include_remote)
        store.set_value("v", 1)
        Replica(store).receive({}, {"v": 2, "w": 2}, print)
        checkpoints.go_backward()
        kept.append(store.get_values())
    assert kept == [{"v": 0}, {"v": 2, "w": 2}]


def test_row_ids_of_shared_stores() -> None:
    from weft.store import Store
    from weft.store.replica import Replica

    theirs, ours = both(call("add_row", "t", obj({"c": 1})))
    assert theirs[0] == ours[0] == ["R", "add_row", "0"]
    shared, counting = Store(), Store(row_ids="counter")
    for store in (shared, counting):
        Replica(store).on_finish(lambda: None)
    assert len(str(shared.add_row("t", {"c": 1}))) == 16
    assert counting.add_row("t", {"c": 1}) == "0"


def test_new_after_destroy() -> None:
    from weft.store import Store, create_checkpoints

    store = Store()
    old = create_checkpoints(store)
    old.destroy()
    new = create_checkpoints(store)
    assert new is not old
    store.set_value("v", 1)
    assert old.get_checkpoint_ids() == ([], "0", [])
    assert new.get_checkpoint_ids() == (["0"], None, [])


def test_go_to_ends() -> None:
    from weft.store import Store, create_checkpoints

    store = Store()
    checkpoints = create_checkpoints(store)
    for number in range(3):
        store.set_value("v", number)
        checkpoints.add_checkpoint()
    # TinyBase would go on for ever here, so that only our side can be shown.
    store.add_value_listener("v", lambda *_: checkpoints.clear())
    checkpoints.go_to("0")
    assert checkpoints.has_checkpoint("0")


def test_the_page_lists_what_is_tested_here() -> None:
    listed = re.findall(r"^- \*\*`([a-z-]+)`\*\*", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    tested = {name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")}
    about_the_list = {
        "a-correction-is-needed-and-enough",
        "the-list-of-corrections-is-whole",
        "the-page-lists-what-is-tested-here",
    }
    assert sorted(listed) == sorted(tested - about_the_list | set(CORRECTED))
