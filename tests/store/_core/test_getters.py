"""The getters: what is there, what is absent, and that it is the caller's own."""

from __future__ import annotations

from typing import Any

import pytest

from weft import UNDEFINED, Store
from weft.errors import InvalidIdTypeError


@pytest.fixture
def store() -> Store:
    return Store().set_content(
        (
            {"t": {"r": {"a": 1, "b": [1]}, "s": {"b": None, "c": "x"}}, "u": {"1": {"a": True}}},
            {"v": {"k": 1}, "w": 0},
        )
    )


def test_what_is_there_is_given(store: Store) -> None:
    tables = {"t": {"r": {"a": 1, "b": [1]}, "s": {"b": None, "c": "x"}}, "u": {"1": {"a": True}}}
    values = {"v": {"k": 1}, "w": 0}
    assert store.get_content() == (tables, values)
    assert store.get_tables() == tables
    assert store.get_table("t") == tables["t"]
    assert store.get_row("t", "s") == {"b": None, "c": "x"}
    assert store.get_cell("t", "r", "b") == [1]
    assert store.get_values() == values
    assert store.get_value("v") == {"k": 1}
    assert store.get_table_ids() == ["t", "u"]
    assert store.get_table_cell_ids("t") == ["a", "b", "c"]
    assert store.get_row_ids("t") == ["r", "s"]
    assert store.get_row_count("t") == 2
    assert store.get_cell_ids("t", "s") == ["b", "c"]
    assert store.get_value_ids() == ["v", "w"]
    assert store.has_tables()
    assert store.has_table("u")
    assert store.has_table_cell("t", "c")
    assert store.has_row("u", "1")
    assert store.has_cell("t", "s", "b"), "a None cell is there"
    assert store.has_values()
    assert store.has_value("w")
    assert not store.is_mergeable()


@pytest.mark.parametrize("store", [Store(), Store().set_content(({"t": {"r": {"c": 1}}}, {"v": 1}))])
def test_what_is_absent_is_empty(store: Store) -> None:
    assert store.get_table("x") == {}
    assert store.get_row("x", "y") == store.get_row("t", "y") == {}
    assert store.get_table_cell_ids("x") == store.get_row_ids("x") == store.get_cell_ids("x", "y") == []
    assert store.get_cell_ids("t", "y") == []
    assert store.get_row_count("x") == 0
    assert store.get_sorted_row_ids("x") == []
    assert not store.has_table("x")
    assert not store.has_table_cell("t", "x")
    assert not store.has_table_cell("x", "x")
    assert not store.has_row("t", "x")
    assert not store.has_row("x", "x")
    assert not store.has_cell("t", "r", "x")
    assert not store.has_cell("x", "y", "z")
    assert not store.has_value("x")


@pytest.mark.parametrize("place", [("x", "r", "c"), ("t", "x", "c"), ("t", "r", "x")])
def test_an_absent_cell_is_the_default(place: tuple[str, str, str]) -> None:
    store = Store().set_content(({"t": {"r": {"c": 1}}}, {}))
    assert store.get_cell(*place) is None
    assert store.get_cell(*place, default=5) == 5
    assert store.get_cell(*place, UNDEFINED) is UNDEFINED
    assert store.get_value("x") is None
    assert store.get_value("x", default="d") == "d"


def test_a_none_cell_is_not_the_default() -> None:
    store = Store().set_cell("t", "r", "c", None).set_value("v", None)
    assert store.get_cell("t", "r", "c", default=5) is None
    assert store.get_value("v", default=5) is None


def test_what_is_given_is_the_callers_own(store: Store) -> None:
    before = store.get_json()
    givens: list[Any] = [
        store.get_tables(),
        store.get_values(),
        store.get_table("t"),
        store.get_row("t", "r"),
    ]
    givens[0]["t"]["r"]["a"] = 9
    givens[0]["t"]["r"]["b"].append(9)
    givens[1]["v"]["k"] = 9
    givens[2].clear()
    givens[3].clear()
    for ids in (
        store.get_table_ids(),
        store.get_row_ids("t"),
        store.get_cell_ids("t", "r"),
        store.get_value_ids(),
    ):
        ids.clear()
    assert store.get_json() == before


