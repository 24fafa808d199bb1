"""Functions asked before a Store writes."""

from __future__ import annotations

from typing import Any

import pytest

from weft import UNDEFINED, Store
from weft.errors import InvalidCellError
from weft.store import Middleware, create_middleware


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def middleware(store: Store) -> Middleware:
    return create_middleware(store)


SETS = ["content", "tables", "table", "row", "cell", "values", "value"]
DELS = ["tables", "table", "row", "cell", "values", "value"]


def noting(kind: str, asked: list[Any], *, passes: bool = False) -> Any:
    def callback(*args: Any) -> Any:
        asked.append((kind, *args))
        return passes or args[-1]

    return callback


def watch(middleware: Middleware, asked: list[Any]) -> None:
    """Note what every callback is asked, and let everything pass."""

    for kind in SETS:
        getattr(middleware, f"add_will_set_{kind}_callback")(noting(f"set_{kind}", asked))
    for kind in DELS:
        getattr(middleware, f"add_will_del_{kind}_callback")(noting(f"del_{kind}", asked, passes=True))


def test_a_store_has_one_middleware_until_it_is_destroyed(store: Store) -> None:
    middleware = create_middleware(store)
    assert create_middleware(store) is middleware
    assert middleware.get_store() is store
    middleware.add_will_set_cell_callback(lambda *_: UNDEFINED)
    store.set_cell("t", "r", "c", 1)
    assert store.get_tables() == {}
    middleware.destroy()
    middleware.destroy()
    store.set_cell("t", "r", "c", 1)
    assert store.get_tables() == {"t": {"r": {"c": 1}}}
    assert create_middleware(store) is not middleware


def test_asking_goes_from_the_whole_to_its_parts(store: Store, middleware: Middleware) -> None:
    asked: list[Any] = []
    watch(middleware, asked)
    tables: Any = {"t": {"r": {"a": 1, "b": [2]}}}
    store.set_content((tables, {"v": {"k": 1}}))
    assert asked == [
        ("set_content", (tables, {"v": {"k": 1}})),
        ("set_tables", tables),
        ("set_table", "t", tables["t"]),
        ("set_row", "t", "r", tables["t"]["r"]),
        ("set_cell", "t", "r", "a", 1),
        ("set_cell", "t", "r", "b", [2]),
        ("set_values", {"v": {"k": 1}}),
        ("set_value", "v", {"k": 1}),
    ]
    asked.clear()
    store.set_table("t", {"s": {"a": 5}})
    assert asked == [
        ("set_table", "t", {"s": {"a": 5}}),
        ("set_row", "t", "s", {"a": 5}),
        ("set_cell", "t", "s", "a", 5),
        ("del_row", "t", "r"),
        ("del_cell", "t", "r", "a"),
        ("del_cell", "t", "r", "b"),
    ]
    asked.clear()
    store.set_cell("t", "s", "b", 1).del_cell("t", "s", "a").set_value("w", 1).del_value("v").del_values()
    assert asked == [
        ("set_row", "t", "s", {"a": 5, "b": 1}),
        ("set_cell", "t", "s", "a", 5),
        ("set_cell", "t", "s", "b", 1),
        ("del_cell", "t", "s", "a"),
        ("set_value", "w", 1),
        ("del_value", "v"),
        ("del_values",),
        ("del_value", "w"),
    ]
    asked.clear()
    store.set_partial_row("t", "s", {"c": 1}).add_row("t", {"c": 2})
    store.del_tables()
    assert asked == [
        ("set_cell", "t", "s", "c", 1),
        ("set_row", "t", "0", {"c": 2}),
        ("set_cell", "t", "0", "c", 2),
        ("del_tables",),
        ("del_table", "t"),
        ("del_row", "t", "s"),
        ("del_cell", "t", "s", "b"),
        ("del_cell", "t", "s", "c"),
        ("del_row", "t", "0"),
        ("del_cell", "t", "0", "c"),
    ]
    assert store.get_content() == ({}, {})


