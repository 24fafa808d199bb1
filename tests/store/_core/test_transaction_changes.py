"""What a transaction tells of itself, and in stored form, with parts left out, to mirrors and persisters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from weft import UNDEFINED, Store
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


def test_the_changes_are_still_there_for_did_finish_listeners_of_a_rollback(store: Store) -> None:
    seen: list[Any] = []
    store.add_did_finish_transaction_listener(
        lambda _: seen.append((store._stored_changes(), store._removed()))
    )
    store.transaction(lambda: store.del_tables(), lambda _: True)  # noqa: PLW0108
    assert seen == [(({}, {}), (set(), set()))]


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


# What a transaction tells of itself, to anybody.


def test_the_changes_are_net_and_stand_at_the_highest_level_removed() -> None:
    store = Store().set_content(
        (
            {"t": {"b": {"x": 1, "y": 2}, "a": {"x": [1]}, "c": {"y": 3}}, "u": {"1": {"x": 2}}},
            {"open": True, "names": ["a"]},
        )
    )
    seen: list[Any] = []
    store.add_did_finish_transaction_listener(lambda _: seen.append(store.get_transaction_changes()))
    with store.transaction():
        store.set_cell("t", "a", "x", 2).set_cell("t", "a", "x", [1])
        store.del_cell("t", "c", "y")
        store.set_cell("t", "b", "y", 2).del_cell("t", "b", "x")
        store.del_table("u")
        store.set_cell("new", "r", "c", 1).del_table("new")
        store.set_value("open", False).set_value("open", True).del_value("names")
        assert store.get_transaction_changes() == (
            {"t": {"c": UNDEFINED, "b": {"x": UNDEFINED}}, "u": UNDEFINED},
            {"names": UNDEFINED},
            1,
        )
    assert seen == [({"t": {"c": UNDEFINED, "b": {"x": UNDEFINED}}, "u": UNDEFINED}, {"names": UNDEFINED}, 1)]


def test_the_log_has_tinybases_ten_parts() -> None:
    store: Any = Store(on_invalid="ignore").set_tables({"t": {"r": {"a": 1}}}).set_value("v", 1)
    logs: list[Any] = []
    store.add_did_finish_transaction_listener(lambda _: logs.append(store.get_transaction_log()))
    with store.transaction():
        store.set_cell("t", "r", "b", [1]).set_cell("t", "r", "bad", b"").del_cell("t", "r", "a")
        store.set_row("u", "r", {"c": 1}).set_value("w", 1).set_value("v", b"").set_cell("t", "r", "b", [2])
    assert logs == [
        (
            True,
            True,
            {
                "t": {"r": {"b": (UNDEFINED, "\ufffd[2]"), "a": (1, UNDEFINED)}},
                "u": {"r": {"c": (UNDEFINED, 1)}},
            },
            {"t": {"r": {"bad": [b""]}}},
            {"w": (UNDEFINED, 1)},
            {"v": [b""]},
            {"u": 1},
            {"u": {"r": 1}},
            {"t": {"r": {"b": 1, "a": -1}}, "u": {"r": {"c": 1}}},
            {"w": 1},
        )
    ]
    assert store.get_transaction_log() == (False, False, {}, {}, {}, {}, {}, {}, {}, {})
