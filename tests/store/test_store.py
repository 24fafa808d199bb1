"""The Store as a whole: its public surface is TinyBase's, and it can be built upon."""

from __future__ import annotations

import pytest

from weft import Store
from weft.store import Checkpoints, Middleware
from weft.store._parts.listener_tree import KINDS

# The methods of TinyBase 10.0.1's Store, Middleware and Checkpoints, in snake_case.
STORE = [
    "get_content",
    "get_tables",
    "get_table_ids",
    "get_table",
    "get_table_cell_ids",
    "get_row_count",
    "get_row_ids",
    "get_sorted_row_ids",
    "get_row",
    "get_cell_ids",
    "get_cell",
    "get_values",
    "get_value_ids",
    "get_value",
    "has_tables",
    "has_table",
    "has_table_cell",
    "has_row",
    "has_cell",
    "has_values",
    "has_value",
    "get_tables_json",
    "get_values_json",
    "get_json",
    "get_tables_schema_json",
    "get_values_schema_json",
    "get_schema_json",
    "has_tables_schema",
    "has_values_schema",
    "set_content",
    "set_tables",
    "set_table",
    "set_row",
    "add_row",
    "set_partial_row",
    "set_cell",
    "set_values",
    "set_partial_values",
    "set_value",
    "apply_changes",
    "set_tables_json",
    "set_values_json",
    "set_json",
    "set_tables_schema",
    "set_values_schema",
    "set_schema",
    "del_tables",
    "del_table",
    "del_row",
    "del_cell",
    "del_values",
    "del_value",
    "del_tables_schema",
    "del_values_schema",
    "del_schema",
    "transaction",
    "start_transaction",
    "get_transaction_changes",
    "get_transaction_log",
    "finish_transaction",
    "for_each_table",
    "for_each_table_cell",
    "for_each_row",
    "for_each_cell",
    "for_each_value",
    "add_start_transaction_listener",
    "add_will_finish_transaction_listener",
    "add_did_finish_transaction_listener",
    "call_listener",
    "del_listener",
    "get_listener_stats",
    "is_mergeable",
] + [f"add_{kind}_listener" for kind in KINDS]
SETS = ["content", "tables", "table", "row", "cell", "values", "value"]
DELS = ["tables", "table", "row", "cell", "values", "value"]
MIDDLEWARE = [
    "get_store",
    "destroy",
    "add_will_apply_changes_callback",
    *(f"add_will_set_{kind}_callback" for kind in SETS),
    *(f"add_will_del_{kind}_callback" for kind in DELS),
]
CHECKPOINTS = [
    "set_size",
    "add_checkpoint",
    "set_checkpoint",
    "get_store",
    "get_checkpoint_ids",
    "for_each_checkpoint",
    "has_checkpoint",
    "get_checkpoint",
    "add_checkpoint_ids_listener",
    "add_checkpoint_listener",
    "del_listener",
    "go_backward",
    "go_forward",
    "go_to",
    "clear",
    "clear_forward",
    "destroy",
    "get_listener_stats",
]


@pytest.mark.parametrize(
    ("kind", "names", "number"),
    [(Store, STORE, 94), (Middleware, MIDDLEWARE, 16), (Checkpoints, CHECKPOINTS, 18)],
)
def test_every_method_of_tinybase_is_there_and_documented(kind: type, names: list[str], number: int) -> None:
    assert len(set(names)) == number
    for name in names:
        assert callable(getattr(kind, name)), name
        assert getattr(kind, name).__doc__, name


def test_a_store_can_be_subclassed() -> None:
    class Zoo(Store):
        """A Store with a method, and attributes, of its own."""

        def feed(self, row_id: str) -> Zoo:
            self.fed = row_id
            return self.set_cell("pets", row_id, "fed", True)

    zoo = Zoo(on_invalid="ignore")
    assert zoo.feed("leo").get_tables() == {"pets": {"leo": {"fed": True}}}
    assert zoo.fed == "leo"
    assert type(zoo.copy()) is Zoo
    assert repr(zoo).startswith("<Zoo ")