def test_what_is_answered_is_written(store: Store, middleware: Middleware) -> None:
    middleware.add_will_set_cell_callback(lambda _t, _r, _c, cell: cell * 2 if type(cell) is int else cell)
    middleware.add_will_set_cell_callback(lambda _t, _r, _c, cell: cell + 1 if type(cell) is int else cell)
    middleware.add_will_set_row_callback(lambda _t, _r, row: row | {"stamp": "now"})
    middleware.add_will_set_value_callback(lambda _v, value: [value])
    store.set_cell("t", "r", "c", 5).set_row("t", "s", {"a": 1, "b": "x"}).set_value("v", 1)
    assert store.get_content() == (
        {"t": {"r": {"c": 11, "stamp": "now"}, "s": {"a": 3, "b": "x", "stamp": "now"}}},
        {"v": [1]},
    )


@pytest.mark.parametrize("stop", [UNDEFINED, None])
def test_a_container_is_stopped_by_undefined_or_none(store: Store, middleware: Middleware, stop: Any) -> None:
    store.set_content(({"t": {"r": {"c": 1}}}, {"v": 1}))
    for kind in ("content", "tables", "table", "row", "values"):
        getattr(middleware, f"add_will_set_{kind}_callback")(lambda *_: stop)
    middleware.add_will_apply_changes_callback(lambda _: stop)
    store.set_content(({"u": {"r": {"c": 1}}}, {})).set_tables({"u": {"r": {"c": 1}}})
    store.set_table("t", {"s": {"c": 1}}).set_row("t", "r", {"d": 1}).set_cell("t", "r", "c", 2)
    store.set_values({"w": 1}).apply_changes(({"t": UNDEFINED}, {}, 1))
    assert store.add_row("t", {"c": 1}) == "0", "an id was taken, as TinyBase does"
    assert store.get_content() == ({"t": {"r": {"c": 1}}}, {"v": 1})


def test_none_is_a_cell_and_undefined_stops_it(store: Store, middleware: Middleware) -> None:
    answers: list[Any] = [None, UNDEFINED]
    middleware.add_will_set_cell_callback(lambda *_: answers[0])
    middleware.add_will_set_value_callback(lambda *_: answers[0])
    store.set_cell("t", "r", "c", 1).set_value("v", 1)
    answers.pop(0)
    store.set_cell("t", "r", "d", 1).set_value("w", 1).set_row("u", "r", {"c": 1})
    assert store.get_content() == ({"t": {"r": {"c": None}}}, {"v": None})


def test_deletions_are_stopped_by_anything_false(store: Store, middleware: Middleware) -> None:
    content: Any = ({"t": {"r": {"c": 1}}}, {"v": 1})
    store.set_content(content)
    for kind in DELS:
        getattr(middleware, f"add_will_del_{kind}_callback")(lambda *_: True)
        getattr(middleware, f"add_will_del_{kind}_callback")(lambda *_: False)
    store.del_tables().del_table("t").del_row("t", "r").del_cell("t", "r", "c").del_values().del_value("v")
    store.set_row("t", "r", {"d": 1}).set_values({"w": 1})
    with store.transaction():
        store._apply_stored({"t": {"r": {"c": UNDEFINED}}}, {"v": UNDEFINED})
    assert store.get_content() == ({"t": {"r": {"c": 1, "d": 1}}}, {"v": 1, "w": 1})


def test_single_cells_can_survive_the_deletion_of_their_row(store: Store, middleware: Middleware) -> None:
    store.set_tables({"t": {"r": {"a": 1, "b": 2}, "s": {"a": 1}}})
    middleware.add_will_del_cell_callback(lambda _t, _r, cell_id: cell_id != "b")
    store.del_table("t")
    assert store.get_tables() == {"t": {"r": {"b": 2}}}


def test_what_is_answered_is_checked(store: Store, middleware: Middleware) -> None:
    answers: list[Any] = [object(), {"deep": float("nan")}, "\ufffd[1]"]
    middleware.add_will_set_cell_callback(lambda *_: answers.pop())
    while answers:
        with pytest.raises(InvalidCellError):
            store.set_row("t", "r", {"a": 1})
    assert store.get_tables() == {}
    ignoring = Store(on_invalid="ignore").set_tables_schema({"t": {"c": {"type": "number", "default": 5}}})
    create_middleware(ignoring).add_will_set_cell_callback(lambda *_: "text")
    assert ignoring.set_cell("t", "r", "c", 1).get_tables() == {"t": {"r": {"c": 5}}}


