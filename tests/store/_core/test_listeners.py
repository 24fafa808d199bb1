"""Adding, counting, forcing and removing listeners."""

from __future__ import annotations

import inspect
from typing import Any, get_overloads

import pytest

from weft import UNDEFINED, Store
from weft.errors import InvalidIdTypeError
from weft.store import create_checkpoints, create_middleware
from weft.store._parts.listener_tree import KINDS


def test_ids_are_numbers_and_come_back_first_in_first_out() -> None:
    store = Store()

    def add() -> str:
        return store.add_tables_listener(lambda *_: None)

    assert [add() for _ in range(4)] == ["0", "1", "2", "3"]
    assert store.del_listener("2") is store
    store.del_listener("0").del_listener("0").del_listener("missing")
    assert [store.add_start_transaction_listener(lambda _: None), add(), add()] == ["2", "0", "4"]


def add_one(store: Store, kind: str, listener: Any, ids: Any = None) -> str:
    method = getattr(store, f"add_{kind}_listener")
    if kind == "sorted_row_ids":
        return str(method("t", "c", False, 0, None, listener))
    path = [ids for name in inspect.signature(method).parameters if name.endswith("_id")]
    return str(method(*path, listener))


async def nobody_awaits(*_args: object) -> None: ...


@pytest.mark.parametrize(
    "kind", [*KINDS, "start_transaction", "will_finish_transaction", "did_finish_transaction"]
)
def test_a_coroutine_function_is_refused_with_what_to_do(kind: str) -> None:
    store = Store()
    with pytest.raises(
        TypeError, match="nobody_awaits, a coroutine function, would never run: pass an ordinary"
    ):
        add_one(store, kind, nobody_awaits)
    assert not any(store.get_listener_stats().values())


def test_callbacks_of_transactions_middleware_and_checkpoints_are_ordinary_functions() -> None:
    store = Store()
    actions: Any = nobody_awaits
    with pytest.raises(TypeError, match="the actions of a transaction are called and not awaited"):
        store.transaction(actions)
    with pytest.raises(TypeError, match="do_rollback is called and not awaited"):
        store.transaction(lambda: None, nobody_awaits)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="do_rollback is called and not awaited"):
        store.finish_transaction(nobody_awaits)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a callback of middleware is called and not awaited"):
        create_middleware(store).add_will_del_tables_callback(nobody_awaits)  # type: ignore[arg-type]
    checkpoints = create_checkpoints(store)
    with pytest.raises(TypeError, match="a listener is called and not awaited"):
        checkpoints.add_checkpoint_ids_listener(nobody_awaits)
    with pytest.raises(TypeError, match="a listener is called and not awaited"):
        checkpoints.add_checkpoint_listener(None, nobody_awaits)
    assert store.set_cell("t", "r", "c", 1).get_cell("t", "r", "c") == 1, "no transaction stands open"


def test_a_listener_under_an_id_that_can_never_be_is_refused() -> None:
    store = Store()
    with pytest.raises(InvalidIdTypeError, match="id 1: an id must be a str, not int"):
        store.add_row_listener("pets", 1, print)  # type: ignore[arg-type]
    with pytest.raises(InvalidIdTypeError):
        store.add_sorted_row_ids_listener("pets", 1, False, 0, None, print)  # type: ignore[call-overload]
    Store(on_invalid="ignore").add_row_listener("pets", 1, print)  # type: ignore[arg-type]


PHASES = ["start_transaction", "will_finish_transaction", "did_finish_transaction"]


@pytest.mark.parametrize("kind", [*KINDS, *PHASES])
def test_each_kind_is_counted_and_removed(kind: str) -> None:
    store = Store()
    empty = store.get_listener_stats()
    assert list(empty) == [*KINDS, "transaction"]
    assert set(empty.values()) == {0}
    calls: list[object] = []
    ids = [add_one(store, kind, lambda *_: calls.append(1)) for _ in range(2)]
    name = "transaction" if kind in PHASES else kind
    assert store.get_listener_stats() == empty | {name: 2}
    for listener_id in ids:
        store.del_listener(listener_id)
    assert store.get_listener_stats() == empty
    store.set_content(({"t": {"r": {"c": 1}}}, {"v": 1}))
    assert calls == []
    assert all(not getattr(store._listeners, each) for each in KINDS), "no empty branches stay behind"


