"""The seam of mirrors and persisters: what a transaction did, in stored form, with parts left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from weft import UNDEFINED, Store
from weft.store.replica import Replica
from weft.values import EncodedCell


@pytest.fixture
def store() -> Store:
    return Store().set_content(
        ({"t": {"r": {"a": 1, "b": [2]}, "s": {"a": 3}}, "u": {"q": {"x": 1, "y": 2}}}, {"v": 1, "w": 2})
    )


def test_stored_changes_list_every_cell_in_stored_form(store: Store) -> None:
    assert store._stored_changes() == ({}, {})
    assert store._removed() == (set(), set())
    assert store._log_length() == 0
    seen: list[Any] = []
    store.add_did_finish_transaction_listener(
        lambda _: seen.append((store._stored_changes(), store._removed()))
    )
    with store.transaction():
        store.del_table("u").set_cell("t", "r", "b", [2, 3]).del_row("t", "s").set_row("n", "r", {"c": {}})
        store.set_cell("t", "r", "a", 5).set_cell("t", "r", "a", 1)
        store.set_value("v", [1]).del_value("w").set_value("x", 1).del_value("x")
        assert store._log_length() > 0
    cells: Any = {
        "u": {"q": {"x": UNDEFINED, "y": UNDEFINED}},
        "t": {"r": {"b": EncodedCell("\ufffd[2,3]")}, "s": {"a": UNDEFINED}},
        "n": {"r": {"c": EncodedCell("\ufffd{}")}},
    }
    assert seen == [((cells, {"v": "\ufffd[1]", "w": UNDEFINED}), ({"u"}, {("u", "q"), ("t", "s")}))]
    assert type(seen[0][0][0]["t"]["r"]["b"]) is EncodedCell
    store.set_cell("t", "r", "a", 7).set_cell("t", "r", "z", 8).set_cell("t", "new", "a", 9)
    assert [changes for changes, _ in seen[1:]] == [
        ({"t": {"r": {"a": 7}}}, {}),
        ({"t": {"r": {"z": 8}}}, {}),
        ({"t": {"new": {"a": 9}}}, {}),
    ]


def test_what_was_touched_only_in_the_skipped_ranges_is_left_out(store: Store) -> None:
    with store.transaction():
        store.set_cell("t", "r", "a", 10)
        first = store._log_length()
        store._apply_stored({"t": {"r": {"a": 11, "b": 12}, "new": {"c": 1}}}, {"v": 5})
        second = store._log_length()
        store.set_cell("t", "s", "a", 30).set_cell("t", "new", "c", 2).set_value("w", 3)
        third = store._log_length()
        store._apply_stored({"u": {"q": {"x": 9}}}, {"w": 4})
        fourth = store._log_length()
        ranges = [(first, second), (third, fourth)]
        assert store._stored_changes(ranges) == (
            {"t": {"r": {"a": 11}, "s": {"a": 30}, "new": {"c": 2}}},
            {"w": 4},
        )
        assert store._stored_changes([(0, fourth)]) == ({}, {})
        store.set_cell("t", "r", "b", [2])
        assert store._stored_changes(ranges)[0]["t"]["r"]["b"] == "\ufffd[2]", (
            "touched inside: told, though as before"
        )
        assert "b" not in store._stored_changes()[0]["t"]["r"]


def test_emptied_is_not_removed(store: Store) -> None:
    with store.transaction():
        store.del_cell("t", "s", "a").del_cell("u", "q", "x").del_cell("u", "q", "y")
        assert store._removed() == (set(), set())
        store.set_row("u", "q", {"x": 1}).del_row("u", "q")
        assert store._removed() == (set(), {("u", "q")}), (
            "the row as a container, the table only for want of rows"
        )
        store.set_tables({"t": {"z": {"a": 1}}})
        assert store._removed() == (set(), {("u", "q"), ("t", "r")})
        store.set_row("t", "r", {"a": 1})
        assert store._removed() == (set(), {("u", "q")}), "it is there again"
    with store.transaction():
        store.set_table("u", {"q": {"x": 1}}).del_tables().set_cell("t", "z", "new", 1)
        assert store._removed() == ({"u"}, {("u", "q"), ("t", "r")})


def test_the_changes_are_still_there_for_did_finish_listeners_of_a_rollback(store: Store) -> None:
    seen: list[Any] = []
    store.add_did_finish_transaction_listener(
        lambda _: seen.append((store._stored_changes(), store._removed()))
    )
    store.transaction(lambda: store.del_tables(), lambda _: True)  # noqa: PLW0108
    assert seen == [(({}, {}), (set(), set()))]


def test_hooks_are_called_when_an_outermost_transaction_is_over_however_it_ended(store: Store) -> None:
    calls: list[object] = []
    store.add_did_finish_transaction_listener(lambda _: None)

    def hook() -> None:
        assert not Replica(store).is_busy
        calls.append(store.get_value("v"))
        if store.get_value("v") == 2:
            store.set_value("v", 3)

    unhook = store._on_transaction_end(hook)
    with store.transaction(), store.transaction():
        assert Replica(store).is_busy
        store.set_value("v", 2)
    assert calls == [2, 3]
    with pytest.raises(ZeroDivisionError):
        store.transaction(lambda: 1 / 0)
    assert calls == [2, 3, 3]
    store.set_cell("t", "r", "a", 9)
    assert len(calls) == 4
    unhook()
    store.set_value("v", 5)
    assert len(calls) == 4


def test_in_a_received_transaction_listeners_that_fail_are_reported_and_stop_nothing(store: Store) -> None:
    errors: list[Exception] = []
    calls: list[str] = []

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    store.add_start_transaction_listener(fail)
    store.add_cell_listener(None, None, None, fail, mutator=True)
    store.add_will_finish_transaction_listener(fail)
    store.add_cell_listener(None, None, None, fail)
    store.add_did_finish_transaction_listener(fail)
    store.add_did_finish_transaction_listener(lambda _: calls.append("did"))
    with store._received_transaction("peer", errors.append):
        store._apply_stored({"t": {"r": {"a": 99}}}, {})
    assert store.get_cell("t", "r", "a") == 99
    assert [type(error) for error in errors] == [ZeroDivisionError] * 5
    assert calls == ["did"]
    with pytest.raises(ZeroDivisionError):
        store.set_cell("t", "r", "a", 1)
    assert store.get_cell("t", "r", "a") == 99, "a local transaction is rolled back as ever"


PATHS = st.tuples(st.sampled_from("tu"), st.sampled_from("rs"), st.sampled_from("ab"))
WRITES = st.lists(st.tuples(st.booleans(), PATHS, st.integers(0, 2) | st.none() | st.just([1])), max_size=12)


@given(WRITES, WRITES)
def test_skipping_agrees_with_the_writes_made_outside(before: Any, writes: Any) -> None:
    """The residual is what local writes touched, with the final content, whatever came between."""
    store: Any = Store()
    for _, path, cell in before:
        store.set_cell(*path, cell)
    old = {path: store.get_cell(*path, default=UNDEFINED) for _, path, _ in writes}
    ranges = []
    local: set[Any] = set()
    received: set[Any] = set()
    with store.transaction():
        for is_local, (t, r, c), cell in writes:
            was = store.get_cell(t, r, c, UNDEFINED)
            start = store._log_length()
            if is_local and cell is None:
                store.del_cell(t, r, c)
            elif is_local:
                store.set_cell(t, r, c, cell)
            else:
                store._apply_stored({t: {r: {c: UNDEFINED if cell is None else cell}}}, {})
                ranges.append((start, store._log_length()))
            if store.get_cell(t, r, c, UNDEFINED) != was:
                (local if is_local else received).add((t, r, c))
        expected = {
            path: store.get_cell(*path, default=UNDEFINED)
            for path in local
            if path in received or store.get_cell(*path, default=UNDEFINED) != old[path]
        }
        told = {
            (t, r, c): cell.decode() if isinstance(cell, EncodedCell) else cell
            for t, rows in store._stored_changes(ranges)[0].items()
            for r, cells in rows.items()
            for c, cell in cells.items()
        }
    assert told == expected