def test_what_is_asked_about_is_the_callbacks_own(store: Store, middleware: Middleware) -> None:
    given: Any = ({"t": {"r": {"c": [1]}}}, {"v": [1]})

    def spoil(content: Any) -> Any:
        content[0]["t"]["r"]["c"].append(2)
        return content

    middleware.add_will_set_content_callback(spoil)
    store.set_content(given)
    assert given == ({"t": {"r": {"c": [1]}}}, {"v": [1]})
    assert store.get_cell("t", "r", "c") == [1, 2]


def test_defaults_of_new_rows_are_asked_about(store: Store, middleware: Middleware) -> None:
    store.set_tables_schema(
        {"t": {"a": {"type": "number"}, "b": {"type": "number", "default": 1}, "c": {"type": "number"}}}
    )
    asked: list[Any] = []
    middleware.add_will_set_cell_callback(noting("cell", asked))
    store.set_cell("t", "r", "a", 5)
    assert asked == [("cell", "t", "r", "a", 5), ("cell", "t", "r", "b", 1)]
    store.del_cell("t", "r", "b")
    assert asked[2:] == [("cell", "t", "r", "b", 1)]


def test_changes_are_asked_about_as_a_whole_and_then_cell_by_cell(
    store: Store, middleware: Middleware
) -> None:
    asked: list[Any] = []
    middleware.add_will_set_row_callback(noting("row", asked))
    middleware.add_will_set_cell_callback(noting("cell", asked))
    middleware.add_will_apply_changes_callback(noting("changes", asked))
    middleware.add_will_apply_changes_callback(lambda changes: ({"t": {"r": {"c": 7}}}, changes[1], 1))
    given: Any = ({"t": {"r": {"c": 1}}}, {"v": 2}, 1)
    store.apply_changes(given)
    assert asked == [("changes", given), ("cell", "t", "r", "c", 7)]
    assert store.get_content() == ({"t": {"r": {"c": 7}}}, {"v": 2})


def test_changes_of_a_peer_are_asked_about_as_data(store: Store, middleware: Middleware) -> None:
    asked: list[Any] = []
    middleware.add_will_set_row_callback(noting("row", asked))
    middleware.add_will_set_cell_callback(noting("cell", asked))
    middleware.add_will_apply_changes_callback(noting("changes", asked))
    with store.transaction():
        refused = store._apply_stored(
            {"t": {"r": {"d": "\ufffd[1]", "bad": "\ufffd"}, "s": {"e": UNDEFINED}}}, {"v": "\ufffd{}"}
        )
    assert asked == [
        ("changes", ({"t": {"r": {"d": [1], "bad": "\ufffd"}, "s": {"e": UNDEFINED}}}, {"v": {}}, 1)),
        ("cell", "t", "r", "d", [1]),
    ]
    assert refused == [("t", "r", "bad", "\ufffd")]
    assert store.get_content() == ({"t": {"r": {"d": [1]}}}, {"v": {}})
    middleware.add_will_apply_changes_callback(lambda _: None)
    with store.transaction():
        assert store._apply_stored({"t": {"r": {"x": 1}}}, {"w": 1}) == []
    assert store.get_content() == ({"t": {"r": {"d": [1]}}}, {"v": {}})


def test_an_exception_in_a_callback_rolls_back(store: Store, middleware: Middleware) -> None:
    store.set_tables({"t": {"r": {"a": 1}, "s": {"a": 1}}})

    def fail(_t: str, _r: str, cell_id: str, cell: Any) -> Any:
        if cell_id == "bad":
            raise ZeroDivisionError
        return cell

    middleware.add_will_set_cell_callback(fail)
    with pytest.raises(ZeroDivisionError):
        store.set_table("t", {"n": {"a": 1}, "r": {"a": 2, "bad": 1}})
    assert list(store.get_table("t").items()) == [("r", {"a": 1}), ("s", {"a": 1})]


def test_cells_a_new_row_misses_are_reported_before_middleware_is_asked() -> None:
    store = Store(on_invalid="ignore").set_tables_schema(
        {"t": {"a": {"type": "string"}, "b": {"type": "number"}}}
    )
    create_middleware(store).add_will_set_cell_callback(lambda *_: None)
    heard: list[Any] = []
    store.add_invalid_cell_listener("t", "r", None, lambda *args: heard.append(args[3:]))
    store.set_cell("t", "r", "b", 1)
    assert heard == [("a", [UNDEFINED]), ("b", [None])]
