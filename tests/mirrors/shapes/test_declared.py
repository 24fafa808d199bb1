"""Layouts that contradict themselves are refused before anything is mirrored."""

from __future__ import annotations

from typing import Any

import pytest

from weft.mirrors.shapes import ArrayOfMaps, MapOfMaps, MapOfValues, Nested, SharedText, check_shapes


@pytest.mark.parametrize(
    ("layout", "error", "said"),
    [
        (5, TypeError, "dict of names to shapes"),
        ({}, ValueError, "empty"),
        ({5: MapOfMaps("a")}, TypeError, "names, joined by dots"),
        ({"a": MapOfMaps}, TypeError, "dataclass|argument"),
        ({"a.b": MapOfMaps("a")}, ValueError, "keeps a table"),
        ({"a": SharedText("t")}, ValueError, "keeps a cell"),
        ({"a": MapOfMaps("x"), "b": ArrayOfMaps("x")}, ValueError, "two shapes at"),
        ({"v": MapOfValues("x"), "w": MapOfValues("y")}, ValueError, "twice"),
        ({"a": MapOfMaps("x"), "a.b": MapOfValues("y")}, ValueError, "twice"),
        ({"a": MapOfMaps("x"), "b": Nested("x.y", MapOfMaps("z"))}, ValueError, "two shapes at"),
        ({"a": MapOfMaps("x"), "a.b": SharedText(xml=True)}, ValueError, "XML"),
        ({"a": MapOfValues("x"), "a.b": SharedText("t")}, ValueError, "no texts"),
        ({"a": MapOfMaps("x"), "a.b": SharedText("t"), "a.c": SharedText("t")}, ValueError, "two cells"),
    ],
)
def test_what_is_wrong_is_said(layout: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        check_shapes(layout)


def test_a_shape_is_checked_when_it_is_made() -> None:
    for make in (
        lambda: MapOfMaps(5),  # type: ignore[arg-type]
        lambda: ArrayOfMaps("a", id=5),  # type: ignore[arg-type]
        lambda: MapOfMaps("a", json="tags"),
    ):
        with pytest.raises(TypeError):
            make()
    with pytest.raises(ValueError, match="same entry"):
        ArrayOfMaps("a", position="id")
    with pytest.raises(ValueError, match="path"):
        Nested("a..b", MapOfMaps("c"))


def test_ids_may_have_dots_in_tuples() -> None:
    check_shapes({("a.b",): MapOfMaps("x"), ("a.b", "c.d"): SharedText("t"), ("n", "o.p"): MapOfValues("y")})
