"""The shapes of content and changes: what they are to a type checker, a Store accepts and gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft import UNDEFINED, Store

if TYPE_CHECKING:
    from weft.changes import Changes, Content, TablesInput


def test_content_and_changes_have_the_shapes_that_are_declared() -> None:
    tables: TablesInput = {"pets": {"fido": {"species": "dog"}, "rex": {"species": "dog"}}}
    store = Store().set_tables(tables).set_value("open", True)
    content: Content = store.get_content()
    assert content == ({"pets": {"fido": {"species": "dog"}, "rex": {"species": "dog"}}}, {"open": True})
    seen: list[Changes] = []
    store.add_did_finish_transaction_listener(lambda _: seen.append(store.get_transaction_changes()))
    with store.transaction():
        store.del_row("pets", "rex").del_value("open").set_cell("pets", "fido", "age", 3)
    assert seen == [({"pets": {"rex": UNDEFINED, "fido": {"age": 3}}}, {"open": UNDEFINED}, 1)]


def test_changes_of_one_store_bring_another_to_the_same_content() -> None:
    first = Store().set_tables({"a": {"b": {"c": 1, "d": 2}}, "e": {"f": {"g": 1}}})
    second = first.copy()
    first.add_did_finish_transaction_listener(lambda _: second.apply_changes(first.get_transaction_changes()))
    with first.transaction():
        first.del_table("e").del_cell("a", "b", "c").add_row("new", {"x": [1]})
        first.set_values({"v": None})
    assert second.same_content(first)
