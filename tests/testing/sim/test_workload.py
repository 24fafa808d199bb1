"""The values that peers write tell who wrote them."""

from __future__ import annotations

import random

import pytest

from weft.testing.sim.ledger import Ledger
from weft.testing.sim.workload import Edit, read_stamp, stamp


def test_a_stamp_of_every_type_is_read_back() -> None:
    rng = random.Random(1)
    stamps = [stamp("p0", number, rng) for number in range(100)]
    assert [read_stamp(value) for value in stamps] == list(range(100))
    assert {type(value) for value in stamps} == {str, list, dict, float, int}


@pytest.mark.parametrize("value", [True, None, "no number", "p0.x", 1.25, [1, 2], {"by": "p0"}, ["p0", 1, 2]])
def test_what_is_no_stamp_is_not_taken_for_one(value: object) -> None:
    assert read_stamp(value) is None


def test_an_edit_has_a_hundred_numbers() -> None:
    edit = Edit(random.Random(1), 300, ("p0", 1), Ledger())
    assert [edit.number() for _ in range(100)] == list(range(300, 400))
    with pytest.raises(ValueError, match="100 numbers"):
        edit.number()
