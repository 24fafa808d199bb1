"""A MergeableStore stamps as TinyBase's does: vectors made with 10.0.1, and what is weft's own."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.vectors import vectors
from weft.errors import InvalidCellError, ReadOnlyError, RemoteProtocolError, WrongThreadError
from weft.mergeable import MergeableDocument, MergeableEvent, MergeableStore, encode_hlc, from_json, to_json
from weft.store import Store, create_middleware
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_735_689_600_000
SEMANTICS: dict[str, Any] = vectors("tinybase_mergeable_semantics")
BASICS: dict[str, Any] = vectors("tinybase_mergeable")
DEFAULTS: Any = {"t": {"a": {"type": "number", "default": 7}, "b": {"type": "string"}}}


def store(name: str = "s1", **options: Any) -> MergeableStore:
    return MergeableStore(name, get_now=lambda: NOW, **options)


def text(merged: MergeableStore) -> str:
    return to_json(merged.get_mergeable_content())


def vector(name: str) -> Any:
    """A vector's texts, with the mark of what is undefined as it stands in JSON."""

    def marked(item: Any) -> Any:
        return item.replace("<<undefined>>", "\ufffc") if isinstance(item, str) else [marked(x) for x in item]

    return marked(SEMANTICS[name])


# -- vectors ---------------------------------------------------------------------------------------------


def test_each_step_of_the_basic_vector() -> None:
    basic = BASICS["mergeableStore"]
    now = basic["startNow"]
    one = MergeableStore(basic["uniqueId"], get_now=lambda: now)
    actions: list[Callable[[], object]] = [
        lambda: None,
        lambda: one.set_cell("pets", "fido", "color", "brown"),
        lambda: one.set_cell("pets", "fido", "price", 5),
        lambda: one.set_row("pets", "felix", {"color": "black", "sold": True}),
        lambda: one.set_value("open", True),
        lambda: one.set_value("obj", {"a": [1, None, "x"]}),
        lambda: one.set_cell("pets", "fido", "extra", None),
        lambda: one.del_cell("pets", "fido", "price"),
        lambda: one.del_row("pets", "felix"),
        lambda: one.del_value("open"),
        lambda: one.set_cell("pets", "fido", "color", "brown"),
    ]
    for step, action in zip(basic["steps"], actions, strict=True):
        now += step["op"].startswith("now+1")
        action()
        assert text(one) == json.dumps(step["content"], ensure_ascii=False, separators=(",", ":")), step["op"]
        assert one.get_mergeable_content_hashes() == step["hashes"]
        assert list(one.get_content()) == step["plain"]
    assert one.get_json() == basic["getJson"]


def test_changes_of_transactions() -> None:
    one = MergeableStore("store1", get_now=lambda: BASICS["mergeableStore"]["startNow"])
    told: list[list[str]] = []
    one.add_did_finish_transaction_listener(
        lambda _: told.append(
            [
                to_json(one.get_transaction_mergeable_changes()),
                to_json(one.get_transaction_mergeable_changes(True)),
            ]
        )
    )
    one.set_cell("t", "r", "c", 1)
    one.set_row("t", "r2", {"a": "x", "b": {"k": 1}})
    one.del_cell("t", "r2", "a")
    one.del_row("t", "r")
    one.del_table("t")
    one.set_value("v", [1])
    one.del_value("v")
    assert told == [[step["mergeable"], step["hashed"]] for step in BASICS["transactionChanges"]]
    assert one.get_transaction_mergeable_changes() == [[{}], [{}], 1]


def test_default_content() -> None:
    one = MergeableStore("store1", get_now=lambda: BASICS["mergeableStore"]["startNow"])
    one.set_default_content(({"t": {"r": {"c": 1, "d": "x"}}}, {"v": 2}))
    assert one.get_mergeable_content() == BASICS["mergeableDefault"]["content"]
    one.set_cell("t", "r", "c", 2)
    assert one.get_mergeable_content() == BASICS["mergeableDefault"]["afterSetCell2"]


