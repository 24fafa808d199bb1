"""Hashes as TinyBase makes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.vectors import vectors
from weft.documents.mergeable.hashes import get_cell_hash, get_child_hash, get_hash, get_thing_hash
from weft.jsoncodec import loads
from weft.values import UNDEFINED, decode_received

VECTORS = vectors("tinybase_mergeable")


@pytest.mark.parametrize("vector", VECTORS["getHash"])
def test_a_text_is_hashed_as_utf_8(vector: dict[str, Any]) -> None:
    if vector["string"] == "a*1000":
        text = "a" * 1000
    else:
        text = vector["string"] or "".join(map(chr, vector["utf16"]))
    assert get_hash(text) == vector["hash"]


def test_cells_are_hashed_by_their_json_text_and_stamp() -> None:
    seen = 0
    for vector in VECTORS["getCellHash"]:
        assert get_hash(vector["jsonHashed"]) == vector["hash"]
        cell = {"<-0>": -0.0, "<undefined>": None}.get(str(vector["cell"]), vector["cell"])
        # TinyBase hashes an object by its encoded text, unless it is called by hand.
        if not isinstance(cell, (dict, list)) and "ud800" not in str(cell):
            stored = decode_received(loads(json.dumps(cell)))  # JavaScript's numbers
            assert get_cell_hash(stored, vector["hlc"]) == vector["hash"], vector
            seen += 1
    assert seen > 5
    assert get_cell_hash(UNDEFINED, "x") == get_cell_hash(None, "x")


def test_ids_are_hashed_with_hashes() -> None:
    helpers = VECTORS["helpers"]
    assert get_child_hash("color", 923684530) == helpers["getCellInRowHash"]
    assert get_thing_hash("a", get_cell_hash(1, "")) == get_child_hash(
        "a", get_cell_hash(1, "")
    ) ^ get_child_hash("a", 0)


def test_more_ids_than_are_remembered_are_hashed_alike() -> None:
    first = [get_thing_hash(f"id{number}", number) for number in range(5000)]
    assert first == [get_thing_hash(f"id{number}", number) for number in range(5000)]
