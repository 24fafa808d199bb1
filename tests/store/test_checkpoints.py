"""Undo and redo."""

from __future__ import annotations

from typing import Any

import pytest

from support.mirrors import KINDS, Kind, Peer, exchange, make_peer
from weft import UNDEFINED, Store
from weft.errors import ReadOnlyError
from weft.persisters import MappingPersister
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


# Undo of a Store that others write to: one's own edits, and only where they still stand.


@pytest.fixture(params=KINDS)
def peers(request: pytest.FixtureRequest) -> tuple[Peer, Peer]:
    kind: Kind = request.param
    ann, ben = make_peer(kind), make_peer(kind)
    ann.store.set_content(({"shapes": {"box": {"color": "red", "width": 10}}}, {"zoom": 1}))
    exchange(ann, ben)
    return ann, ben


def test_undo_takes_back_ones_own_edits_and_leaves_those_of_others(peers: tuple[Peer, Peer]) -> None:
    ann, ben = peers
    checkpoints = create_checkpoints(ann.store)
    ann.store.set_partial_row("shapes", "box", {"color": "blue", "width": 20}).set_value("zoom", 2)
    checkpoints.add_checkpoint()
    exchange(ann, ben)
    ben.store.set_cell("shapes", "box", "color", "green").set_value("zoom", 3)
    ben.store.set_cell("shapes", "circle", "color", "black")
    ann.store.set_value("grid", True)
    exchange(ann, ben)
    checkpoints.go_backward().go_backward()
    exchange(ann, ben)
    undone: Any = (
        {"shapes": {"box": {"color": "green", "width": 10}, "circle": {"color": "black"}}},
        {"zoom": 3},
    )
    assert ann.content == ben.content == undone
    checkpoints.go_forward().go_forward()
    exchange(ann, ben)
    undone[0]["shapes"]["box"]["width"] = 20
    assert ann.content == ben.content == (undone[0], {"zoom": 3, "grid": True})


def test_what_others_write_is_no_step_and_forgets_no_step_forward(peers: tuple[Peer, Peer]) -> None:
    ann, ben = peers
    checkpoints = create_checkpoints(ann.store)
    heard: list[Any] = []
    ben.store.set_cell("shapes", "box", "color", "green")
    exchange(ann, ben)
    assert checkpoints.get_checkpoint_ids() == ([], "0", [])
    ann.store.set_cell("shapes", "box", "width", 30)
    checkpoints.go_backward()
    exchange(ann, ben)
    checkpoints.add_checkpoint_ids_listener(lambda _: heard.append(1))
    ben.store.del_row("shapes", "box").set_cell("shapes", "circle", "color", "black")
    exchange(ann, ben)
    assert checkpoints.get_checkpoint_ids() == ([], "0", ["1"])
    assert heard == []
    # The box is gone by now, so that its width is not brought back.
    checkpoints.go_forward()
    assert ann.store.get_tables() == {"shapes": {"circle": {"color": "black"}}}


def test_an_edit_after_that_of_another_goes_back_to_the_others(peers: tuple[Peer, Peer]) -> None:
    ann, ben = peers
    checkpoints = create_checkpoints(ann.store)
    ann.store.set_cell("shapes", "box", "color", "blue")
    ben.store.set_cell("shapes", "box", "width", 11)
    exchange(ann, ben)
    ben.store.set_cell("shapes", "box", "color", "green")
    exchange(ann, ben)
    assert checkpoints.get_checkpoint_ids() == ([], "0", []), "what was edited does not stand any more"
    ann.store.set_cell("shapes", "box", "color", "yellow")
    checkpoints.go_backward()
    assert ann.store.get_row("shapes", "box") == {"color": "green", "width": 11}


def test_a_row_of_ones_own_goes_but_for_what_others_put_in_it(peers: tuple[Peer, Peer]) -> None:
    ann, ben = peers
    schema: Any = {key: {"type": "string"} for key in ("color", "note")}
    schema["width"] = {"type": "number", "default": 1}
    ann.store.set_tables_schema({"shapes": schema})
    checkpoints = create_checkpoints(ann.store)
    ann.store.set_row("shapes", "line", {"color": "red"})
    checkpoints.add_checkpoint()
    ann.store.set_row("shapes", "dot", {"color": "red"})
    exchange(ann, ben)
    ben.store.set_cell("shapes", "line", "note", "keep")
    exchange(ann, ben)
    checkpoints.go_backward()
    assert not ann.store.has_row("shapes", "dot")
    checkpoints.go_backward()
    exchange(ann, ben)
    assert (
        ann.store.get_row("shapes", "line")
        == ben.store.get_row("shapes", "line")
        == {"note": "keep", "width": 1}
    )


def test_what_arrives_while_a_step_is_taken_is_of_others_as_well(peers: tuple[Peer, Peer]) -> None:
    ann, ben = peers
    checkpoints = create_checkpoints(ann.store)
    ann.store.set_cell("shapes", "box", "color", "blue")
    checkpoints.add_checkpoint()
    ann.store.set_cell("shapes", "box", "width", 20)
    exchange(ann, ben)
    ben.store.set_cell("shapes", "box", "color", "green")
    # A listener that lets the peer's edit in while the width is undone.
    ann.store.add_cell_listener("shapes", "box", "width", lambda *_: exchange(ann, ben))
    checkpoints.go_backward().go_backward()
    assert ann.store.get_row("shapes", "box") == {"color": "green", "width": 10}


def test_undo_takes_back_everybodys_changes_where_that_is_asked_for(peers: tuple[Peer, Peer]) -> None:
    ann, ben = peers
    checkpoints = create_checkpoints(ann.store, include_remote=True)
    assert create_checkpoints(ann.store) is create_checkpoints(ann.store, include_remote=True) is checkpoints
    with pytest.raises(ValueError, match="were made with include_remote=True; destroy"):
        create_checkpoints(ann.store, include_remote=False)
    ben.store.set_cell("shapes", "box", "color", "green")
    exchange(ann, ben)
    assert checkpoints.get_checkpoint_ids() == (["0"], None, [])
    checkpoints.go_backward()
    exchange(ann, ben)
    assert ben.store.get_cell("shapes", "box", "color") == "red"


async def test_what_a_persister_loads_is_no_step(store: Store, checkpoints: Checkpoints) -> None:
    place = {"store": Store().set_cell("pets", "felix", "sold", True).get_json()}
    async with MappingPersister(store, place, "store") as persister:
        await persister.load()
    assert store.get_tables() == {"pets": {"felix": {"sold": True}}}
    assert checkpoints.get_checkpoint_ids() == ([], "0", [])


def test_what_trimmed_steps_covered_is_forgotten() -> None:
    store = Store()
    checkpoints = Checkpoints(store).set_size(5)
    for number in range(3_000):
        store.set_row("t", f"r{number}", {"c": 1})
        checkpoints.add_checkpoint()
        store.del_row("t", f"r{number}")
        checkpoints.add_checkpoint()
    covered = checkpoints._overwritten._covered_rows
    assert sum(map(len, covered.values())) < 2_000
    checkpoints.destroy()