def test_each_write_of_a_transaction_takes_a_stamp() -> None:
    one = store().set_cell("t", "r", "a", 1)
    with one.transaction():
        one.set_cell("t", "r", "a", 2).set_cell("t", "r2", "b", 1).set_cell("t", "r", "c", 1)
    assert text(one) == vector("multiWriteOneTxn")


def test_what_was_changed_back_is_stamped() -> None:
    one = store().set_cell("t", "r", "a", 1)
    with one.transaction():
        one.set_cell("t", "r", "a", 2).set_cell("t", "r", "a", 1)
        changes = to_json(one.get_transaction_mergeable_changes())
        assert one.get_transaction_changes() == ({}, {}, 1)
    assert [text(one), changes] == vector("netZeroTxn")


def test_what_was_added_and_deleted_leaves_a_stamp() -> None:
    one = store()
    with one.transaction():
        one.set_cell("t", "r", "a", 1).del_cell("t", "r", "a")
    assert text(one) == vector("addThenDelete")


def test_what_a_schema_adds_has_the_empty_stamp() -> None:
    one = store().set_tables_schema(DEFAULTS)
    assert text(one.set_cell("t", "r", "b", "x")) == vector("defaultInserted")
    assert text(one.set_cell("t", "r", "a", 7)) == vector("defaultRewrittenSame")
    assert text(one.set_row("t", "r2", {"a": 7, "b": "y"})) == vector("defaultExplicitInSetRow")
    one.set_cell("t", "r", "a", 8).del_cell("t", "r", "a")
    assert text(one) == vector("resetToDefault")


def test_what_is_replaced_leaves_stamps() -> None:
    one = store().set_row("t", "r", {"z": 1, "a": 1})
    assert text(one.set_row("t", "r", {"a": 3, "n": 1})) == vector("setRowReplace")
    assert text(one.set_tables({"t": {"q": {"a": 1}}, "u": {"r": {"c": 1}}})) == vector("setTablesReplace")
    assert text(one.del_tables()) == vector("delTables")


def test_stamps_are_there_when_a_listener_asks() -> None:
    one, told = store(), list[str]()
    one.add_cell_listener(
        None, None, None, lambda *_: told.append(to_json(one.get_transaction_mergeable_changes()))
    )
    one.set_cell("t", "r", "a", 1)
    assert told == [vector("changesInsideCellListener")]


def received() -> MergeableStore:
    return store("s1").set_row("t", "r", {"c": 9, "d": 3})


def test_middleware_alters_what_is_received() -> None:
    two = store("m1")
    create_middleware(two).add_will_set_cell_callback(lambda *args: min(args[3], 5))
    assert text(two.apply_mergeable_changes(received().get_mergeable_content())) == vector(
        "middlewareClampsRemote"
    )
    assert two.get_tables() == {"t": {"r": {"c": 5, "d": 3}}}


def test_a_mutator_alters_what_is_received() -> None:
    two = store("m1")

    def clamp(changed: Store, table_id: str, row_id: str, cell_id: str, new: Any, *_: object) -> None:
        if new is not UNDEFINED and new > 5:
            changed.set_cell(table_id, row_id, cell_id, 5)

    two.add_cell_listener(None, None, None, clamp, True)
    assert text(two.apply_mergeable_changes(received().get_mergeable_content())) == vector(
        "mutatorClampsRemote"
    )
    assert two.get_tables() == {"t": {"r": {"c": 5, "d": 3}}}


def test_what_a_schema_refuses_is_hidden_and_stays_so(caplog: pytest.LogCaptureFixture) -> None:
    two = store("s2").set_tables_schema({"other": {"a": {"type": "number"}}})
    one = store("s1").set_row("t", "r", {"c": 9, "e": 3})
    with caplog.at_level(logging.WARNING, "weft.mirrors"):
        two.merge(one)
    assert len(caplog.records) == 2
    assert [
        text(two),
        two.get_json(),
        json.dumps(two.get_mergeable_content_hashes(), separators=(",", ":")),
    ] == (vector("schemaHidesRemote"))
    two.del_tables_schema()
    assert [text(two), two.get_json()] == vector("afterSchemaGone")