def test_the_callbacks_go_through_everything(store: Store) -> None:
    seen: list[Any] = []
    store.for_each_table(
        lambda t, each_row: each_row(
            lambda r, each_cell: each_cell(lambda c, cell: seen.append((t, r, c, cell)))
        )
    )
    assert seen == [
        ("t", "r", "a", 1),
        ("t", "r", "b", [1]),
        ("t", "s", "b", None),
        ("t", "s", "c", "x"),
        ("u", "1", "a", True),
    ]
    seen.clear()
    store.for_each_row("t", lambda r, each_cell: seen.append(r))
    store.for_each_cell("t", "s", lambda c, cell: seen.append((c, cell)))
    store.for_each_table_cell("t", lambda c, count: seen.append((c, count)))
    store.for_each_value(lambda v, value: seen.append((v, value)))
    assert seen == [
        "r",
        "s",
        ("b", None),
        ("c", "x"),
        ("a", 1),
        ("b", 2),
        ("c", 1),
        ("v", {"k": 1}),
        ("w", 0),
    ]
    seen.clear()
    store.for_each_row("x", lambda r, _: seen.append(r))
    store.for_each_cell("x", "y", lambda c, _: seen.append(c))
    store.for_each_cell("t", "y", lambda c, _: seen.append(c))
    store.for_each_table_cell("x", lambda c, _: seen.append(c))
    assert seen == []


def test_the_callbacks_may_write(store: Store) -> None:
    store.for_each_row("t", lambda r, _: store.del_row("t", r))
    store.for_each_value(lambda v, _: store.del_value(v))
    store.for_each_table(lambda t, _: store.del_table(t))
    assert store.get_content() == ({}, {})


READS: list[tuple[str, tuple[Any, ...], object]] = [
    ("get_table", (1,), {}),
    ("get_table_cell_ids", (1,), []),
    ("get_row_count", (1,), 0),
    ("get_row_ids", (1,), []),
    ("get_sorted_row_ids", (1,), []),
    ("get_sorted_row_ids", ("t", 1), ["r", "s"]),
    ("get_row", ("t", 1), {}),
    ("get_row", (1, "r"), {}),
    ("get_cell_ids", ("t", 1), []),
    ("get_cell", ("t", "r", 1), None),
    ("get_cell", ("t", 1, "a"), None),
    ("get_value", (1,), None),
    ("has_table", (1,), False),
    ("has_table_cell", ("t", 1), False),
    ("has_row", ("t", 1), False),
    ("has_cell", ("t", "r", 1), False),
    ("has_value", (1,), False),
    ("for_each_row", (1, print), None),
    ("for_each_cell", ("t", 1, print), None),
    ("for_each_table_cell", (1, print), None),
    ("to_dicts", (1,), []),
]
OTHERS: list[tuple[str, tuple[Any, ...]]] = [
    ("table", (1,)),
    ("row", ("t", 1)),
    ("del_table", (1,)),
    ("del_row", ("t", 1)),
    ("del_cell", ("t", "r", 1)),
    ("del_value", (1,)),
]


@pytest.mark.parametrize(("name", "args"), [*[(name, args) for name, args, _ in READS], *OTHERS])
def test_an_id_that_is_no_text_is_refused_where_it_was_read_as_absent(
    store: Store, name: str, args: tuple[Any, ...]
) -> None:
    before = store.get_content()
    with pytest.raises(InvalidIdTypeError, match="id 1: an id must be a str, not int"):
        getattr(store, name)(*args)
    assert store.get_content() == before


@pytest.mark.parametrize(("name", "args", "absent"), READS)
def test_where_what_is_invalid_is_ignored_it_is_absent(
    name: str, args: tuple[Any, ...], absent: object
) -> None:
    store = Store(on_invalid="ignore").set_table("t", {"r": {"a": 1}, "s": {"a": 2}})
    assert getattr(store, name)(*args) == absent
    store.del_table(1).del_row("t", 1).del_cell("t", "r", 1).del_value(1)  # type: ignore[arg-type]


def test_a_subclass_of_text_is_an_id(store: Store) -> None:
    class Id(str):
        __slots__ = ()

    assert store.get_row(Id("t"), Id("missing")) == {}
    assert store.get_cell(Id("t"), Id("r"), Id("a")) == 1
    assert not store.has_row(Id("t"), Id("missing"))
