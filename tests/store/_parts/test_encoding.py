"""Cells that a function makes of what can be none."""

from __future__ import annotations

import pytest

from weft.store._parts.encoding import encoder


def test_the_function_is_asked_only_about_what_is_refused_for_its_type() -> None:
    asked: list[object] = []

    def encode(value: object) -> str:
        asked.append(value)
        return "made"

    encoded = encoder(encode)
    assert [encoded(value) for value in ("a", 1, 1.5, None, True)] == ["a", 1, 1.5, None, True]
    assert asked == []
    assert encoded(b"x") == "made"
    assert encoded([1, {"a": b"y", "b": (b"z",)}]) == '\ufffd[1,{"a":"made","b":["made"]}]'
    assert asked == [b"x", b"y", b"z"]
    with pytest.raises(ValueError, match="must be finite"):
        encoded(float("nan"))
    with pytest.raises(TypeError, match="must be a str"):
        encoded({1: b""})