def test_two_default_contents_agree_where_those_of_tinybase_swap() -> None:
    one, two = store("s1"), store("s2")
    one.set_default_content(({"t": {"r": {"c": 1}}}, {"v": 2}))
    assert text(one) == vector("defaultContent")
    two.set_default_content(({"t": {"r": {"c": 5}}}, {"v": 2}))
    one.merge(two)
    five, one_ = vector("defaultMerge")
    assert text(one) == text(two) == five != one_


def test_a_rollback_restores_stamps_and_not_the_clock() -> None:
    two = store("m1").set_cell("t", "r", "c", 1)
    before = text(two)
    two.transaction(lambda: two.set_cell("t", "r", "c", 2), lambda _: True)
    assert before == text(two)
    assert [before, text(two.set_cell("t", "r", "c", 3))] == vector("rollbackThenNext")


def test_what_is_malformed_or_far_ahead_is_refused_whole() -> None:
    ahead = [[{"t": [{"r": [{"c": [1, encode_hlc(NOW + 300_001, 0, "x")], "d": [1]}]}]}], [{}], 1]
    reserved = [[{"t": [{"r": [{"c": ["\ufffc"], "d": [1]}]}]}], [{}], 1]
    for wrong, name in ((ahead, "farFuture"), (reserved, "tombstoneAsReserved")):
        one = store()
        with pytest.raises(RemoteProtocolError):
            one.apply_mergeable_changes(wrong)
        with pytest.raises(RemoteProtocolError):
            one.set_mergeable_content(wrong[:2])
        assert text(one) == vector(name)
        lenient = store(on_invalid="ignore")
        lenient.apply_mergeable_changes(wrong).set_mergeable_content(wrong)
        assert text(lenient) == vector(name)


def test_objects_are_shown_decoded() -> None:
    two = store("m1").set_cell("t", "r", "c", {"b": 1, "a": [1, 2]})
    assert text(two) == vector("getContentDecoded")
    assert two.get_json() == vector("json")
    assert (
        two.get_mergeable_cell_diff({"t": {"r": {}}})[0]["t"][0]["r"][0]["c"][0] == '\ufffd{"b":1,"a":[1,2]}'
    )


# -- merging ---------------------------------------------------------------------------------------------


def test_merge_makes_two_equal_both_ways() -> None:
    one, two = store("s1"), store("s2")
    one.set_tables({"t": {"r": {"a": 1, "o": [1, {"x": None}]}}}).set_value("v", "one")
    two.set_tables({"t": {"r": {"b": 2}}, "u": {"r": {"c": True}}}).set_value("v", "two")
    assert one.merge(two) is one
    assert one.get_mergeable_content() == two.get_mergeable_content()
    assert one.get_content() == two.get_content()
    assert one.get_mergeable_content_hashes() == two.get_mergeable_content_hashes()
    with pytest.raises(TypeError, match="MergeableStore"):
        one.merge(Store())  # type: ignore[arg-type]


def test_the_diffs_bring_over_what_is_missing() -> None:
    one, two = store("s1"), store("s2")
    one.set_tables({"t": {"r": {"a": 1, "b": 2}, "r1": {"a": 1}}, "only": {"r": {"c": [1]}}}).set_value(
        "v", 1
    )
    two.apply_mergeable_changes(one.get_mergeable_content()).del_table("only")
    one.set_cell("t", "r", "b", 3).set_cell("t", "r2", "a", 4).set_cell("new", "r", "a", 5).set_value(
        "w", [2]
    )
    tables, differing = one.get_mergeable_table_diff(two.get_mergeable_table_hashes())
    two.apply_mergeable_changes([tables, [{}], 1])
    rows, differing = one.get_mergeable_row_diff(two.get_mergeable_row_hashes(differing))
    two.apply_mergeable_changes([rows, [{}], 1])
    cells = one.get_mergeable_cell_diff(two.get_mergeable_cell_hashes(differing))
    values = one.get_mergeable_value_diff(two.get_mergeable_value_hashes())
    two.apply_mergeable_changes([cells, values, 1])
    assert two.get_cell("t", "r", "b") == 3
    assert set(two.get_tables()) == {"t", "new"}
    assert one.merge(two).get_mergeable_content() == two.get_mergeable_content()


