"""What an edit of a text that waits becomes when the other side edits the text, too."""

from __future__ import annotations

from typing import Any

from weft import Store
from weft.deltas import apply, compose
from weft.mirrors.texts import TextDebts
from weft.store.replica import Replica

KEY = ("notes", "n1", "body")


def test_own_and_received_edits_come_to_the_same_text() -> None:
    debts = TextDebts(Replica(Store()))
    debts.wait({KEY: [{"retain": 1}, {"insert": "x"}]})
    debts.wait({KEY: [{"insert": "y"}]})
    own: Any = debts.rebase_own({KEY: [{"retain": 1}, {"insert": "-"}]})
    assert own == {KEY: [{"retain": 3}, {"insert": "-"}]}
    told = debts.take_waiting()[KEY]
    assert apply(apply("ab", [{"retain": 1}, {"insert": "-"}]), told) == apply("yaxb", own[KEY]) == "yax-b"
    assert debts.take_waiting() == {}


def test_what_is_received_while_an_edit_is_owed_is_told_beside_it() -> None:
    store = Store().set_tables_schema({"notes": {"body": {"type": "text"}}})
    debts = TextDebts(Replica(store))
    store.set_cell(*KEY, "ab-")
    debts.owe({KEY: [{"retain": 2}, {"insert": "-"}]})
    received: Any = {"notes": {"n1": {"body": "abcd"}}}
    deltas: Any = {KEY: [{"retain": 2}, {"insert": "cd"}]}
    debts.rebase_received(received, deltas)
    assert received == {"notes": {"n1": {"body": "abcd-"}}}
    assert apply("ab-", deltas[KEY]) == "abcd-"
    assert apply("abcd", debts.take_owed()[KEY]) == "abcd-"
    debts.owe({KEY: [{"retain": 9}, {"insert": "-"}]})
    debts.rebase_received({"notes": {"n1": {"body": "x"}}}, {KEY: [{"retain": 50}, {"delete": 7}]})
    debts.clear()
    assert debts.take_owed() == {}
    assert compose([], []) == []
