"""What listeners are told, in which order, and what mutators may do."""

from __future__ import annotations

from typing import Any

import pytest

from weft import UNDEFINED, Store

ADDERS: dict[str, tuple[str, tuple[None, ...]]] = {
    "invalid_cell": ("add_invalid_cell_listener", (None, None, None)),
    "has_tables": ("add_has_tables_listener", ()),
    "table_ids": ("add_table_ids_listener", ()),
    "has_table": ("add_has_table_listener", (None,)),
    "table_cell_ids": ("add_table_cell_ids_listener", (None,)),
    "has_table_cell": ("add_has_table_cell_listener", (None, None)),
    "row_count": ("add_row_count_listener", (None,)),
    "row_ids": ("add_row_ids_listener", (None,)),
    "has_row": ("add_has_row_listener", (None, None)),
    "cell_ids": ("add_cell_ids_listener", (None, None)),
    "has_cell": ("add_has_cell_listener", (None, None, None)),
    "cell": ("add_cell_listener", (None, None, None)),
    "row": ("add_row_listener", (None, None)),
    "table": ("add_table_listener", (None,)),
    "tables": ("add_tables_listener", ()),
    "invalid_value": ("add_invalid_value_listener", (None,)),
    "has_values": ("add_has_values_listener", ()),
    "value_ids": ("add_value_ids_listener", ()),
    "has_value": ("add_has_value_listener", (None,)),
    "value": ("add_value_listener", (None,)),
    "values": ("add_values_listener", ()),
}