def test_content_is_replaced_with_all_its_stamps() -> None:
    one, two = store("s1"), store("s2")
    one.set_tables({"t": {"r": {"a": 1}}}).set_value("v", 1)
    two.set_tables({"gone": {"r": {"a": 1}}, "t": {"r": {"b": 1}}}).set_value("w", 1)
    events: list[MergeableEvent] = []
    two.document.subscribe(events.append)
    two.set_mergeable_content(one.get_mergeable_content())
    assert text(two) == text(one)
    assert two.get_content() == one.get_content()
    assert [event.is_whole for event in events] == [True]
    two.set_mergeable_content([[{}, "", 0], [{}, "", 0]])
    assert two.get_content() == ({}, {})


def test_a_replaced_row_gets_the_defaults_of_the_schema() -> None:
    one, two = store("s1"), store("s2").set_tables_schema(DEFAULTS)
    one.set_cell("t", "r", "b", "x")
    two.set_row("t", "r", {"a": 1, "b": "y"})
    two.set_mergeable_content(one.get_mergeable_content())
    assert two.get_tables() == {"t": {"r": {"b": "x", "a": 7}}}
    assert text(two) == text(one)


def test_default_content_leaves_what_somebody_has_written() -> None:
    one = store().set_default_content(({"t": {"r": {"a": 1, "gone": 1, "c": 1}}}, {}))
    one.set_cell("t", "r", "a", 2).del_cell("t", "r", "gone").set_value("v", 1)
    one.set_default_content(({"t": {"r": {"a": 3, "gone": 4, "new": 5}}}, {"w": 6}))
    assert one.get_content() == ({"t": {"r": {"a": 2, "new": 5}}}, {"v": 1, "w": 6})
    cells = one.get_mergeable_content()[0][0]["t"][0]["r"][0]
    assert cells["c"][:2] == [UNDEFINED, ""]
    assert cells["new"][:2] == [5, ""]
    assert cells["gone"][0] is UNDEFINED
    assert cells["gone"][1]
    with pytest.raises(InvalidCellError):
        one.set_default_content(({"t": {"r": {"a": object()}}}, {}))
    assert one.get_cell("t", "r", "new") == 5


def test_what_is_merged_in_a_transaction_is_there_at_once() -> None:
    one, two = store("s1").set_cell("t", "r", "a", 1), store("s2")
    with two.transaction():
        two.set_cell("t", "r", "b", 2)
        two.apply_mergeable_changes(one.get_mergeable_content())
        assert two.get_row("t", "r") == {"b": 2, "a": 1}
        two.set_cell("t", "r", "a", 3)
    assert two.get_row("t", "r") == {"b": 2, "a": 3}
    assert one.merge(two).get_row("t", "r") == {"a": 3, "b": 2}
    assert one.get_mergeable_content() == two.get_mergeable_content()


def test_what_was_merged_stays_where_its_transaction_is_rolled_back() -> None:
    one, two = store("s1").set_cell("t", "r", "a", 1), store("s2")

    def merge_and_fail() -> None:
        with two.transaction():
            two.set_cell("t", "r", "b", 2)
            two.apply_mergeable_changes(one.get_mergeable_content())
            raise KeyError

    with pytest.raises(KeyError):
        merge_and_fail()
    assert two.get_tables() == {"t": {"r": {"a": 1}}}
    assert text(two) == text(one)


def test_a_listener_that_looks_may_not_merge() -> None:
    one, two, errors = store("s1").set_cell("t", "r", "a", 1), store("s2"), list[Exception]()

    def merge(*_: object) -> None:
        try:
            two.apply_mergeable_changes(one.get_mergeable_content())
        except ReadOnlyError as error:
            errors.append(error)

    two.add_tables_listener(merge)
    two.set_cell("t", "r", "b", 1)
    assert len(errors) == 1
    assert two.get_tables() == {"t": {"r": {"b": 1}}}


