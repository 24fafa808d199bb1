"""Writing single cells and values, on every path a write can take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from weft import UNDEFINED, Store
from weft.errors import (
    InvalidCellError,
    InvalidCellTypeError,
    InvalidIdError,
    InvalidIdTypeError,
    InvalidValueError,
    InvalidValueTypeError,
)
from weft.store import create_middleware
from weft.store._core.state import DIRECT, GENERAL, WATCHED

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


def plain() -> Store:
    return Store()


def watched() -> Store:
    store = Store()
    store.add_cell_listener(None, None, None, lambda *_: None)
    return store


def watched_elsewhere() -> Store:
    store = Store()
    store.add_cell_listener("t", "r", "elsewhere", lambda *_: None)
    return store


def ids_watched() -> Store:
    store = Store()
    store.add_row_ids_listener(None, lambda *_: None)
    return store


def with_mutator() -> Store:
    store = Store()
    store.add_cell_listener(None, None, None, lambda *_: None, mutator=True)
    return store


def with_middleware() -> Store:
    store = Store()
    create_middleware(store).add_will_set_cell_callback(lambda _t, _r, _c, cell: cell)
    return store


PATHS = [plain, watched, watched_elsewhere, ids_watched, with_mutator, with_middleware]


@pytest.fixture(params=PATHS, ids=lambda path: path.__name__)
def store(request: pytest.FixtureRequest) -> Store:
    made: Store = request.param()
    return made


@pytest.fixture(params=[False, True], ids=["alone", "in a transaction"])
def around(request: pytest.FixtureRequest, store: Store) -> Callable[[], AbstractContextManager[object]]:
    from contextlib import nullcontext

    return store.transaction if request.param else nullcontext


def test_the_paths_are_the_ones_meant() -> None:
    assert plain()._mode == DIRECT
    assert watched()._mode == watched_elsewhere()._mode == WATCHED
    assert with_mutator()._mode == with_middleware()._mode == GENERAL


@pytest.mark.parametrize(
    ("cell", "kept"),
    [("a", "a"), ("é", "é"), (1, 1), (True, True), (None, None), (1.5, 1.5), (2.0, 2), (-0.0, 0), ([1], [1]),
     ((1,), [1]), ({"a": None}, {"a": None}), ("", ""), (2.0**60, 2.0**60)],
)  # fmt: skip
def test_a_cell_is_set_whatever_was_there(
    store: Store, around: Callable[[], Any], cell: Any, kept: Any
) -> None:
    store.set_cell("t", "there", "c", "old")
    with around():
        assert store.set_cell("t", "there", "c", cell) is store  # another cell
        store.set_cell("t", "there", "new", cell)  # a new cell of a new id
        store.set_cell("t", "new", "c", cell)  # a new row
        store.set_cell("t", "new", "new", cell)  # a new cell of a known id
        store.set_cell("u", "new", "new", cell)  # a new table
        store.set_cell("u", "new", "new", cell)  # the same again
    expected = {
        "t": {"there": {"c": kept, "new": kept}, "new": {"c": kept, "new": kept}},
        "u": {"new": {"new": kept}},
    }
    assert store.get_tables() == expected
    assert [type(cell) for row in store.get_table("t").values() for cell in row.values()] == [type(kept)] * 4
    assert store.get_table_cell_ids("t") == ["c", "new"]
    assert dict(store._counts["t"]) == {"c": 2, "new": 2}


def test_a_function_makes_the_cell_from_the_present_one(store: Store, around: Callable[[], Any]) -> None:
    seen: list[object] = []

    def following(old: Any) -> int:
        seen.append(old)
        return 1 if old is UNDEFINED else old + 1

    with around():
        for _ in range(3):
            store.set_cell("t", "r", "c", following)
    assert store.get_cell("t", "r", "c") == 3
    assert seen == [UNDEFINED, 1, 2]


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        *[
            (cell, InvalidCellError)
            for cell in (math.nan, math.inf, 2**53, "\ufffc", "\ufffd1", "\ud800", [math.nan])
        ],
        *[(cell, InvalidCellTypeError) for cell in (b"", object(), {1}, UNDEFINED, {1: 1})],
    ],
)
def test_a_bad_cell_raises_before_anything_changes(
    store: Store, around: Callable[[], Any], cell: Any, error: type[InvalidCellError]
) -> None:
    store.set_cell("t", "r", "c", 1)
    with around(), pytest.raises(error) as caught:
        store.set_cell("t", "r", "c", cell)
    with around(), pytest.raises(error):
        store.set_cell("new", "r", "c", cell)
    assert (caught.value.table_id, caught.value.row_id, caught.value.cell_id) == ("t", "r", "c")
    assert caught.value.cell is cell
    assert caught.value.reason
    assert "'t'" in str(caught.value)
    assert store.get_tables() == {"t": {"r": {"c": 1}}}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    ("id_", "error"),
    [
        (1, InvalidIdTypeError),
        (None, InvalidIdTypeError),
        ([], InvalidIdTypeError),
        ("\ud800", InvalidIdError),
    ],
)
def test_a_bad_id_raises_before_anything_changes(
    store: Store, around: Callable[[], Any], place: int, id_: Any, error: type[InvalidIdError]
) -> None:
    store.set_cell("t", "r", "c", 1)
    ids: list[Any] = ["t", "r", "c"]
    ids[place] = id_
    with around(), pytest.raises(error) as caught:
        store.set_cell(ids[0], ids[1], ids[2], 1)
    assert caught.value.id == id_
    assert isinstance(caught.value, TypeError) == (error is InvalidIdTypeError)
    assert store.get_tables() == {"t": {"r": {"c": 1}}}


def test_an_id_of_a_subclass_of_str_is_kept_as_plain_text(store: Store) -> None:
    class Id(str):
        __slots__ = ()

    store.set_cell(Id("t"), Id("r"), Id("c"), 1)
    store.set_cell("t", "r", "d", 1)
    store.set_cell(Id("t"), Id("r2"), Id("d"), 1)
    for ids in (store.get_table_ids(), store.get_row_ids("t"), store.get_cell_ids("t", "r")):
        assert all(type(id_) is str for id_ in ids)
    assert type(store.get_row_ids("t")[1]) is str
    store.set_cell("t", "r2", Id("c"), 1)
    assert [type(id_) for id_ in store.get_cell_ids("t", "r2")] == [str, str]


def test_ids_that_are_not_ascii_make_rows(store: Store, around: Callable[[], Any]) -> None:
    with around():
        store.set_cell("表", "行", "セル", 1)
        store.set_cell("表", "列", "セル", 2)
    assert store.get_tables() == {"表": {"行": {"セル": 1}, "列": {"セル": 2}}}


def test_true_and_one_are_different_cells_and_one_and_one_point_zero_the_same() -> None:
    store = Store()
    heard: list[object] = []
    store.add_cell_listener(None, None, None, lambda _s, _t, _r, _c, new, _o, _g: heard.append(new))
    for cell in (1, 1.0, True, True, 1, "1", None, None, 0, False, 0.0):
        store.set_cell("t", "r", "c", cell)
    assert [repr(cell) for cell in heard] == ["1", "True", "1", "'1'", "None", "0", "False", "0"]


def test_an_object_with_its_keys_in_another_order_is_the_same_cell(store: Store) -> None:
    store.set_cell("t", "r", "c", {"a": 1, "b": [2]})
    before = store.get_tables_json()
    store.set_cell("t", "r", "c", {"b": [2.0], "a": 1})
    assert store.get_tables_json() == before


def test_an_object_is_fresh_on_each_read_and_not_the_callers(store: Store) -> None:
    given = {"list": [1]}
    store.set_cell("t", "r", "c", given)
    given["list"].append(2)
    first: Any = store.get_cell("t", "r", "c")
    first["list"].append(3)
    assert store.get_cell("t", "r", "c") == {"list": [1]}


def test_deleting_the_last_cell_deletes_row_and_table(store: Store, around: Callable[[], Any]) -> None:
    store.set_tables({"t": {"a": {"x": 1, "y": 2}, "b": {"x": 3}}})
    with around():
        assert store.del_cell("t", "a", "y") is store
        store.del_cell("t", "a", "missing").del_cell("t", "missing", "x").del_cell("missing", "a", "x")
        assert store.get_table("t") == {"a": {"x": 1}, "b": {"x": 3}}
        assert store.get_table_cell_ids("t") == ["x"]
        store.del_cell("t", "a", "x")
        assert store.get_table("t") == {"b": {"x": 3}}
        store.del_cell("t", "b", "x")
    assert store.get_tables() == {}
    assert store.get_table_cell_ids("t") == []


SCHEMA: Any = {
    "t": {
        "a": {"type": "number", "default": 0},
        "b": {"type": "string"},
        "c": {"type": "boolean", "default": True},
    }
}


def test_a_new_row_gets_its_defaults_after_the_cell_that_made_it() -> None:
    store = Store().set_tables_schema(SCHEMA)
    store.set_cell("t", "r", "c", False)
    assert list(store.get_row("t", "r").items()) == [("c", False), ("a", 0)]
    store.set_cell("t", "r", "a", 5)
    store.set_cell("t", "r", "b", "x")
    assert store.get_row("t", "r") == {"c": False, "a": 5, "b": "x"}


def test_a_defaulted_cell_is_reset_unless_forced_and_then_the_row_goes() -> None:
    store = Store().set_tables_schema(SCHEMA)
    store.set_row("t", "r", {"a": 5, "b": "x", "c": False})
    store.del_cell("t", "r", "a").del_cell("t", "r", "b")
    assert store.get_row("t", "r") == {"a": 0, "c": False}
    store.del_cell("t", "r", "a", force=True)
    assert store.get_tables() == {}


@pytest.mark.parametrize(
    ("cell_id", "cell"), [("a", "x"), ("a", True), ("a", None), ("b", 1), ("d", 1), ("c", 1)]
)
def test_the_schema_refuses_what_it_does_not_allow(cell_id: str, cell: Any) -> None:
    store = Store().set_tables_schema(SCHEMA)
    store.set_cell("t", "r", "a", 1)
    before = store.get_tables()
    with pytest.raises(InvalidCellError, match="schema"):
        store.set_cell("t", "r", cell_id, cell)
    with pytest.raises(InvalidCellError, match="table"):
        store.set_cell("u", "r", "a", 1)
    assert store.get_tables() == before


def test_values_are_set_mapped_and_deleted(store: Store, around: Callable[[], Any]) -> None:
    with around():
        assert store.set_value("a", 1.0) is store
        store.set_value("b", [1]).set_value("a", lambda old: old + 1).set_value(
            "c", lambda old: old is UNDEFINED
        )
        store.set_value("d", None).del_value("d").del_value("missing")
    assert store.get_values() == {"a": 2, "b": [1], "c": True}
    assert type(store.get_value("a")) is int


def test_bad_values_raise_before_anything_changes(store: Store) -> None:
    store.set_value("a", 1)
    with pytest.raises(InvalidValueError) as caught:
        store.set_value("a", math.nan)
    assert (caught.value.value_id, caught.value.reason) == ("a", "a number must be finite")
    with pytest.raises(InvalidValueTypeError):
        store.set_value("a", b"")  # type: ignore[arg-type]
    with pytest.raises(InvalidIdTypeError):
        store.set_value(1, 1)  # type: ignore[arg-type]
    with pytest.raises(InvalidIdError):
        store.set_value("\ud800", 1)
    assert store.get_values() == {"a": 1}


def test_a_defaulted_value_is_reset() -> None:
    store = Store().set_values_schema({"a": {"type": "number", "default": 1}, "b": {"type": "string"}})
    store.set_values({"a": 5, "b": "x"})
    store.del_value("a").del_value("b")
    assert store.get_values() == {"a": 1}
    with pytest.raises(InvalidValueError, match="schema"):
        store.set_value("c", 1)
    with pytest.raises(InvalidValueError, match="schema"):
        store.set_value("a", "x")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("present", [False, True])
def test_nan_and_infinities_are_refused_by_the_fast_path(number: float, present: bool) -> None:
    store = Store()
    if present:
        store.set_cell("t", "r", "c", 1)
    with pytest.raises(InvalidCellError):
        store.set_cell("t", "r", "c", number)
    with pytest.raises(InvalidCellError), store.transaction():
        store.set_cell("t", "r", "c", number)
    assert store.get_cell("t", "r", "c", UNDEFINED) == (1 if present else UNDEFINED)
