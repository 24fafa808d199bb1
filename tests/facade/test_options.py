"""Options are checked when they are given, and schemas are what users have for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import weft
from weft import Store
from weft.errors import InvalidSchemaError
from weft.facade.options import Options


@dataclass
class Pet:
    species: str
    price: float = 5


def test_schemas_may_be_classes_and_dictionaries() -> None:
    store = Store()
    Options(schema={"pets": Pet, "shops": {"open": {"type": "boolean"}}}, values_schema=Pet).prepare(store)
    assert store.get_tables_schema() == {
        "pets": {
            "species": {"type": "string", "required": True},
            "price": {"type": "number", "default": 5},
        },
        "shops": {"open": {"type": "boolean"}},
    }
    assert store.get_values_schema()["price"] == {"type": "number", "default": 5}


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"tokne": "x"}, TypeError, "tokne"),
        ({"token": 7}, TypeError, "a str for token"),
        ({"headers": 7}, TypeError, "a mapping for headers"),
        ({"on_error": 7}, TypeError, "a function for on_error"),
        ({"close_timeout": -1}, ValueError, "close_timeout must be a number of seconds, 0 or more"),
        ({"durable": "maybe"}, ValueError, 'durable must be "now" or "soon"'),
        ({"schema": [Pet]}, TypeError, "a mapping of table ids for schema"),
        ({"schema": {"pets": {"price": {"type": "money"}}}}, InvalidSchemaError, "money"),
        ({"row_ids": "any"}, ValueError, "row_ids must be"),
        ({"layout": "round"}, ValueError, "layout is 'round'"),
        ({"offline": 7}, TypeError, "a path"),
    ],
)
def test_a_wrong_option_is_refused_at_once(options: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        weft.connect("ws://127.0.0.1:9/room", **options)


def test_a_layout_is_checked_at_once() -> None:
    with pytest.raises(ValueError, match="TinyBase's, or a dict of shapes"):
        weft.connect("automerge+ws://127.0.0.1:9", layout="flat")
    with pytest.raises(ValueError, match="TinyBase's only"):
        weft.connect("tinybase+ws://127.0.0.1:9/room", layout={"todos": weft.MapOfMaps("todos")})
    with pytest.raises(ValueError, match="twice"):
        weft.connect(
            "ws://127.0.0.1:9/room", layout={"a": weft.MapOfMaps("a"), "a.b.c": weft.SharedText("b")}
        )
    with pytest.raises(TypeError, match="no shape"):
        weft.connect("ws://127.0.0.1:9/room", layout={"a": "b"})