def test_stamps_that_were_asked_for_are_taken_back_by_a_rollback() -> None:
    one = store().set_cell("t", "r", "a", 1)
    before, events = text(one), list[MergeableEvent]()
    one.document.subscribe(events.append)

    def fail() -> None:
        with one.transaction():
            one.set_cell("t", "r", "a", 2).set_cell("t", "r2", "b", 1).set_cell("u", "r", "c", 1)
            one.set_value("v", 1)
            assert len(one.get_transaction_mergeable_changes()[0][0]) == 2
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert text(one) == before
    assert events == []
    with one.transaction():
        one.set_cell("t", "r", "a", 2)
        one.get_mergeable_content()
        one.set_value("v", 1)
    assert len(events) == 1
    assert events[0].changes[0][0].keys() == {"t"}
    assert events[0].changes[1][0].keys() == {"v"}
    assert events[0].is_local


def test_a_late_schema_stamps_only_what_it_adds() -> None:
    one = store(on_error=lambda _: None).set_row("t", "r", {"b": "x", "odd": 1})
    before = one.get_mergeable_content()[0][0]["t"][0]["r"][0]
    one.set_tables_schema(DEFAULTS)
    assert one.get_tables() == {"t": {"r": {"b": "x", "a": 7}}}
    after = one.get_mergeable_content()[0][0]["t"][0]["r"][0]
    assert after.pop("a")[:2] == [7, ""]
    assert after == before


# -- what is weft's own ----------------------------------------------------------------------------------


def test_it_is_a_store_with_a_document() -> None:
    one = MergeableStore()
    assert one.is_mergeable()
    assert isinstance(one.document, MergeableDocument)
    assert repr(one.set_cell("t", "r", "c", 1)) == "<MergeableStore t: 1 row; 0 values>"
    row_id = one.add_row("t", {"c": 2})
    assert row_id is not None
    assert len(row_id) == 16
    one.document.set_cell("t", "r", "c", 3)
    assert one.get_cell("t", "r", "c") == 3


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_is_a_plain_store(copied: Any) -> None:
    one = store().set_cell("t", "r", "c", 1)
    other = copied(one)
    assert type(other) is Store
    other.set_cell("t", "r", "c", 2)
    assert one.get_cell("t", "r", "c") == 1


def test_it_belongs_to_the_thread_that_made_it() -> None:
    one, errors = store(), list[Exception]()

    def write() -> None:
        try:
            one.set_cell("t", "r", "c", 1)
        except WrongThreadError as error:
            errors.append(error)
        try:
            one.apply_mergeable_changes([[{}], [{}], 1])
        except WrongThreadError as error:
            errors.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert len(errors) == 2


def test_content_survives_json() -> None:
    one, two = store("s1"), store("s2")
    one.set_tables({"t": {"r": {"o": {"k": [1.5, None, "\U0001f600"]}, "n": None}}}).del_cell("t", "r", "n")
    two.set_mergeable_content(from_json(one.document.content_text()))
    assert two.document.content_text() == one.document.content_text()
    assert two.get_content() == one.get_content()


def test_a_shared_text_is_a_string_in_a_mergeable_document() -> None:
    one, two = store("s1"), store("s2")
    for each in (one, two):
        each.set_tables_schema({"notes": {"body": {"type": "text"}}})
    body = one.text("notes", "n1", "body").append("hello").insert(0, "> ")
    two.merge(one)
    assert str(two.text("notes", "n1", "body")) == "> hello"
    with pytest.raises(InvalidCellError, match="in no document that keeps"):
        body.format(0, 1, {"bold": True})
    seen: list[Any] = []
    body.add_listener(lambda _, delta, is_local: seen.append((delta, is_local)))
    two.text("notes", "n1", "body").append("!")
    one.merge(two)
    assert seen == [([{"retain": 7}, {"insert": "!"}], False)]