def test_every_kind_of_tinybase_has_a_method_that_takes_a_mutator() -> None:
    assert len(KINDS) + len(PHASES) == 25
    for kind in KINDS:
        method = getattr(Store, f"add_{kind}_listener")
        for form in get_overloads(method) or [method]:
            assert "mutator" in inspect.signature(form).parameters


CONTENT: Any = ({"t": {"r": {"c": 1, "d": [2]}, "s": {"c": None}}, "u": {"q": {"e": 5}}}, {"v": 1, "w": [2]})


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        ("has_tables", [(True,)]),
        ("tables", [(None,)]),
        ("table_ids", [(None,)]),
        ("has_table", [("t", True), ("u", True)]),
        ("table", [("t", None), ("u", None)]),
        ("table_cell_ids", [("t", None), ("u", None)]),
        ("has_table_cell", [("t", "c", True), ("t", "d", True), ("u", "e", True)]),
        ("row_count", [("t", None), ("u", None)]),
        ("row_ids", [("t", None), ("u", None)]),
        ("has_row", [("t", "r", True), ("t", "s", True), ("u", "q", True)]),
        ("row", [("t", "r", None), ("t", "s", None), ("u", "q", None)]),
        ("cell_ids", [("t", "r", None), ("t", "s", None), ("u", "q", None)]),
        ("has_cell", [("t", "r", "c", True), ("t", "r", "d", True), ("t", "s", "c", True),
                      ("u", "q", "e", True)]),
        ("cell", [("t", "r", "c", 1, 1, None), ("t", "r", "d", [2], [2], None),
                  ("t", "s", "c", None, None, None), ("u", "q", "e", 5, 5, None)]),
        ("invalid_cell", []),
        ("has_values", [(True,)]),
        ("values", [(None,)]),
        ("value_ids", [(None,)]),
        ("has_value", [("v", True), ("w", True)]),
        ("value", [("v", 1, 1, None), ("w", [2], [2], None)]),
        ("invalid_value", []),
        ("sorted_row_ids", []),
        ("start_transaction", [()]),
        ("did_finish_transaction", [()]),
    ],
)  # fmt: skip
def test_a_forced_call_goes_through_what_is_there(kind: str, calls: list[Any]) -> None:
    store = Store().set_content(CONTENT)
    heard: list[Any] = []
    listener_id = add_one(store, kind, lambda *args: heard.append(args))
    assert store.call_listener(listener_id) is store
    assert heard == [(store, *call) for call in calls]
    store.call_listener("missing")


def test_a_forced_call_of_an_exact_path_is_made_whether_or_not_it_is_there() -> None:
    store = Store()
    heard: list[Any] = []
    ids = [
        add_one(store, kind, lambda *args: heard.append(args[1:]), "x")
        for kind in ("cell", "has_row", "value", "invalid_cell")
    ]
    for listener_id in ids:
        store.call_listener(listener_id)
    assert heard == [
        ("x", "x", "x", UNDEFINED, UNDEFINED, None),
        ("x", "x", False),
        ("x", UNDEFINED, UNDEFINED, None),
        ("x", "x", "x", None),
    ]


def test_a_forced_sorted_listener_is_called_only_if_its_ids_changed() -> None:
    store = Store().set_tables({"t": {"r": {"c": 1}}})
    heard: list[Any] = []
    listener_id = store.add_sorted_row_ids_listener(
        "t", "c", False, 0, None, lambda *args: heard.append(args[-1])
    )
    store.call_listener(listener_id)
    assert heard == []


def test_a_forced_listener_that_writes_changes_what_comes_next() -> None:
    store = Store().set_tables({"t": {"r": {"c": 1}, "s": {"c": 1}}})
    heard: list[Any] = []

    def remove(_: Store, table_id: str, row_id: str, cell_id: str, *__: object) -> None:
        heard.append(row_id)
        if row_id == "r":
            store.del_row("t", "s")

    store.call_listener(store.add_has_cell_listener(None, None, None, remove))
    assert heard == ["r", "s"], "the second is told of its end by the deletion itself"
