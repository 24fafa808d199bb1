"""What a schema put out of the content, and what it added."""

from __future__ import annotations

from typing import Any

from weft.store._parts.schema_effects import (
    effect_on_cells,
    effect_on_values,
    refused_cells,
    refused_values,
)
from weft.values import UNDEFINED, encode_cell

OLD: Any = {"t": {"r": {"a": 1, "b": "x"}, "q": {"a": 2}}, "u": {"r": {"a": encode_cell([1])}}}
VALID: Any = {"t": {"r": {"a": 1, "b": 0, "c": True}}}


def test_what_is_left_out_or_replaced_is_listed_as_a_caller_would_write_it() -> None:
    assert refused_cells(OLD, VALID) == [("t", "r", "b", "x"), ("t", "q", "a", 2), ("u", "r", "a", [1])]
    assert refused_cells(OLD, OLD) == []
    assert refused_values({"v": 1, "w": "x"}, {"v": 1, "w": 0}) == [("w", "x")]


def test_what_was_written_otherwise_is_an_edit_in_its_final_form() -> None:
    effect = effect_on_cells((3, 9), refused_cells(OLD, VALID), OLD, VALID)
    assert effect.cells == [("t", "r", "c")]
    values = effect_on_values((9, 12), [("w", "x")], {"v": 1, "w": "x"}, {"w": 0, "d": 5})
    assert values.values == ["v", "d"]
    changed: Any = {}
    changed_values: Any = {}
    final: Any = {"t": {"r": {"c": False}}}
    effect.add_edits(changed, changed_values, final, {})
    values.add_edits(changed, changed_values, final, {"d": 5})
    assert changed == final
    assert changed_values == {"v": UNDEFINED, "d": 5}
