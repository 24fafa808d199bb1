"""Undo and redo."""

from __future__ import annotations

from typing import Any

import pytest

from weft import UNDEFINED, Store
from weft.errors import ReadOnlyError
from weft.store import Checkpoints, create_checkpoints, create_middleware


@pytest.fixture
def store() -> Store:
    return Store().set_tables({"pets": {"fido": {"sold": False}}})


@pytest.fixture
def checkpoints(store: Store) -> Checkpoints:
    return create_checkpoints(store)


def test_changes_are_undone_and_done_again(store: Store, checkpoints: Checkpoints) -> None:
    assert checkpoints.get_checkpoint_ids() == ([], "0", [])
    store.set_cell("pets", "fido", "sold", True)
    assert checkpoints.get_checkpoint_ids() == (["0"], None, [])
    assert checkpoints.add_checkpoint("sale") == "1"
    assert checkpoints.add_checkpoint("again") == "1", "nothing has changed since"
    store.set_row("pets", "felix", {"tags": ["a", {"b": 1}]}).del_row("pets", "fido").set_value("open", None)
    assert checkpoints.get_checkpoint_ids() == (["0", "1"], None, [])
    assert checkpoints.go_backward() is checkpoints
    assert store.get_content() == ({"pets": {"fido": {"sold": True}}}, {})
    assert checkpoints.get_checkpoint_ids() == (["0"], "1", ["2"])
    checkpoints.go_backward().go_backward()
    assert store.get_content() == ({"pets": {"fido": {"sold": False}}}, {})
    assert checkpoints.get_checkpoint_ids() == ([], "0", ["1", "2"])
    checkpoints.go_forward().go_forward().go_forward()
    assert store.get_content() == ({"pets": {"felix": {"tags": ["a", {"b": 1}]}}}, {"open": None})
    assert checkpoints.get_checkpoint_ids() == (["0", "1"], "2", [])
    checkpoints.go_to("0")
    assert store.get_tables() == {"pets": {"fido": {"sold": False}}}
    checkpoints.go_to("2").go_to("2").go_to("missing")
    assert checkpoints.get_checkpoint_ids() == (["0", "1"], "2", [])


def test_a_change_forgets_what_could_be_done_again(store: Store, checkpoints: Checkpoints) -> None:
    store.set_cell("pets", "fido", "sold", True)
    checkpoints.go_backward()
    assert checkpoints.get_checkpoint_ids() == ([], "0", ["1"])
    store.set_value("v", 1)
    assert checkpoints.get_checkpoint_ids() == (["0"], None, [])
    assert not checkpoints.has_checkpoint("1")
    checkpoints.go_backward().clear_forward().clear_forward()
    assert checkpoints.get_checkpoint_ids() == ([], "0", [])
    assert store.get_values() == {}


def test_a_change_that_is_taken_back_leaves_the_store_at_its_checkpoint(
    store: Store, checkpoints: Checkpoints
) -> None:
    store.set_cell("pets", "fido", "sold", True).set_cell("pets", "new", "x", 1).set_value("v", [1])
    assert checkpoints.get_checkpoint_ids() == (["0"], None, [])
    store.set_cell("pets", "fido", "sold", False).del_row("pets", "new").del_value("v")
    assert checkpoints.get_checkpoint_ids() == ([], "0", [])


def test_labels(store: Store, checkpoints: Checkpoints) -> None:
    store.set_value("v", 1)
    checkpoints.add_checkpoint("sale")
    assert checkpoints.get_checkpoint("1") == "sale"
    assert checkpoints.get_checkpoint("0") == ""
    assert checkpoints.get_checkpoint("9") is None
    assert checkpoints.has_checkpoint("1")
    checkpoints.set_checkpoint("1", "sold").set_checkpoint("9", "nothing")
    seen: list[object] = []
    checkpoints.for_each_checkpoint(lambda *args: seen.append(args))
    assert seen == [("0", ""), ("1", "sold")]


def test_only_so_many_steps_back_are_kept(store: Store, checkpoints: Checkpoints) -> None:
    assert checkpoints.set_size(2) is checkpoints
    for number in range(4):
        store.set_value("v", number)
        checkpoints.add_checkpoint()
    assert checkpoints.get_checkpoint_ids() == (["2", "3"], "4", [])
    assert not checkpoints.has_checkpoint("0")
    checkpoints.set_size(0)
    assert checkpoints.get_checkpoint_ids() == ([], "4", [])


