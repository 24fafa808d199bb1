"""The seam of mirrors and persisters, seen by one who uses it."""

from __future__ import annotations

from typing import Any

import pytest

from weft.store import Store, create_middleware
from weft.store.replica import Paths, Replica
from weft.values import UNDEFINED

Heard = list[tuple[Any, ...]]


def listening(store: Store, *, edits: bool = False) -> tuple[Replica, Heard]:
    replica = Replica(store)
    heard: Heard = []
    replica.on_finish(lambda: heard.append((replica.edits if edits else replica.changes)()))
    return replica, heard


def raised(error: Exception) -> None:
    raise AssertionError("nothing is reported here") from error


def test_what_is_seen_is_the_stores_own_and_stays_so() -> None:
    store = Store()
    replica = Replica(store)
    store.set_content(({"pets": {"fido": {"legs": 4}}}, {"open": True}))
    assert replica.tables == {"pets": {"fido": {"legs": 4}}}
    store.del_tables().del_values()
    assert (replica.tables, replica.values) == ({}, {})


def test_changes_are_net_and_leave_out_what_was_received() -> None:
    store = Store()
    replica, heard = listening(store)
    store.set_cell("pets", "fido", "legs", 4)
    assert replica.receive({"pets": {"fido": {"legs": 3, "tail": 1}}}, {"open": True}, raised) == []
    assert heard == [({"pets": {"fido": {"legs": 4}}}, {}), ({}, {})]


def test_what_a_listener_writes_on_top_of_what_is_received_is_a_change() -> None:
    store = Store()
    store.add_cell_listener("pets", None, "legs", lambda *_: store.set_value("counted", True), mutator=True)
    replica, heard = listening(store)
    replica.receive({"pets": {"fido": {"legs": 3}}}, {}, raised)
    assert heard == [({}, {"counted": True})]


@pytest.mark.parametrize("edits", [False, True])
def test_only_edits_tell_what_rules_made_of_what_was_received(edits: bool) -> None:
    store = Store().set_tables_schema({"pets": {"legs": {"type": "number", "default": 4}}})
    replica, heard = listening(store, edits=edits)
    assert replica.has_rules
    refused = replica.receive({"pets": {"fido": {"legs": "four"}}}, {}, raised)
    assert refused == [("pets", "fido", "legs", "four")]
    assert store.get_cell("pets", "fido", "legs") == 4
    # What was refused is no edit: the place keeps it.
    assert heard == [({}, {})]


def test_what_middleware_makes_of_what_was_received_is_an_edit_and_no_change() -> None:
    store = Store()
    create_middleware(store).add_will_set_cell_callback(lambda _table, _row, _cell, _given: 4)
    replica, heard = listening(store)
    edited: Heard = []
    replica.on_finish(lambda: edited.append(replica.edits()))
    replica.receive({"pets": {"fido": {"legs": 2}}}, {}, raised)
    assert store.get_cell("pets", "fido", "legs") == 4
    assert heard == [({}, {})]
    assert edited == [({"pets": {"fido": {"legs": 4}}}, {})]


def test_more_can_be_received_when_a_transaction_is_over() -> None:
    store = Store()
    replica, heard = listening(store)
    waiting: list[Any] = [{"b": {"r": {"c": 2}}}]

    def more() -> None:
        while waiting:
            replica.receive(waiting.pop(), {}, raised)

    replica.on_transaction_end(more)
    replica.receive({"a": {"r": {"c": 1}}}, {}, raised)
    store.set_cell("c", "r", "c", 3)
    assert store.get_table_ids() == ["a", "b", "c"]
    assert heard == [({}, {}), ({}, {}), ({"c": {"r": {"c": 3}}}, {})]


def test_what_was_removed_as_a_container_is_told_apart_from_what_was_emptied() -> None:
    store = Store().set_tables({"t": {"a": {"c": 1}, "b": {"c": 1}}, "u": {"r": {"c": 1}}})
    replica = Replica(store)
    removed: Heard = []
    replica.on_finish(lambda: removed.append(replica.removed()))
    with store.transaction():
        store.del_cell("t", "a", "c").del_row("t", "b").del_table("u")
    assert removed == [({"u"}, {("t", "b"), ("u", "r")})]


def test_hooks_end() -> None:
    store = Store()
    replica = Replica(store)
    calls: list[object] = []
    ends = [
        replica.on_finish(lambda: calls.append("finish")),
        replica.on_transaction_end(lambda: calls.append(replica.is_busy)),
    ]
    store.set_value("a", 1)
    for end in ends:
        end()
    store.set_value("a", 2)
    assert calls == ["finish", False]


def test_busy_is_while_a_transaction_is_open_or_listeners_are_called() -> None:
    store = Store()
    replica, seen = Replica(store), []
    store.add_value_listener(None, lambda *_: seen.append(replica.is_busy))
    with store.transaction():
        seen.append(replica.is_busy)
        store.set_value("a", 1)
    assert [*seen, replica.is_busy] == [True, True, False]


def test_kinds_are_those_of_the_schemas() -> None:
    store = Store()
    assert Replica(store).kinds() == {}
    store.set_schema({"pets": {"legs": {"type": "number"}}}, {"open": {"type": "boolean"}})
    assert Replica(store).kinds() == {"pets": {"legs": "number"}, "": {"open": "boolean"}}


def test_paths_add_up_and_a_container_made_and_removed_at_once_is_none_of_them() -> None:
    paths = Paths()
    assert not paths
    paths.add({"t": {"r": ["b", "a"]}}, ["v"], {"t", "made and removed"}, {("t", "r"), ("t", "gone")})
    more = Paths(everything=True)
    more.add({"t": {"r": {"c": UNDEFINED}, "s": ["a"]}})
    paths.update(more)
    assert paths
    assert paths.everything
    assert {row_id: list(cells) for row_id, cells in paths.tables["t"].items()} == {
        "r": ["b", "a", "c"],
        "s": ["a"],
    }
    assert list(paths.values) == ["v"]
    assert (paths.removed_tables, paths.removed_rows) == ({"t"}, {("t", "r")})


def test_places_of_what_a_schema_refuses_are_taken_out_of_what_another_place_lacks() -> None:
    paths = Paths()
    paths.add({"t": {"r": ["a", "b"], "q": ["a"]}, "u": {"r": ["a"]}}, ["v", "w"])
    paths.discard([("t", "r", "a", 1), ("t", "q", "a", 1), ("u", "r", "a", 1), ("x", "y", "z", 1), ("v", 1)])
    assert paths == Paths(tables={"t": {"r": {"b": None}}}, values={"w": None})


def test_what_a_schema_puts_out_is_no_change_and_what_it_adds_is() -> None:
    store = Store().set_table("t", {"r": {"a": "x"}, "q": {"b": 1}})
    replica = Replica(store)
    heard: list[object] = []
    replica.on_finish(lambda: heard.append((replica.changes(), replica.removed(), replica.refused())))
    store.set_tables_schema({"t": {"b": {"type": "number", "default": 0}}})
    assert heard == [(({"t": {"r": {"b": 0}}}, {}), (set(), set()), [("t", "r", "a", "x")])]