def plain(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments as they can be compared: functions without arguments are called."""
    shown = []
    for arg in args[1:]:
        if callable(arg):
            shown.append(arg() if getattr(arg, "__name__", "") == "<lambda>" else "getter")
        else:
            shown.append(arg)
    return tuple(shown)


def listen_to_everything(store: Store, calls: list[Any], *, mutator: bool = False) -> None:
    for kind, (method, ids) in reversed(ADDERS.items()):

        def listener(*args: Any, kind: str = kind) -> None:
            assert args[0] is store
            calls.append((kind, *plain(args)))

        getattr(store, method)(*ids, listener, mutator)
    store.add_sorted_row_ids_listener(
        "t", "x", False, 0, None, lambda *args: calls.append(("sorted_row_ids", *args[1:])), mutator
    )


@pytest.mark.parametrize("mutator", [False, True])
def test_all_kinds_are_called_in_tinybases_order_with_its_arguments(mutator: bool) -> None:
    store = Store(on_invalid="ignore")
    calls: list[Any] = []
    listen_to_everything(store, calls, mutator=mutator)
    with store.transaction():
        store.set_tables({"t": {"r": {"x": 1, "bad": b""}, "s": {"x": 0}}, "u": {"q": {"y": [1]}}})
        store.set_values({"v": 1, "bad": b""})
    assert calls == [
        ("invalid_cell", "t", "r", "bad", [b""]),
        ("has_tables", True),
        ("table_ids", {"t": 1, "u": 1}),
        ("has_table", "t", True),
        ("has_table", "u", True),
        ("table_cell_ids", "t", {"x": 1}),
        ("has_table_cell", "t", "x", True),
        ("table_cell_ids", "u", {"y": 1}),
        ("has_table_cell", "u", "y", True),
        ("row_count", "t", 2),
        ("row_count", "u", 1),
        ("row_ids", "t", {"r": 1, "s": 1}),
        ("has_row", "t", "r", True),
        ("has_row", "t", "s", True),
        ("sorted_row_ids", "t", "x", False, 0, None, ["s", "r"]),
        ("row_ids", "u", {"q": 1}),
        ("has_row", "u", "q", True),
        ("cell_ids", "t", "r", {"x": 1}),
        ("has_cell", "t", "r", "x", True),
        ("cell_ids", "t", "s", {"x": 1}),
        ("has_cell", "t", "s", "x", True),
        ("cell_ids", "u", "q", {"y": 1}),
        ("has_cell", "u", "q", "y", True),
        ("cell", "t", "r", "x", 1, UNDEFINED, "getter"),
        ("row", "t", "r", "getter"),
        ("cell", "t", "s", "x", 0, UNDEFINED, "getter"),
        ("row", "t", "s", "getter"),
        ("table", "t", "getter"),
        ("cell", "u", "q", "y", [1], UNDEFINED, "getter"),
        ("row", "u", "q", "getter"),
        ("table", "u", "getter"),
        ("tables", "getter"),
        ("invalid_value", "bad", [b""]),
        ("has_values", True),
        ("value_ids", {"v": 1}),
        ("has_value", "v", True),
        ("value", "v", 1, UNDEFINED, "getter"),
        ("values", "getter"),
    ]
    calls.clear()
    with store.transaction():
        store.set_cell("t", "r", "x", -1).del_row("t", "s").set_cell("t", "r", "z", 1).del_table(
            "u"
        ).del_values()
    assert calls == [
        ("table_ids", {"u": -1}),
        ("has_table", "u", False),
        ("table_cell_ids", "t", {"z": 1}),
        ("has_table_cell", "t", "z", True),
        ("table_cell_ids", "u", {"y": -1}),
        ("has_table_cell", "u", "y", False),
        ("row_count", "t", 1),
        ("row_count", "u", 0),
        ("row_ids", "t", {"s": -1}),
        ("has_row", "t", "s", False),
        ("sorted_row_ids", "t", "x", False, 0, None, ["r"]),
        ("row_ids", "u", {"q": -1}),
        ("has_row", "u", "q", False),
        ("cell_ids", "t", "s", {"x": -1}),
        ("has_cell", "t", "s", "x", False),
        ("cell_ids", "t", "r", {"z": 1}),
        ("has_cell", "t", "r", "z", True),
        ("cell_ids", "u", "q", {"y": -1}),
        ("has_cell", "u", "q", "y", False),
        ("cell", "t", "r", "x", -1, 1, "getter"),
        ("cell", "t", "r", "z", 1, UNDEFINED, "getter"),
        ("row", "t", "r", "getter"),
        ("cell", "t", "s", "x", UNDEFINED, 0, "getter"),
        ("row", "t", "s", "getter"),
        ("table", "t", "getter"),
        ("cell", "u", "q", "y", UNDEFINED, [1], "getter"),
        ("row", "u", "q", "getter"),
        ("table", "u", "getter"),
        ("tables", "getter"),
        ("has_values", False),
        ("value_ids", {"v": -1}),
        ("has_value", "v", False),
        ("value", "v", UNDEFINED, 1, "getter"),
        ("values", "getter"),
    ]


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("structural", [False, True])
def test_the_most_specific_path_comes_first(grouped: bool, structural: bool) -> None:
    store = Store().set_cell("t", "r", "c", 0)
    calls: list[str] = []
    for path in ["***", "t**", "*r*", "**c", "tr*", "t*c", "*rc", "trc", "x**", "trx"]:
        ids: list[Any] = [None if part == "*" else part for part in path]
        store.add_cell_listener(ids[0], ids[1], ids[2], lambda *_, path=path: calls.append(path))
        store.add_cell_listener(ids[0], ids[1], ids[2], lambda *_, path=path: calls.append(path + "2"))
    if structural:
        store.add_sorted_row_ids_listener("t", "c", False, 0, None, lambda *_: calls.append("sorted"))
        store.add_has_cell_listener(None, None, None, lambda *_: calls.append("has"))
    if grouped:
        store.start_transaction()
    store.set_cell("t", "r", "c", 1)
    if grouped:
        store.finish_transaction()
    paths = ["trc", "tr*", "t*c", "t**", "*rc", "*r*", "**c", "***"]
    assert calls == [each for path in paths for each in (path, path + "2")]


def test_nothing_is_told_of_what_did_not_change_or_changed_back() -> None:
    store = Store().set_content(({"t": {"r": {"c": 1, "d": [1]}}}, {"v": 1}))
    calls: list[Any] = []
    listen_to_everything(store, calls)
    store.set_cell("t", "r", "c", 1).set_cell("t", "r", "c", 1.0).set_row("t", "r", {"d": [1.0], "c": 1})
    store.set_value("v", 1).set_values({"v": 1.0}).del_row("t", "x").del_cell("t", "r", "x").del_value("x")
    with store.transaction():
        store.set_cell("t", "r", "c", 2).set_cell("t", "r", "c", 1).set_cell("t", "new", "c", 1).del_row(
            "t", "new"
        )
        store.del_table("t").set_table("t", {"r": {"c": 1, "d": [1]}})
        store.set_value("v", 2).set_value("v", 1).set_value("w", 1).del_value("w")
    assert calls == []


def test_the_getters_tell_of_any_cell_while_the_listeners_run() -> None:
    store = Store().set_tables({"t": {"r": {"a": 1, "b": [2]}}})
    seen: list[Any] = []

    def look(_: Store, get: Any) -> None:
        seen.append([get("t", "r", cell_id) for cell_id in ("a", "b", "c", "d")])
        seen.append(get("x", "y", "z"))

    store.add_tables_listener(look)
    store.set_cell("t", "r", "a", 2)
    with store.transaction():
        store.del_cell("t", "r", "b").set_cell("t", "r", "c", [3]).set_cell("t", "r", "d", 1).del_cell(
            "t", "r", "d"
        )
    missing = (False, UNDEFINED, UNDEFINED)
    assert seen == [
        [(True, 1, 2), (False, [2], [2]), missing, missing],
        missing,
        # d was touched and is as before: TinyBase says so too.
        [(False, 2, 2), (True, [2], UNDEFINED), (True, UNDEFINED, [3]), (True, UNDEFINED, UNDEFINED)],
        missing,
    ]
    values: list[Any] = []
    store.add_values_listener(lambda _s, get: values.append((get("v"), get("w"))))
    store.set_value("v", [1])
    assert values == [((True, UNDEFINED, [1]), missing)]


def test_mutators_see_the_changes_as_they_were_and_looking_listeners_the_end() -> None:
    store = Store()
    calls: list[Any] = []

    def clamp(_: Store, t: str, r: str, c: str, new: Any, _old: Any, get: Any) -> None:
        calls.append(("mutator", c, new))
        if new > 10:
            store.set_cell(t, r, c, 10)
            assert get(t, r, c) == (True, UNDEFINED, 10)
        store.set_cell(t, r, "seen", True)

    store.add_cell_listener(None, None, None, clamp, mutator=True)
    store.add_cell_listener(None, None, None, lambda _s, _t, _r, c, new, old, _g: calls.append((c, new, old)))
    with store.transaction():
        store.set_cell("t", "r", "a", 5).set_cell("t", "r", "b", 50)
    assert calls == [
        ("mutator", "a", 5),
        ("mutator", "b", 50),
        ("a", 5, UNDEFINED),
        ("b", 10, UNDEFINED),
        ("seen", True, UNDEFINED),
    ]


def test_a_mutator_can_take_everything_back_so_that_nobody_is_told() -> None:
    store = Store().set_cell("t", "r", "c", 1)
    calls: list[str] = []

    def take_back(_: Store, t: str, r: str, c: str, _new: Any, old: Any, _get: Any) -> None:
        store.set_cell(t, r, c, old)

    store.add_cell_listener(None, None, None, take_back, mutator=True)
    store.add_cell_listener(None, None, None, lambda *_: calls.append("cell"))
    store.add_did_finish_transaction_listener(lambda _: calls.append("did"))
    store.set_cell("t", "r", "c", 2)
    assert store.get_cell("t", "r", "c") == 1
    assert calls == ["did"]


@pytest.mark.parametrize("structural", [False, True])
def test_listeners_may_come_and_go_while_they_are_called(structural: bool) -> None:
    store = Store()
    calls: list[str] = []
    ids: dict[str, str] = {}
    if structural:
        store.add_has_cell_listener(None, None, None, lambda *_: None)

    def first(*_: object) -> None:
        calls.append("first")
        if "third" not in ids:
            store.del_listener(ids["second"])
            ids["third"] = store.add_cell_listener(None, None, None, lambda *_: calls.append("third"))

    store.add_cell_listener(None, None, None, first)
    ids["second"] = store.add_cell_listener(None, None, None, lambda *_: calls.append("second"))
    store.set_cell("t", "r", "c", 1).set_cell("t", "r", "c", 2)
    assert calls == ["first", "third", "first", "third"]


def test_a_lone_listener_may_remove_or_join_itself() -> None:
    store = Store()
    calls: list[str] = []

    def once(*_: object) -> None:
        calls.append("once")
        store.del_listener(listener_id)

    listener_id = store.add_cell_listener(None, None, None, once)
    store.set_cell("t", "r", "c", 1).set_cell("t", "r", "c", 2)
    assert calls == ["once"]

    def join(*_: object) -> None:
        calls.append("join")
        if len(calls) == 2:
            store.add_cell_listener(None, None, None, lambda *_: calls.append("joined"))

    store.add_cell_listener(None, None, None, join)
    store.set_cell("t", "r", "c", 3)
    assert calls == ["once", "join", "joined"]


def test_a_listener_on_one_cell_is_told_of_that_cell_whatever_else_is_written() -> None:
    store = Store()
    calls: list[Any] = []
    store.add_cell_listener("t", "r", "c", lambda _s, _t, _r, _c, new, old, _g: calls.append((new, old)))
    for table_id in ("t", "u"):
        for row_id in ("r", "s"):
            for cell_id in ("c", "d"):
                store.set_cell(table_id, row_id, cell_id, 1).set_cell(table_id, row_id, cell_id, 2)
    store.del_row("t", "r")
    assert calls == [(1, UNDEFINED), (2, 1), (UNDEFINED, 2)]


@pytest.mark.parametrize(
    ("add", "told"),
    [
        (lambda s, f: s.add_row_listener("t", "r", f), [("t", "r", "c"), ("t", "r", "d")]),
        (lambda s, f: s.add_row_listener("t", None, f), [("t", "r", "c"), ("t", "r", "d"), ("t", "s", "c")]),
        (lambda s, f: s.add_table_listener("t", f), [("t", "r", "c"), ("t", "r", "d"), ("t", "s", "c")]),
        (lambda s, f: s.add_cell_listener("t", None, "c", f), [("t", "r", "c"), ("t", "s", "c")]),
        (lambda s, f: s.add_cell_listener(None, "r", None, f),
         [("t", "r", "c"), ("t", "r", "d"), ("u", "r", "c")]),
        (lambda s, f: s.add_has_cell_listener("t", "r", "c", f), [("t", "r", "c")]),
        (lambda s, f: s.add_has_table_cell_listener("t", "d", f), [("t", "r", "d")]),
        (lambda s, f: s.add_sorted_row_ids_listener("t", "c", False, 0, 1, f),
         [("t", "r", "c"), ("t", "s", "c")]),
        (lambda s, f: s.add_value_listener(None, f), []),
        (lambda s, f: s.add_invalid_cell_listener(None, None, None, f), []),
        (lambda s, f: s.add_did_finish_transaction_listener(f),
         [("t", "r", "c"), ("t", "r", "d"), ("t", "s", "c"), ("u", "r", "c")]),
    ],
)  # fmt: skip
def test_each_write_reaches_the_listeners_it_concerns(add: Any, told: list[tuple[str, str, str]]) -> None:
    store = Store()
    for path in (("t", "r", "x"), ("t", "s", "x"), ("u", "r", "x")):
        store.set_cell(*path, 0)
    heard: list[tuple[str, str, str]] = []
    writing: tuple[str, str, str] = ("", "", "")
    add(store, lambda *_: heard.append(writing))
    for writing in (("t", "r", "c"), ("t", "r", "d"), ("t", "s", "c"), ("u", "r", "c")):
        store.set_cell(*writing, 1)
    assert heard == told


def wants_everything(store: Store) -> bool:
    return store._interest is None


def test_after_many_listeners_have_gone_writes_are_direct_again() -> None:
    store = Store().set_cell("t", "r", "c", 0)
    ids = [store.add_table_listener(f"t{number}", lambda *_: None) for number in range(100)]
    everything = store.add_tables_listener(lambda *_: None)
    heard: list[object] = []
    store.add_cell_listener("t", "r", "c", lambda *args: heard.append(args[4]))
    assert wants_everything(store)
    for listener_id in [everything, *ids]:
        store.del_listener(listener_id)
    assert store._interest is not None
    assert not {"t0", "t50"} & store._interest.keys()
    store.set_cell("t", "r", "c", 1).set_cell("t0", "r", "c", 1)
    assert heard == [1]


def test_sorted_listeners_are_called_only_when_their_own_ids_change() -> None:
    store = Store().set_table("t", {"a": {"x": 3}, "b": {"x": 1}, "c": {"x": 2}})
    calls: list[Any] = []
    store.add_sorted_row_ids_listener("t", "x", True, 0, 2, lambda *args: calls.append(args[1:]))
    store.add_sorted_row_ids_listener("t", None, False, 0, None, lambda *args: calls.append(args[-1]))
    store.set_cell("t", "b", "x", 0).set_cell("t", "b", "y", 9).set_cell("u", "r", "x", 1)
    assert calls == []
    store.set_cell("t", "b", "x", 9)
    assert calls == [("t", "x", True, 0, 2, ["b", "a"])]
    store.set_row("t", "0", {"y": 1})
    assert calls[1:] == [["0", "a", "b", "c"]]


def test_an_invalid_listener_hears_of_each_place_once_with_all_that_was_refused() -> None:
    store = Store(on_invalid="ignore")
    calls: list[Any] = []
    store.add_invalid_cell_listener("t", None, "c", lambda _s, *args: calls.append(args))
    store.add_invalid_cell_listener(None, None, None, lambda _s, *args: calls.append(args))
    with store.transaction():
        store.set_row("t", "r", {"c": b"1"}).set_row("t", "r", {"c": b"2"}).set_table("t", {})
    assert calls == [
        ("t", "r", "c", [b"1", b"2"]),
        ("t", "r", "c", [b"1", b"2"]),
        ("t", None, None, [UNDEFINED]),
    ]