def test_listeners_hear_of_the_line_and_of_labels(store: Store, checkpoints: Checkpoints) -> None:
    lines: list[object] = []
    labels: list[object] = []
    first = checkpoints.add_checkpoint_ids_listener(lambda c: lines.append(c.get_checkpoint_ids()))
    second = checkpoints.add_checkpoint_listener(
        None, lambda c, id_: labels.append((id_, c.get_checkpoint(id_)))
    )
    third = checkpoints.add_checkpoint_listener("1", lambda _c, id_: labels.append(id_))
    assert [first, second, third] == ["0", "1", "2"]
    assert checkpoints.get_listener_stats() == {"checkpoint_ids": 1, "checkpoint": 2}
    store.set_value("v", 1)
    checkpoints.add_checkpoint("one")
    checkpoints.set_checkpoint("1", "uno").set_checkpoint("1", "uno")
    checkpoints.go_backward().clear_forward()
    assert lines == [(["0"], None, []), (["0"], "1", []), ([], "0", ["1"]), ([], "0", [])]
    assert labels == ["1", ("1", "one"), "1", ("1", "uno"), "1", ("1", None)]
    for listener_id in (first, second, third, third, "9"):
        checkpoints.del_listener(listener_id)
    assert checkpoints.get_listener_stats() == {"checkpoint_ids": 0, "checkpoint": 0}
    store.set_value("v", 2)
    assert len(lines) == 4


def test_clearing_begins_again(store: Store, checkpoints: Checkpoints) -> None:
    for number in range(3):
        store.set_value("v", number)
        checkpoints.add_checkpoint()
    checkpoints.go_backward()
    assert checkpoints.clear() is checkpoints
    assert checkpoints.get_checkpoint_ids() == ([], "0", [])
    checkpoints.go_backward()
    assert store.get_value("v") == 1


def test_a_store_has_one_set_of_checkpoints_until_they_are_destroyed(store: Store) -> None:
    checkpoints = create_checkpoints(store)
    assert create_checkpoints(store) is checkpoints
    assert checkpoints.get_store() is store
    checkpoints.destroy()
    checkpoints.destroy()
    assert store.get_listener_stats()["cell"] == store.get_listener_stats()["value"] == 0
    store.set_value("v", 1)
    assert checkpoints.get_checkpoint_ids() == ([], "0", [])
    assert create_checkpoints(store) is not checkpoints


def test_undo_passes_the_middleware_by_and_obeys_the_schema(store: Store, checkpoints: Checkpoints) -> None:
    store.set_row("pets", "felix", {"price": 1, "species": "cat"}).set_value("v", 1)
    checkpoints.add_checkpoint()
    store.del_table("pets").del_values()
    middleware = create_middleware(store)
    middleware.add_will_set_cell_callback(lambda *_: UNDEFINED)
    middleware.add_will_set_value_callback(lambda *_: UNDEFINED)
    store.set_schema(
        {"pets": {"price": {"type": "number"}, "sold": {"type": "string"}}}, {"v": {"type": "number"}}
    )
    checkpoints.go_backward()
    assert store.get_content() == ({"pets": {"felix": {"price": 1}}}, {"v": 1})


def test_undo_is_one_transaction_that_other_listeners_hear_of(store: Store, checkpoints: Checkpoints) -> None:
    store.set_row("pets", "felix", {"a": 1, "b": 2}).set_value("v", 1)
    seen: list[Any] = []
    store.add_did_finish_transaction_listener(lambda _: seen.append(store.get_transaction_changes()))
    checkpoints.go_backward()
    assert seen == [({"pets": {"felix": UNDEFINED}}, {"v": UNDEFINED}, 1)]


@pytest.mark.parametrize("mode", ["raise", "ignore"])
def test_a_listener_that_only_looks_cannot_undo(mode: Any) -> None:
    store = Store(on_invalid=mode)
    checkpoints = create_checkpoints(store)
    refused: list[object] = []

    def undo(_: Store) -> None:
        try:
            checkpoints.go_backward()
        except ReadOnlyError as error:
            refused.append(error)

    store.add_did_finish_transaction_listener(undo)
    store.set_value("v", 1)
    assert store.get_values() == {"v": 1}
    assert len(refused) == (mode == "raise")


def test_a_forced_call_of_the_listeners_of_checkpoints_changes_nothing(
    store: Store, checkpoints: Checkpoints
) -> None:
    for listener_id in ("0", "1"):
        store.call_listener(listener_id)
    assert checkpoints.get_checkpoint_ids() == ([], "0", [])


def test_an_object_that_cannot_be_restored_is_reported_as_an_object() -> None:
    store = Store().set_values_schema({"w": {"type": "array", "default": [0]}})
    checkpoints = create_checkpoints(store)
    heard: list[Any] = []
    store.add_invalid_value_listener(None, lambda *args: heard.append(args[1:]))
    store.set_values_schema({"v": {"type": "object"}})
    heard.clear()
    checkpoints.go_backward()
    assert heard == [("w", [[0]])]
    assert type(heard[0][1][0]) is list
