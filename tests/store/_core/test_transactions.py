"""Transactions: nesting, rolling back exactly, and what is called when."""

from __future__ import annotations

from typing import Any

import pytest

from weft import UNDEFINED, Store
from weft.errors import InvalidCellError, ReadOnlyError

CONTENT: Any = (
    {
        "t": {"b": {"x": 1, "y": 2}, "a": {"x": [1], "z": None}, "c": {"y": 3}},
        "u": {"5": {"x": 1}, "1": {"x": 2}},
    },
    {"open": True, "names": ["a"]},
)


def filled(mode: Any = "raise") -> Store:
    store = Store(on_invalid=mode).set_content(CONTENT)
    store.del_row("u", "5").set_row("u", "5", {"x": 1}).del_row("u", "1")
    return store


def everything(store: Store) -> Any:
    """All there is, with all orders: what a rollback must bring back."""
    tables, values = store.get_content()
    return (
        [(t, [(r, list(c.items())) for r, c in rows.items()]) for t, rows in tables.items()],
        list(values.items()),
        {t: list(counts.items()) for t, counts in store._counts.items()},
        {t: (list(pool.free), pool.next) for t, pool in store._pools.items()},
        store.get_schema_json(),
        store.get_json(),
    )


WRITES: list[Any] = [
    lambda s: s.set_cell("t", "a", "x", 9).set_cell("t", "a", "new", 9).set_cell("n", "n", "n", 1),
    lambda s: s.del_cell("t", "b", "x").set_cell("t", "b", "x", 1),
    lambda s: s.del_cell("t", "c", "y"),
    lambda s: s.del_row("t", "a").set_row("t", "a", {"x": [1], "z": None}),
    lambda s: s.del_row("t", "b").del_row("t", "c"),
    lambda s: s.del_table("t").set_table("t", {"a": {"x": 1}}),
    lambda s: s.del_table("u").add_row("u", {"x": 1}),
    lambda s: s.del_tables().set_tables({"v": {"r": {"c": 1}}}),
    lambda s: s.set_tables({"u": {"9": {"q": 1}}, "t": {"c": {"x": 1}}}),
    lambda s: s.set_table("t", {"z": {"x": 1}, "a": {"q": 2}}),
    lambda s: s.set_row("t", "b", {"q": 1}).set_partial_row("t", "c", {"x": 2}),
    lambda s: [s.add_row("u", {"x": i}) for i in range(4)],
    lambda s: [s.add_row("u", {"x": 1}, reuse_row_ids=False), s.del_row("u", "0"), s.del_row("u", "5")],
    lambda s: [s.add_row("w", {"x": 1}), s.del_table("w"), s.add_row("w", {"x": 2})],
    lambda s: s.set_values({"b": 1, "names": 2}).del_value("names").set_value("open", False),
    lambda s: s.del_values().set_values({"names": 1, "open": 2}),
    lambda s: s.set_content(({}, {})),
    lambda s: s.set_json('[{"t":{"c":{"y":[]}}},{}]'),
    lambda s: s.apply_changes(
        ({"t": {"b": UNDEFINED, "a": {"x": UNDEFINED}}, "u": UNDEFINED}, {"open": UNDEFINED}, 1)
    ),
    lambda s: s.set_tables_schema({"t": {"x": {"type": "number", "default": 5}}}),
    lambda s: s.set_values_schema({"open": {"type": "boolean"}, "size": {"type": "number", "default": 1}}),
    lambda s: s.set_schema({"u": {"y": {"type": "string", "default": ""}}}).del_schema(),
    lambda s: s._apply_stored(
        {"t": {"b": {"x": UNDEFINED, "y": UNDEFINED}, "n": {"q": 1}}}, {"open": UNDEFINED}
    ),
]


def fail_after(write: Any, store: Store) -> None:
    write(store)
    raise ZeroDivisionError


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("watched", [False, True])
def test_an_exception_that_leaves_a_block_rolls_back_everything_in_its_place(
    write: Any, watched: bool
) -> None:
    store = filled()
    heard: list[object] = []
    if watched:
        store.add_tables_listener(lambda *_: heard.append("tables"))
        store.add_values_listener(lambda *_: heard.append("values"))
        store.add_will_finish_transaction_listener(lambda _: heard.append("will"))
        store.add_did_finish_transaction_listener(lambda _: heard.append("did"))
    before = everything(store)
    with pytest.raises(ZeroDivisionError), store.transaction():
        fail_after(write, store)
    assert everything(store) == before
    assert heard == []
    with pytest.raises(ZeroDivisionError), store.transaction():
        fail_after(lambda _: [each(store) for each in WRITES], store)
    assert everything(store) == before


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("how", ["do_rollback", "mutator", "will", "start"])
def test_each_way_of_failing_before_the_commit_rolls_back(write: Any, how: str) -> None:
    store = filled()
    heard: list[object] = []
    store.add_tables_listener(lambda *_: heard.append("tables"))
    store.add_did_finish_transaction_listener(
        lambda _: heard.append(("did", store.get_transaction_changes()))
    )

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    if how == "mutator":
        store.add_table_ids_listener(lambda *_: store.del_tables(), mutator=True)
        store.add_tables_listener(fail, mutator=True)
        store.add_values_listener(fail, mutator=True)
    elif how == "will":
        store.add_will_finish_transaction_listener(lambda _: store.del_tables())
        store.add_will_finish_transaction_listener(fail)
    elif how == "start":
        store.add_start_transaction_listener(lambda _: store.del_tables())
        store.add_start_transaction_listener(fail)
    before = everything(store)
    if how == "do_rollback":
        store.transaction(lambda: write(store), lambda asked: asked is store)
    else:
        with pytest.raises(ZeroDivisionError):
            store.transaction(lambda: [write(store), store.set_value("size", 7)])
    assert everything(store) == before
    assert heard == ([("did", ({}, {}, 1))] if how in {"do_rollback", "will"} else [])


