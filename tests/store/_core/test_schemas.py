"""Setting, reading and deleting schemas."""

from __future__ import annotations

import json
from typing import Any

from weft import Store

SCHEMA: Any = {
    "pets": {
        "species": {"type": "string", "default": "dog"},
        "price": {"type": "number"},
        "tags": {"type": "array", "default": ["new"]},
        "owner": {"type": "string", "allowNull": True, "default": None},
    }
}


def test_a_schema_on_a_store_with_content_drops_what_does_not_fit_and_adds_defaults() -> None:
    store = Store().set_content(
        (
            {"pets": {"a": {"species": 1, "price": 2}, "b": {"x": 1}}, "zoo": {"q": {"x": 1}}},
            {"open": 1, "size": 2},
        )
    )
    store.set_schema(SCHEMA, {"open": {"type": "boolean", "default": False}, "size": {"type": "number"}})
    assert store.get_tables() == {
        "pets": {
            "a": {"species": "dog", "price": 2, "tags": ["new"], "owner": None},
            "b": {"species": "dog", "tags": ["new"], "owner": None},
        }
    }
    assert store.get_values() == {"open": False, "size": 2}
    store.del_schema()
    assert not store.has_tables_schema()
    assert not store.has_values_schema()
    assert store.get_row_count("pets") == 2
    store.set_cell("pets", "a", "species", 1)
    assert store.get_cell("pets", "a", "species") == 1


def test_deleting_one_schema_keeps_the_other_and_the_data() -> None:
    store = Store().set_schema(SCHEMA, {"open": {"type": "boolean", "default": False}})
    assert (store.has_tables_schema(), store.has_values_schema()) == (True, True)
    store.del_tables_schema()
    assert (store.has_tables_schema(), store.has_values_schema()) == (False, True)
    store.del_values_schema()
    assert (store.has_tables_schema(), store.has_values_schema()) == (False, False)
    assert store.get_values() == {"open": False}


def test_schemas_are_exchangeable_as_json() -> None:
    store = Store().set_schema(SCHEMA, {"v": {"enum": ["a", 1.0], "required": True}})
    assert store.get_tables_schema_json() == json.dumps(SCHEMA, separators=(",", ":"))
    assert store.get_values_schema_json() == '{"v":{"enum":["a",1],"required":true}}'
    assert store.get_schema_json() == f"[{store.get_tables_schema_json()},{store.get_values_schema_json()}]"
    tables_schema, values_schema = json.loads(store.get_schema_json())
    again = Store().set_schema(tables_schema, values_schema)
    assert again.get_schema_json() == store.get_schema_json()
    assert Store().get_schema_json() == "[{},{}]"
