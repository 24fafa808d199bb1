from __future__ import annotations

from fractions import Fraction

from weft._support.arguments import wrong_kind


def test_the_error_says_what_is_needed_and_what_was_given() -> None:
    assert str(wrong_kind("a weft.Store", 1)) == "a weft.Store is needed here, and this is of type int"
    assert str(wrong_kind("a path", Fraction(1))).endswith("of type fractions.Fraction")