def test_transactions_nest_by_counting_and_only_the_outermost_commits() -> None:
    store = Store()
    heard: list[object] = []
    store.add_tables_listener(lambda *_: heard.append(store.get_tables()))
    store.start_transaction()
    with store.transaction() as same:
        assert same is store
        store.set_cell("t", "r", "a", 1)
        assert store.transaction(lambda: store.set_cell("t", "r", "b", 2)) is store
        store.start_transaction().finish_transaction()
    assert heard == []
    store.finish_transaction()
    assert heard == [{"t": {"r": {"a": 1, "b": 2}}}]
    store.finish_transaction().finish_transaction()
    assert len(heard) == 1


def test_actions_give_their_result() -> None:
    assert Store().transaction(lambda: 5) == 5


def test_a_failing_inner_transaction_dooms_the_outer_one_even_if_it_is_caught() -> None:
    store = filled()
    before = everything(store)
    with store.transaction():
        store.del_table("t")
        with pytest.raises(ZeroDivisionError), store.transaction():
            1 / 0  # noqa: B018
        store.set_cell("n", "n", "n", 1)
    assert everything(store) == before


def test_a_refused_piece_of_data_dooms_nothing_if_it_is_caught() -> None:
    store = filled()
    with store.transaction():
        store.set_cell("t", "a", "x", 5)
        with pytest.raises(InvalidCellError):
            store.set_row("t", "a", {"x": 6, "y": object()})
        with pytest.raises(InvalidCellError):
            store.set_cell("t", "a", "x", object())  # type: ignore[arg-type]
    assert store.get_cell("t", "a", "x") == 5


def test_but_it_rolls_back_the_block_that_it_leaves() -> None:
    store = filled()
    before = everything(store)
    with pytest.raises(InvalidCellError), store.transaction():
        store.set_cell("t", "a", "x", 5).set_cell("t", "a", "x", object())  # type: ignore[arg-type]
    assert everything(store) == before


def test_changes_half_applied_are_taken_back_before_the_error_is_raised() -> None:
    store = filled()
    before = everything(store)
    bad: Any = ({"t": {"a": {"x": 5}, "b": UNDEFINED, "n": {"q": object()}}}, {}, 1)
    with pytest.raises(InvalidCellError):
        store.apply_changes(bad)
    assert everything(store) == before
    with store.transaction():
        store.del_cell("t", "b", "x").del_row("t", "a")
        within = everything(store)
        for _ in range(2):
            with pytest.raises(InvalidCellError):
                store.apply_changes(bad)
            assert everything(store) == within
        store.set_cell("t", "b", "x", 7).set_cell("n", "n", "n", 1)
        assert store.get_transaction_changes()[0] == {
            "t": {"b": {"x": 7}, "a": UNDEFINED},
            "n": {"n": {"n": 1}},
        }
    assert store.get_cell("t", "b", "x") == 7
    with pytest.raises(ZeroDivisionError), store.transaction():
        fail_after(half_apply, store)
    assert store.get_cell("t", "b", "x") == 7


def half_apply(store: Store) -> None:
    store.del_row("t", "b")
    before = everything(store)
    with pytest.raises(InvalidCellError):
        store.apply_changes(({"t": {"c": {"y": 1, "x": object()}}}, {}, 1))
    assert everything(store) == before
    store.del_tables()


def test_the_origin_is_that_of_the_outermost_transaction() -> None:
    store = Store()
    token = object()
    seen: list[object] = []
    store.add_will_finish_transaction_listener(lambda _: seen.append(store.transaction_origin))
    store.add_did_finish_transaction_listener(lambda _: seen.append(store.transaction_origin))
    store.add_cell_listener(None, None, None, lambda *_: seen.append(store.transaction_origin))
    assert store.transaction_origin is None
    with store.transaction(origin=token), store.transaction(origin="inner"):
        assert store.transaction_origin is token
        store.set_cell("t", "r", "c", 1)
    assert all(origin is token for origin in seen)
    assert len(seen) == 3
    store.set_cell("t", "r", "c", 2)
    assert seen[3:] == [None, None, None]
    assert store.transaction(lambda: store.transaction_origin, origin=token) is token
    with pytest.raises(ZeroDivisionError), store.transaction(origin=token):
        1 / 0  # noqa: B018
    assert store.transaction_origin is None


