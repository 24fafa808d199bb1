"""One's own undo."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from support.mirrors import KINDS, Kind, Peer, exchange, make_peer
from weft import UNDEFINED, Store
from weft.errors import LocalProtocolError, ReadOnlyError
from weft.store import UndoManager, create_middleware
from weft.store.replica import Replica

if TYPE_CHECKING:
    from weft.store import UndoEvent


@pytest.fixture
def store() -> Store:
    return Store().set_tables({"pets": {"fido": {"sold": False}}})


@pytest.fixture
def manager(store: Store) -> UndoManager:
    return store.undo_manager(capture_timeout=0)


def receive(
    store: Store, tables: Any, values: Any = None, *, are_written: bool = True, deltas: Any = None
) -> None:
    """What a peer writes."""

    def fail(error: Exception) -> None:
        raise error

    Replica(store).receive(tables, values or {}, fail, are_written=are_written, deltas=deltas)


# -- steps -------------------------------------------------------------------------------------------------


def test_a_step_is_undone_and_done_again(store: Store, manager: UndoManager) -> None:
    assert not manager.can_undo()
    assert not manager.undo()
    store.set_cell("pets", "fido", "sold", True)
    store.set_row("pets", "felix", {"tags": ["a", {"b": 1}]}).set_value("open", None)
    assert len(manager.undo_stack) == 3
    assert manager.undo()
    assert manager.undo()
    assert store.get_content() == ({"pets": {"fido": {"sold": True}}}, {})
    assert manager.undo()
    assert store.get_content() == ({"pets": {"fido": {"sold": False}}}, {})
    assert not manager.can_undo()
    assert len(manager.redo_stack) == 3
    assert manager.redo()
    assert manager.redo()
    assert manager.redo()
    assert not manager.redo()
    assert store.get_content() == (
        {"pets": {"fido": {"sold": True}, "felix": {"tags": ["a", {"b": 1}]}}},
        {"open": None},
    )


def test_a_new_edit_forgets_what_could_be_redone(store: Store, manager: UndoManager) -> None:
    store.set_cell("pets", "fido", "sold", True)
    manager.undo()
    store.set_value("v", 1)
    assert not manager.can_redo()
    assert not manager.redo()


def test_transactions_within_the_timeout_are_one_step(store: Store) -> None:
    now = [0.0]
    manager = store.undo_manager(capture_timeout=1, clock=lambda: now[0])
    for name in "abc":
        now[0] += 0.9
        store.set_cell("pets", "fido", "name", name)
    assert [item.places for item in manager.undo_stack] == [[("pets", "fido", "name")]]
    now[0] += 2
    store.set_cell("pets", "fido", "name", "d")
    manager.stop_capturing()
    store.set_cell("pets", "fido", "age", 1)
    assert len(manager.undo_stack) == 3
    manager.undo()
    store.set_cell("pets", "fido", "age", 2)
    assert len(manager.undo_stack) == 3, "what follows an undo is a step of its own"
    manager.undo()
    manager.undo()
    manager.undo()
    assert store.get_row("pets", "fido") == {"sold": False}


def test_what_is_taken_back_within_a_step_is_none(store: Store) -> None:
    manager = store.undo_manager(capture_timeout=9, clock=lambda: 0.0)
    store.set_value("v", 1).del_value("v")
    assert not manager.can_undo()


def test_a_block_is_one_step_with_a_label_and_more(store: Store, manager: UndoManager) -> None:
    with manager.step("paste", {"cursor": 3}):
        store.set_value("a", 1)
        with manager.step("ignored"):
            store.set_value("b", 2)
    with manager.step("nothing"):
        pass
    store.set_value("c", 3)
    pasted, typed = manager.undo_stack
    assert (pasted.label, pasted.meta, typed.label) == ("paste", {"cursor": 3}, "")
    assert pasted.places == [("a",), ("b",)]
    manager.undo()
    manager.undo()
    assert store.get_values() == {}
    assert (manager.redo_stack[-1].label, manager.redo_stack[-1].meta) == ("paste", {"cursor": 3})


def test_a_rolled_back_transaction_is_no_step(store: Store, manager: UndoManager) -> None:
    store.transaction(lambda: store.set_value("a", 1), lambda _: True)

    def fail() -> None:
        store.set_value("a", 1)
        raise KeyError

    with pytest.raises(KeyError):
        store.transaction(fail)
    assert not manager.can_undo()


def test_undo_within_a_transaction_is_refused(store: Store, manager: UndoManager) -> None:
    store.set_value("a", 1)
    with store.transaction():
        store.set_value("b", 1)
        with pytest.raises(LocalProtocolError, match=r"undo\(\) was called inside a transaction"):
            manager.undo()
        with pytest.raises(LocalProtocolError, match=r"redo\(\) was called inside a transaction"):
            manager.redo()
    assert store.get_values() == {"a": 1, "b": 1}
    failures: list[Exception] = []

    def listen(*_: object) -> None:
        try:
            manager.undo()
        except ReadOnlyError as error:
            failures.append(error)

    store.add_values_listener(listen)
    store.set_value("c", 1)
    assert len(failures) == 1
    assert len(manager.undo_stack) == 3


def test_an_undo_can_be_told_by_its_transaction(store: Store, manager: UndoManager) -> None:
    heard: list[tuple[object, bool, bool]] = []
    store.add_values_listener(
        lambda *_: heard.append((store.transaction_origin, manager.is_undoing, manager.is_redoing))
    )
    store.set_value("a", 1)
    manager.undo()
    manager.redo()
    assert heard == [(None, False, False), (manager, True, False), (manager, False, True)]


def test_a_mutator_that_fails_leaves_the_step(store: Store, manager: UndoManager) -> None:
    store.set_value("a", 1)

    def refuse(*_: object) -> None:
        raise KeyError("no")

    listener_id = store.add_value_listener("a", refuse, True)
    with pytest.raises(KeyError):
        manager.undo()
    assert store.get_values() == {"a": 1}
    assert (len(manager.undo_stack), manager.can_redo()) == (1, False)
    store.del_listener(listener_id)
    assert manager.undo()
    assert store.get_values() == {}


def test_a_listener_that_fails_comes_too_late(store: Store, manager: UndoManager) -> None:
    store.set_value("a", 1)

    def fail(*_: object) -> None:
        raise KeyError("late")

    listener_id = store.add_value_listener("a", fail)
    with pytest.raises(KeyError):
        manager.undo()
    store.del_listener(listener_id)
    assert store.get_values() == {}
    assert (manager.can_undo(), len(manager.redo_stack)) == (False, 1)
    manager.redo()
    assert store.get_values() == {"a": 1}


def test_what_mutators_add_belongs_to_the_step(store: Store, manager: UndoManager) -> None:
    def count(*_: object) -> None:
        store.set_value("count", len(store.get_row_ids("pets")))

    store.add_row_ids_listener("pets", count, True)
    store.set_row("pets", "rex", {"sold": True})
    assert store.get_values() == {"count": 2}
    manager.undo()
    assert store.get_values() == {"count": 1}, "the mutator has written again"
    manager.redo()
    assert store.get_values() == {"count": 2}


def test_undo_goes_past_middleware(store: Store, manager: UndoManager) -> None:
    create_middleware(store).add_will_set_value_callback(lambda _id, value: value + 1)  # type: ignore[operator]
    store.set_value("a", 1)
    store.set_value("a", 5)
    manager.undo()
    assert store.get_values() == {"a": 2}


def test_listeners_are_told_of_steps(store: Store) -> None:
    manager = store.undo_manager(capture_timeout=9, clock=lambda: 0.0, size=2)
    heard: list[tuple[str, str]] = []

    def listen(which: UndoManager, event: UndoEvent) -> None:
        assert which is manager
        heard.append((event.kind, event.stack))

    listener_id = manager.add_listener(listen)
    store.set_value("a", 1).set_value("b", 1)
    manager.undo()
    manager.redo()
    assert heard == [
        ("added", "undo"),
        ("updated", "undo"),
        ("popped", "undo"),
        ("added", "redo"),
        ("popped", "redo"),
        ("added", "undo"),
    ]
    heard.clear()
    for number in range(2):
        manager.stop_capturing()
        store.set_value("c", number)
    assert heard == [("added", "undo"), ("added", "undo"), ("dropped", "undo")]
    heard.clear()
    receive(store, {}, {"c": 9})
    manager.clear()
    assert heard == [("dropped", "undo"), ("dropped", "undo")]
    manager.del_listener(listener_id).del_listener(listener_id)
    store.set_value("d", 1)
    assert len(heard) == 2


def test_a_closed_manager_hears_no_more(store: Store) -> None:
    with store.undo_manager() as manager:
        store.set_value("a", 1)
    store.set_value("b", 1)
    assert not manager.can_undo()
    manager.close()
    assert "0 to undo" in repr(manager)


def test_steps_are_bounded(store: Store) -> None:
    manager = store.undo_manager(capture_timeout=0, size=3)
    for number in range(5):
        store.set_value("v", number)
    assert len(manager.undo_stack) == 3
    while manager.undo():
        pass
    assert store.get_values() == {"v": 1}
    manager = store.undo_manager(capture_timeout=0, max_bytes=3000)
    for number in range(5):
        store.set_value("text", str(number) * 1000)
    assert len(manager.undo_stack) < 3
    store.set_value("text", "x" * 5000)
    assert not manager.can_undo(), "nothing older can be undone either"


@pytest.mark.parametrize(
    "options",
    [{"capture_timeout": -1}, {"size": 0}, {"max_bytes": 1.5}, {"scope": "pets"}, {"scope": [("a", 1)]}],
)
def test_bad_arguments_are_refused(store: Store, options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        store.undo_manager(**options)


# -- scopes, and several managers ----------------------------------------------------------------------------


def test_a_scope_is_captured_and_nothing_else(store: Store) -> None:
    tables = store.undo_manager(capture_timeout=0, scope=["pets"])
    row = store.undo_manager(capture_timeout=0, scope=[("pets", "fido"), ("pets", "rex", "age")])
    values = store.undo_manager(capture_timeout=0, scope=[], values=True)
    value = store.undo_manager(capture_timeout=0, scope=[], values=["b"])
    store.set_row("pets", "rex", {"age": 1, "size": 1})
    store.set_cell("pets", "fido", "sold", True)
    store.set_cell("shops", "1", "open", True)
    store.set_value("a", 1)
    store.set_value("b", 1)
    assert [len(manager.undo_stack) for manager in (tables, row, values, value)] == [2, 2, 2, 1]
    row.undo()
    row.undo()
    assert store.get_tables() == {
        "pets": {"fido": {"sold": False}, "rex": {"size": 1}},
        "shops": {"1": {"open": True}},
    }
    assert len(tables.undo_stack) == 1, "the other manager's undo is not its own"
    tables.undo()
    assert store.get_table("pets") == {"fido": {"sold": False}}
    value.undo()
    values.undo()
    assert store.get_values() == {}


def test_what_is_not_included_counts_as_others(store: Store) -> None:
    ui = object()
    manager = store.undo_manager(capture_timeout=0, include=lambda origin: origin is ui)
    with store.transaction(origin=ui):
        store.set_value("a", 1).set_value("b", 1)
    store.set_value("a", 2)
    assert manager.undo()
    assert store.get_values() == {"a": 2}


# -- others --------------------------------------------------------------------------------------------------


def test_what_others_wrote_over_is_theirs(store: Store, manager: UndoManager) -> None:
    store.set_partial_row("pets", "fido", {"sold": True, "age": 3})
    store.set_value("v", 1)
    receive(store, {"pets": {"fido": {"age": 4}}}, {"v": 2})
    assert len(manager.undo_stack) == 1
    manager.undo()
    assert store.get_content() == ({"pets": {"fido": {"sold": False, "age": 4}}}, {"v": 2})


def test_what_others_wrote_and_wrote_back_is_theirs(store: Store, manager: UndoManager) -> None:
    store.set_cell("pets", "fido", "sold", True)
    receive(store, {"pets": {"fido": {"sold": False}}})
    receive(store, {"pets": {"fido": {"sold": True}}})
    assert not manager.undo()
    assert store.get_cell("pets", "fido", "sold") is True


@pytest.mark.parametrize("are_written", [True, False])
def test_the_same_value_is_others_where_they_wrote_it(
    store: Store, manager: UndoManager, are_written: bool
) -> None:
    store.set_cell("pets", "fido", "sold", True)
    receive(store, {"pets": {"fido": {"sold": True}}}, are_written=are_written)
    assert manager.undo() is not are_written
    assert store.get_cell("pets", "fido", "sold") is are_written


def test_a_row_that_others_removed_stays_away(store: Store, manager: UndoManager) -> None:
    store.set_row("pets", "rex", {"a": 1, "b": 2})
    store.del_cell("pets", "rex", "a")
    store.set_cell("pets", "rex", "b", 3)
    receive(store, {"pets": {"rex": {"b": None}}})
    receive(store, {"pets": {"rex": {"b": UNDEFINED}}})
    assert not manager.undo()
    assert store.get_tables() == {"pets": {"fido": {"sold": False}}}


def test_a_row_that_one_removed_comes_back_beside_what_others_put_there(
    store: Store, manager: UndoManager
) -> None:
    store.set_partial_row("pets", "fido", {"age": 3, "name": "Fido"})
    store.del_table("pets")
    receive(store, {"pets": {"fido": {"age": 4, "size": 1}, "rex": {"age": 1}}})
    manager.undo()
    assert store.get_tables() == {
        "pets": {"fido": {"age": 4, "size": 1, "sold": False, "name": "Fido"}, "rex": {"age": 1}}
    }


def test_of_a_row_one_made_the_cells_of_others_stay(store: Store, manager: UndoManager) -> None:
    row_id = store.add_row("pets", {"age": 1})
    assert row_id is not None
    receive(store, {"pets": {row_id: {"name": "Rex"}}})
    manager.undo()
    assert store.get_row("pets", row_id) == {"name": "Rex"}
    manager.redo()
    assert store.get_row("pets", row_id) == {"name": "Rex", "age": 1}


def test_defaults_stay_in_a_row_that_stays() -> None:
    store = Store().set_tables_schema(
        {"pets": {"sold": {"type": "boolean", "default": False}, "age": {"type": "number"}}}
    )
    manager = store.undo_manager(capture_timeout=0)
    store.set_cell("pets", "fido", "sold", True)
    receive(store, {"pets": {"fido": {"age": 4}}})
    manager.undo()
    assert store.get_tables() == {"pets": {"fido": {"age": 4, "sold": False}}}
    store.set_row("pets", "rex", {"age": 1})
    manager.undo()
    assert store.get_row_ids("pets") == ["fido"]


def test_what_listeners_answer_to_others_is_no_step(store: Store, manager: UndoManager) -> None:
    store.add_cell_listener("pets", None, "age", lambda _s, t, r, *_: store.set_cell(t, r, "old", True), True)
    receive(store, {"pets": {"fido": {"age": 4}}})
    assert store.get_cell("pets", "fido", "old") is True
    assert not manager.can_undo()


def test_what_is_received_inside_a_transaction_is_no_step(store: Store, manager: UndoManager) -> None:
    with store.transaction():
        store.set_value("a", 1).set_value("b", 1)
        receive(store, {}, {"b": 2, "c": 2})
        store.set_value("c", 3).set_value("d", 3)
    manager.undo()
    assert store.get_values() == {"b": 2, "c": 2}


# -- texts ---------------------------------------------------------------------------------------------------


@pytest.fixture
def notes() -> Store:
    return Store().set_tables_schema({"notes": {"body": {"type": "text"}}})


def test_ones_own_letters_are_taken_back(notes: Store) -> None:
    notes.text("notes", "1", "body").append("hello world")
    manager = notes.undo_manager(capture_timeout=9, clock=lambda: 0.0)
    text = notes.text("notes", "1", "body")
    for at, letter in enumerate("dear "):
        text.insert(6 + at, letter)
    manager.stop_capturing()
    text.delete(0, 6)
    assert len(manager.undo_stack) == 2
    receive(
        notes,
        {"notes": {"1": {"body": "deaXr world!"}}},
        deltas={("notes", "1", "body"): [{"retain": 3}, {"insert": "X"}, {"retain": 7}, {"insert": "!"}]},
    )
    manager.undo()
    assert str(text) == "hello deaXr world!"
    manager.undo()
    assert str(text) == "hello Xworld!"
    manager.redo()
    assert str(text) == "hello deaXr world!"
    manager.redo()
    assert str(text) == "deaXr world!"


def test_a_text_that_one_made_stays_with_the_letters_of_others(notes: Store) -> None:
    manager = notes.undo_manager(capture_timeout=0)
    notes.text("notes", "1", "body").append("abc")
    notes.text("notes", "2", "body").append("abc")
    receive(notes, {"notes": {"2": {"body": "abXc"}}})
    manager.undo()
    manager.undo()
    assert notes.get_tables() == {"notes": {"2": {"body": "X"}}}


def test_a_text_that_was_deleted_comes_back_and_can_be_undone_further(notes: Store) -> None:
    manager = notes.undo_manager(capture_timeout=0)
    text = notes.text("notes", "1", "body")
    text.append("abc").append("def")
    notes.del_row("notes", "1")
    manager.undo()
    assert str(text) == "abcdef"
    manager.undo()
    assert str(text) == "abc"
    manager.redo()
    manager.redo()
    assert notes.get_tables() == {}


def test_no_step_edits_a_text_that_others_made_anew(notes: Store) -> None:
    manager = notes.undo_manager(capture_timeout=0)
    text = notes.text("notes", "1", "body")
    text.append("abc").append("def")
    notes.del_row("notes", "1")
    receive(notes, {"notes": {"1": {"body": "another"}}})
    assert not manager.undo()
    assert str(text) == "another"


# -- a model -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(30))
def test_alone_each_undo_leads_to_the_content_before(seed: int) -> None:
    print(f"seed {seed}")
    random = Random(seed)
    store = Store().set_tables_schema(
        {
            "t": {"a": {"type": "number"}, "b": {"type": "string", "default": "x"}},
            "u": {"a": {"type": "number"}},
            "n": {"body": {"type": "text"}, "a": {"type": "number"}},
        }
    )
    manager = store.undo_manager(capture_timeout=0, size=1000)
    done: list[Any] = [store.get_content()]
    undone: list[Any] = []
    for _ in range(120):
        choice = random.randrange(10)
        if choice < 3:
            assert manager.undo() is (len(done) > 1)
            if len(done) > 1:
                undone.append(done.pop())
        elif choice < 5:
            assert manager.redo() is bool(undone)
            if undone:
                done.append(undone.pop())
        else:
            with store.transaction():
                for _ in range(random.randrange(1, 4)):
                    edit(store, random)
            if not store.same_content(done[-1]):
                done.append(store.get_content())
                undone = []
        assert store.same_content(done[-1])


def edit(store: Store, random: Random) -> None:
    """Do something to a Store."""
    table_id, row_id = random.choice("tun"), random.choice("123")
    choice = random.randrange(9)
    if choice == 0:
        store.del_table(table_id)
    elif choice == 1:
        store.del_row(table_id, row_id)
    elif choice == 2:
        store.del_cell(table_id, row_id, random.choice(["a", "b"]), True)
    elif choice == 3:
        store.set_row(table_id, row_id, {"a": random.randrange(5)})
    elif choice == 4:
        store.set_value(random.choice("vw"), random.randrange(3))
    elif choice == 5:
        store.del_value("v")
    elif choice == 6:
        edit_text(store, row_id, random)
    else:
        store.set_cell(table_id, row_id, "a", random.randrange(5))


def edit_text(store: Store, row_id: str, random: Random) -> None:
    """Do something to a text."""
    text = store.text("n", row_id, "body")
    length = len(text)
    start = random.randrange(length + 1)
    if random.random() < 0.4:
        text.delete(start, min(length - start, random.randrange(4)))
    else:
        text.insert(start, random.choice(["a", "bc", "def"]))


# -- three users ---------------------------------------------------------------------------------------------


def managers(kind: Kind, count: int) -> tuple[list[Peer], list[UndoManager]]:
    peers = [make_peer(kind, 1 << 29 | number) for number in range(1, count + 1)]
    return peers, [peer.store.undo_manager(capture_timeout=0, size=1000) for peer in peers]


@pytest.mark.parametrize("kind", KINDS)
def test_a_peer_s_edits_stay_in_a_document(kind: Kind) -> None:
    (one, two), (undo, _) = managers(kind, 2)
    one.store.set_row("pets", "fido", {"age": 1, "name": "Fido"})
    one.store.set_row("pets", "rex", {"age": 1})
    exchange(one, two)
    two.store.set_cell("pets", "fido", "name", "Fi")
    two.store.set_cell("pets", "rex", "size", 2)
    exchange(one, two)
    undo.undo()
    undo.undo()
    exchange(one, two)
    for peer in (one, two):
        assert peer.store.get_tables() == {"pets": {"fido": {"name": "Fi"}, "rex": {"size": 2}}}


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_that_a_peer_adds_at_the_same_time_survives_the_undoing_of_its_row(kind: Kind) -> None:
    (one, two), (undo, _) = managers(kind, 2)
    one.store.set_row("pets", "fido", {"age": 1})
    exchange(one, two)
    undo.undo()
    two.store.set_cell("pets", "fido", "name", "Fi")
    exchange(one, two)
    for peer in (one, two):
        assert peer.store.get_tables() == {"pets": {"fido": {"name": "Fi"}}}
