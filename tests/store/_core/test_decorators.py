"""Listening with decorators."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from weft import Store
from weft.store._parts.listener_tree import KINDS


def test_a_decorated_function_listens_until_it_is_unsubscribed_and_can_still_be_called() -> None:
    store = Store()
    heard: list[object] = []

    @store.on_cell("pets", None, "species")
    def on_species(
        _store: Store, _table: str, row_id: str, _cell: str, new: Any, _old: Any, _get: Any
    ) -> str:
        """Note it."""
        heard.append((row_id, new))
        return "called"

    store.set_cell("pets", "fido", "species", "dog").set_cell("pets", "fido", "age", 3).set_cell(
        "zoo", "leo", "species", "lion"
    )
    assert heard == [("fido", "dog")]
    assert on_species(store, "t", "r", "c", 1, 2, None) == "called"
    assert (on_species.__doc__, vars(on_species)["__name__"]) == ("Note it.", "on_species")
    store.call_listener(on_species.listener_id)
    assert len(heard) == 3
    on_species.unsubscribe()
    other = store.add_tables_listener(lambda *_: heard.append("other"))
    assert other == on_species.listener_id
    on_species.unsubscribe()
    store.set_cell("pets", "rex", "species", "dog")
    assert heard[3:] == ["other"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "sorted_row_ids"])
def test_each_kind_has_a_decorator_with_the_path_of_its_method(kind: str) -> None:
    store = Store()
    decorator = getattr(store, f"on_{kind}")
    added = inspect.signature(getattr(store, f"add_{kind}_listener")).parameters
    taken = inspect.signature(decorator).parameters
    assert list(taken) == [name for name in added if name not in {"listener", "mutator"}] + ["mutator"]
    decorator()(lambda *_: None)
    decorator(mutator=True)(lambda *_: None)
    assert store.get_listener_stats()[kind] == 2  # type: ignore[literal-required]
    assert (store._listeners.size, store._mutators.size) == (1, 1)


def test_a_mutator_may_write() -> None:
    store = Store()

    @store.on_cell("t", mutator=True)
    def clamp(_: Store, table_id: str, row_id: str, cell_id: str, new: Any, _old: Any, _get: Any) -> None:
        store.set_cell(table_id, row_id, cell_id, min(new, 10))

    store.set_cell("t", "r", "c", 50)
    assert store.get_cell("t", "r", "c") == 10
    assert clamp.listener_id == "0"


def test_transactions_have_decorators_without_parentheses() -> None:
    store = Store()
    calls: list[str] = []

    @store.on_start_transaction
    def start(_: Store) -> None:
        calls.append("start")

    @store.on_will_finish_transaction
    def will(_: Store) -> None:
        calls.append("will")

    @store.on_did_finish_transaction
    def did(_: Store) -> None:
        calls.append("did")

    store.set_value("v", 1)
    for subscription in (start, will, did):
        subscription.unsubscribe()
    store.set_value("v", 2)
    assert calls == ["start", "will", "did"]
