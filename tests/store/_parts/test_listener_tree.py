"""Where listeners are kept: matching, calling while they change, and what writes may skip."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given, strategies as st

from weft.store import Store
from weft.store._parts.listener_tree import (
    KINDS,
    Leaf,
    ListenerTree,
    call,
    call_all,
    matching,
    rows_watched,
    widened,
)

IDS = st.sampled_from(["a", "b", None])
PATHS = st.tuples(IDS, IDS, IDS)


@given(st.lists(PATHS, max_size=12), st.tuples(IDS, IDS, IDS))
def test_matching_finds_exactly_the_paths_that_fit_most_specific_first(paths: Any, ids: Any) -> None:
    tree = ListenerTree()
    for number, path in enumerate(paths):
        tree.add("cell", path, str(number), lambda: None)
    found = [listener_id for leaf in matching(tree.cell, *ids) for listener_id in leaf.by_id]
    fits = [
        number
        for number, path in enumerate(paths)
        if all(part is None or part == id_ for part, id_ in zip(path, ids, strict=True))
    ]
    # A part that is exact comes before one that is not, table first, then row, then cell.
    fits.sort(key=lambda number: [part is None for part in paths[number]])
    assert found == [str(number) for number in fits]


@given(st.lists(PATHS, max_size=8))
def test_removing_leaves_no_branches(paths: Any) -> None:
    tree = ListenerTree()
    for number, path in enumerate(paths):
        tree.add("cell", path, str(number), lambda: None)
    assert tree.size == len(paths)
    assert (tree.any_cell is not None) == (bool(paths) and set(paths) == {(None, None, None)})
    for number, path in enumerate(paths):
        tree.remove("cell", path, str(number))
    assert not tree
    assert tree.cell == {}
    assert tree.any_cell is None


def test_a_leaf_that_changes_while_it_is_called_leaves_out_the_removed_and_calls_the_added() -> None:
    leaf = Leaf()
    calls: list[str] = []

    def first() -> None:
        calls.append("first")
        if "3" not in leaf.by_id:
            leaf.remove("2")
            leaf.add("3", lambda: calls.append("third"))

    leaf.add("1", first)
    leaf.add("2", lambda: calls.append("second"))
    call([leaf])
    assert calls == ["first", "third"]


def test_calling_all_goes_on_after_errors_and_raises_the_first() -> None:
    calls: list[int] = []

    def failing(number: int) -> Any:
        def fail() -> None:
            calls.append(number)
            raise KeyError(number)

        return fail

    with pytest.raises(KeyError) as caught:
        call_all({"1": failing(1), "2": failing(2)})
    assert caught.value.args == (1,)
    assert calls == [1, 2]
    call_all({})


def interested(interest: Any, table_id: str, row_id: str, cell_id: str) -> bool:
    """The question as the hot path asks it."""
    if interest is None:
        return True
    rows = interest.get(table_id)
    if rows is None or rows is True:
        return rows is True
    cells = rows.get(row_id)
    return cells is not None and (cells is True or cell_id in cells)


def path_length(kind: str) -> int:
    """How many ids a kind listens by."""
    if kind == "sorted_row_ids":
        return 2  # table and cell, whatever else its method takes
    parameters = inspect.signature(getattr(Store, f"add_{kind}_listener")).parameters
    return sum(name.endswith("_id") for name in parameters)


KIND = st.sampled_from(sorted(kind for kind in KINDS if "value" not in kind and "invalid" not in kind))


@given(st.lists(st.tuples(KIND, PATHS), max_size=6), st.tuples(*[st.sampled_from("abc")] * 3))
def test_interest_never_misses_a_listener(listeners: Any, ids: Any) -> None:
    interest: Any = {}
    watched: Any = set()
    concerned = False
    for kind, full_path in listeners:
        path = full_path[: path_length(kind)]
        interest = widened(interest, kind, path)
        watched = rows_watched(watched, kind, path)
        # The paths of kinds with a cell in second place name table and cell; of the others, table, row, cell.
        parts = (ids[0], ids[2]) if kind in {"has_table_cell", "sorted_row_ids"} else ids
        if all(part is None or part == id_ for part, id_ in zip(path, parts, strict=False)):
            concerned = True
    if concerned:
        assert interested(interest, *ids)
        assert watched is None or ids[1] in watched


def test_listeners_to_values_and_refusals_want_no_cells() -> None:
    for kind in ("value", "values", "has_value", "has_values", "value_ids", "invalid_cell", "invalid_value"):
        assert widened({}, kind, (None,) * path_length(kind)) == {}
    assert widened({}, "transaction", ()) is None
    assert widened({"t": True}, "cell", ("t", "r", "c")) == {"t": True}
    assert widened({"t": {"r": True}}, "cell", ("t", "r", "c")) == {"t": {"r": True}}
