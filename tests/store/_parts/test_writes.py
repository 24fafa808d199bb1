"""The writes of a transaction one by one, in their order, with what the schema added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.store import Store
from weft.store.replica import Replica
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from weft.values import Stored, Undefined

    Told = tuple[Stored | Undefined, ...]


class Visitor:
    def __init__(self) -> None:
        self.told: list[Told] = []

    def cell(
        self, table_id: str, row_id: str, cell_id: str, new: Stored | Undefined, is_default: bool
    ) -> None:
        self.told.append((table_id, row_id, cell_id, new, *["default"] * is_default))

    def value(self, value_id: str, new: Stored | Undefined, is_default: bool) -> None:
        self.told.append((value_id, new, *["default"] * is_default))


def told(store: Store) -> list[Told]:
    visitor = Visitor()
    Replica(store).visit_writes(visitor, 0)
    return visitor.told


def test_each_write_is_told_of_in_its_order() -> None:
    store = Store().set_tables({"t": {"r": {"a": 1, "b": 2}}, "u": {"r": {"c": 3}, "r2": {"d": 4}}})
    with store.transaction():
        store.set_cell("t", "r", "a", 2).set_cell("t", "r", "a", 1).set_cell("t", "r", "a", 1)
        store.set_row("t", "r2", {"x": [1], "y": 5}).del_cell("t", "r2", "y").del_table("u").del_row("t", "r")
        store.set_value("v", 1).del_value("v")
        assert told(store) == [
            ("t", "r", "a", 2),
            ("t", "r", "a", 1),
            ("t", "r2", "x", "\ufffd[1]"),
            ("t", "r2", "y", UNDEFINED),  # as it is now; and then what became of it
            ("t", "r2", "y", UNDEFINED),
            ("u", "r", "c", UNDEFINED),
            ("u", "r2", "d", UNDEFINED),
            ("t", "r", "a", UNDEFINED),
            ("t", "r", "b", UNDEFINED),
            ("v", 1),
            ("v", UNDEFINED),
        ]


def test_what_a_schema_adds_is_told_of_as_that() -> None:
    store = Store().set_tables_schema(
        {"t": {"a": {"type": "number", "default": 7}, "b": {"type": "string", "default": "x"}}}
    )
    store.set_values_schema({"v": {"type": "number", "default": 1}, "w": {"type": "number"}})
    with store.transaction():
        store.set_cell("t", "r", "b", "y")
        store.set_row("t", "r2", {"a": 1})
        store.set_row("t", "r2", {"b": "z"})  # resets a, which was there
        store.set_values({"w": 2})
        store.del_row("t", "r").set_row("t", "r", {"a": 7, "b": "x"})
        assert told(store) == [
            ("t", "r", "b", "x"),  # y at first
            ("t", "r", "a", 7, "default"),
            ("t", "r2", "a", 7),  # 1 at first; what it holds now
            ("t", "r2", "b", "z", "default"),
            ("t", "r2", "b", "z"),
            ("t", "r2", "a", 7),
            ("w", 2),
            ("t", "r", "b", UNDEFINED),
            ("t", "r", "a", UNDEFINED),
            ("t", "r", "a", 7),
            ("t", "r", "b", "x"),
        ]


def test_setting_a_schema_writes_its_defaults_only() -> None:
    store = Store().set_tables({"t": {"r": {"b": "x", "gone": 1}}}).set_value("v", 1)
    with store.transaction():
        store.set_cell("t", "r", "b", "y")
        store.set_schema(
            {"t": {"a": {"type": "number", "default": 7}, "b": {"type": "string"}}},
            {"v": {"type": "number"}, "w": {"type": "number", "default": 2}},
        )
        store.set_value("v", 3)
        assert told(store) == [
            ("t", "r", "b", "y"),
            ("t", "r", "a", 7, "default"),
            ("w", 2, "default"),
            ("v", 3),
        ]
