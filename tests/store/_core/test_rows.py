"""Writing whole rows, tables and values."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import pytest

from weft import UNDEFINED, Store
from weft.errors import InvalidCellError, InvalidCellTypeError, InvalidIdTypeError, InvalidValueError


@pytest.fixture(params=["plain", "watched", "schema"])
def store(request: pytest.FixtureRequest) -> Store:
    store = Store()
    if request.param == "watched":
        store.add_row_ids_listener(None, lambda *_: None)
        store.add_cell_listener(None, None, None, lambda *_: None)
    elif request.param == "schema":
        cell: Any = {"type": ["number", "string", "array"], "allowNull": True}
        store.set_tables_schema({t: dict.fromkeys("abc", cell) for t in ("t", "u", "v")})
        store.set_values_schema(dict.fromkeys("abc", cell))
    return store


def test_setting_a_row_replaces_its_cells(store: Store) -> None:
    store.set_row("t", "r", {"a": 1, "b": 2.0}).set_row("t", "r", {"b": 2, "c": [3]})
    assert list(store.get_row("t", "r").items()) == [("b", 2), ("c", [3])]
    assert store.get_table_cell_ids("t") == ["b", "c"]


def test_setting_part_of_a_row_keeps_the_others(store: Store) -> None:
    store.set_partial_row("t", "r", {"a": 1}).set_partial_row("t", "r", {"b": 2, "a": 3})
    assert list(store.get_row("t", "r").items()) == [("a", 3), ("b", 2)]


def test_setting_a_table_replaces_its_rows_and_keeps_the_place_of_those_that_stay(store: Store) -> None:
    store.set_table("t", {"x": {"a": 1}, "y": {"a": 2}, "z": {"a": 3}})
    store.set_table("t", {"new": {"b": 1}, "z": {"a": 3}, "x": {"a": 4}})
    assert list(store.get_table("t").items()) == [("x", {"a": 4}), ("z", {"a": 3}), ("new", {"b": 1})]
    assert dict(store._counts["t"]) == {"a": 2, "b": 1}
    store.set_table("t", {"x": {"c": 1}})
    assert store.get_tables() == {"t": {"x": {"c": 1}}}
    assert dict(store._counts["t"]) == {"c": 1}


def test_setting_all_tables_replaces_them(store: Store) -> None:
    store.set_tables({"t": {"x": {"a": 1}}, "u": {"x": {"a": 1}}})
    store.set_tables({"v": {"x": {"a": 1}}, "u": {"y": {"b": 1}}})
    assert list(store.get_tables().items()) == [("u", {"y": {"b": 1}}), ("v", {"x": {"a": 1}})]


def test_setting_values_replaces_or_merges(store: Store) -> None:
    store.set_values({"a": 1, "b": 2}).set_values({"b": 3, "c": 4})
    assert store.get_values() == {"b": 3, "c": 4}
    store.set_partial_values({"a": 5, "b": None})
    assert store.get_values() == {"b": None, "c": 4, "a": 5}


def test_what_is_passed_in_stays_the_callers(store: Store) -> None:
    given: Any = {"t": {"x": {"a": [1]}, "y": {"a": 2.0}}}
    store.set_tables(MappingProxyType(given))
    given["t"]["x"]["a"].append(2)
    given["t"]["x"]["b"] = [2]
    given["t"]["z"] = {"a": 3.0}
    assert store.get_tables() == {"t": {"x": {"a": [1]}, "y": {"a": 2}}}


def test_any_mapping_is_taken(store: Store) -> None:
    proxy = MappingProxyType({"x": MappingProxyType({"a": 1})})
    store.set_table("t", proxy).set_row("u", "r", MappingProxyType({"a": 2}))
    store.set_values(MappingProxyType({"a": 3}))
    assert store.get_content() == ({"t": {"x": {"a": 1}}, "u": {"r": {"a": 2}}}, {"a": 3})


def test_deleting_rows_tables_and_values(store: Store) -> None:
    store.set_tables({"t": {"x": {"a": 1}, "y": {"a": 1, "b": 1}}, "u": {"x": {"a": 1}}}).set_values(
        {"a": 1, "b": 2}
    )
    store.del_row("t", "y").del_row("t", "missing").del_row("missing", "x")
    assert store.get_tables() == {"t": {"x": {"a": 1}}, "u": {"x": {"a": 1}}}
    assert store.get_table_cell_ids("t") == ["a"]
    store.del_row("t", "x")
    assert store.get_table_ids() == ["u"]
    store.set_row("t", "x", {"a": 1}).del_table("u").del_table("missing")
    assert store.get_table_ids() == ["t"]
    store.del_tables().del_tables().del_values().del_values()
    assert store.get_content() == ({}, {})


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


@pytest.mark.parametrize(
    ("write", "place"),
    [
        (lambda s: s.set_row("t", "r", {"a": 1, "b": math.nan}), ("t", "r", "b")),
        (lambda s: s.set_partial_row("t", "r", {"a": 1, "b": b""}), ("t", "r", "b")),
        (lambda s: s.set_row("t", "r", {}), ("t", "r", None)),
        (lambda s: s.set_row("t", "r", [1]), ("t", "r", None)),
        (lambda s: s.set_partial_row("t", "r", {}), ("t", "r", None)),
        (lambda s: s.add_row("t", {}), ("t", None, None)),
        (lambda s: s.add_row("t", {"a": "\ud800"}), ("t", None, "a")),
        (lambda s: s.set_table("t", {}), ("t", None, None)),
        (lambda s: s.set_table("t", {"r": {"a": 1}, "q": {}}), ("t", "q", None)),
        (lambda s: s.set_table("t", None), ("t", None, None)),
        (lambda s: s.set_tables({}), (None, None, None)),
        (lambda s: s.set_tables({"t": {"r": {"a": 1}}, "u": {}}), ("u", None, None)),
        (lambda s: s.set_tables({"t": {"r": {"a": 2**53}}}), ("t", "r", "a")),
        (lambda s: s.set_tables("x"), (None, None, None)),
    ],
)
def test_one_bad_piece_raises_before_anything_changes(write: Any, place: tuple[str | None, ...]) -> None:
    store = Store().set_tables({"t": {"r": {"a": 0}}})
    for _ in range(2):
        with pytest.raises(InvalidCellError) as caught:
            write(store)
        assert (caught.value.table_id, caught.value.row_id, caught.value.cell_id) == place
        assert store.get_tables() == {"t": {"r": {"a": 0}}}
        store.add_cell_listener(None, None, None, lambda *_: None)  # and the same on the other paths


def test_what_is_no_mapping_is_a_type_error() -> None:
    store: Any = Store()
    for method, args in (
        (store.set_row, ("t", "r", 1)),
        (store.set_table, ("t", {"r": "x"})),
        (store.set_tables, ([],)),
    ):
        with pytest.raises(InvalidCellTypeError, match="mapping"):
            method(*args)


@pytest.mark.parametrize("values", [{}, {"a": 1, "b": math.nan}, 1, None, {"a": {1}}])
def test_one_bad_value_raises_before_anything_changes(values: Any) -> None:
    store = Store().set_value("a", 0)
    with pytest.raises(InvalidValueError):
        store.set_values(values)
    with pytest.raises(InvalidValueError):
        store.set_partial_values(values)
    assert store.get_values() == {"a": 0}


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s.set_tables({1: {"r": {"a": 1}}}),
        lambda s: s.set_tables({"t": {1: {"a": 1}}}),
        lambda s: s.set_tables({"t": {"r": {1: 1}}}),
        lambda s: s.set_table(None, {"r": {"a": 1}}),
        lambda s: s.set_row("t", 1, {"a": 1}),
        lambda s: s.set_partial_row(1, "r", {"a": 1}),
        lambda s: s.add_row(1, {"a": 1}),
        lambda s: s.set_values({1: 1}),
    ],
)
def test_ids_are_text_at_every_level(write: Any) -> None:
    store = Store()
    with pytest.raises(InvalidIdTypeError):
        write(store)
    assert store.get_content() == ({}, {})
    lenient = Store(on_invalid="ignore")
    heard: list[object] = []
    lenient.add_invalid_cell_listener(None, None, None, lambda *args: heard.append(args))
    lenient.add_invalid_value_listener(None, lambda *args: heard.append(args))
    write(lenient)
    assert lenient.get_content() == ({}, {})
    assert len(heard) == 1


def test_with_ignore_the_good_pieces_are_kept_and_the_bad_reported() -> None:
    store = Store(on_invalid="ignore")
    heard: list[Any] = []
    store.add_invalid_cell_listener(None, None, None, lambda _s, *args: heard.append(args))
    store.set_tables({"t": {"r": {"a": 1, "b": math.inf}, "s": {}}, "u": {}, "v": {"r": {"a": b""}}})
    assert store.get_tables() == {"t": {"r": {"a": 1}}}
    assert heard == [
        ("t", "r", "b", [math.inf]),
        ("t", "s", None, [UNDEFINED]),
        ("u", None, None, [UNDEFINED]),
        ("v", "r", "a", [b""]),
    ]
    heard.clear()
    assert store.add_row("t", {}) is None
    assert store.add_row("t", {"a": b""}) is None
    store.set_tables({})
    assert heard == [
        ("t", None, None, [UNDEFINED]),
        ("t", None, "a", [b""]),
        (None, None, None, [UNDEFINED]),
    ]
    assert store.add_row("t", {"a": 1}) == "0"