def test_the_listeners_of_transactions_are_called_in_order_and_may_write_until_the_end() -> None:
    store = Store()
    calls: list[object] = []

    def start(_: Store) -> None:
        calls.append("start")
        store.set_value("start", 1)

    def will(_: Store) -> None:
        calls.append(("will", store.get_transaction_changes()))
        store.set_value("will", 1)

    store.add_start_transaction_listener(start)
    store.add_will_finish_transaction_listener(will)
    store.add_values_listener(lambda *_: calls.append("values"))
    store.add_did_finish_transaction_listener(
        lambda _: calls.append(("did", store.get_transaction_changes()))
    )
    store.set_cell("t", "r", "c", 1)
    tables = {"t": {"r": {"c": 1}}}
    assert calls == [
        "start",
        ("will", (tables, {"start": 1}, 1)),
        "values",
        ("did", (tables, {"start": 1, "will": 1}, 1)),
    ]
    assert store.get_transaction_changes() == ({}, {}, 1)
    calls.clear()
    store.transaction(lambda: None)
    assert [call if isinstance(call, str) else call[0] for call in calls] == ["start", "will", "did"]  # type: ignore[index]


@pytest.mark.parametrize("mode", ["raise", "ignore"])
@pytest.mark.parametrize("when", ["listener", "did"])
def test_listeners_that_only_look_cannot_write(mode: Any, when: str) -> None:
    store = Store(on_invalid=mode)
    refused: list[object] = []
    writes: list[Any] = [
        lambda: store.set_cell("t", "r", "c", 2),
        lambda: store.set_value("v", 1),
        lambda: store.add_row("t", {"c": 1}),
        lambda: store.del_tables(),  # noqa: PLW0108
        lambda: store.set_content(({}, {})),
        lambda: store.transaction(lambda: refused.append("ran")),
        lambda: store.start_transaction(),  # noqa: PLW0108
        lambda: store.set_json("[{},{}]"),
        lambda: store.set_tables_schema({"t": {"c": {"type": "string"}}}),
        lambda: store.del_schema(),  # noqa: PLW0108
        lambda: store.apply_changes(({}, {"v": 1}, 1)),
    ]

    def look(*_: object) -> None:
        for write in writes:
            try:
                refused.append(write())
            except ReadOnlyError as error:
                refused.append(type(error) if "mutator" in str(error) else error)

    if when == "did":
        store.add_did_finish_transaction_listener(look)
    else:
        store.add_cell_listener(None, None, None, look)
    store.set_cell("t", "r", "c", 1)
    if mode == "raise":
        assert refused == [ReadOnlyError] * len(writes)
    else:
        assert refused == [store, store, None, store, store, None, store, store, store, store, store]
    assert store.get_content() == ({"t": {"r": {"c": 1}}}, {})
    assert not store.has_tables_schema()
    store.set_cell("t", "r", "d", 1)
    assert store.has_cell("t", "r", "d"), "the Store is open again"


def test_an_exception_of_a_looking_listener_comes_after_the_commit_and_skips_the_rest_but_not_did() -> None:
    writes: list[Any] = [
        lambda s: s.set_cell("t", "r", "c", 1),
        lambda s: s.transaction(lambda: s.set_cell("t", "r", "c", 1)),
    ]
    for write in writes:
        store = Store().set_cell("t", "r", "c", 0)
        calls: list[str] = []

        def fail(*_: object, calls: list[str] = calls) -> None:
            calls.append("fail")
            raise ZeroDivisionError("first")

        def fail_again(_: Store, calls: list[str] = calls) -> None:
            calls.append("did")
            raise KeyError("second")

        store.add_cell_listener(None, None, None, fail)
        store.add_tables_listener(lambda *_, calls=calls: calls.append("tables"))
        store.add_did_finish_transaction_listener(fail_again)
        store.add_did_finish_transaction_listener(fail_again)
        with pytest.raises(ZeroDivisionError):
            write(store)
        assert calls == ["fail", "did", "did"]
        assert store.get_cell("t", "r", "c") == 1


def test_all_will_and_did_listeners_are_called_and_the_first_error_is_raised() -> None:
    store = Store()
    calls: list[int] = []

    def failing(number: int) -> Any:
        def fail(_: Store) -> None:
            calls.append(number)
            raise KeyError(number)

        return fail

    for number in (1, 2):
        store.add_will_finish_transaction_listener(failing(number))
    store.add_did_finish_transaction_listener(failing(3))
    with pytest.raises(KeyError) as caught:
        store.set_cell("t", "r", "c", 1)
    assert calls == [1, 2, 3]
    assert caught.value.args == (1,)
    assert store.get_tables() == {}
