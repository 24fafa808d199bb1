"""The order of rows by a column of anything, compared with TinyBase's."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any

import pytest

from differential.language import obj
from differential.oracle import first_difference, report, run_on_tinybase
from differential.runner import run_on_weft

if TYPE_CHECKING:
    from differential.language import Program, Value

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("_node")]

# Numbers, and texts that JavaScript reads as numbers, or does not: by white space and the forms of ECMA-262.
NUMBERS: list[Any] = [0, 1, -1, 2, 9, 10, 1.5, -0.5, 1e21, 5e-324, True, False, None]
LIKE_NUMBERS: list[Any] = [
    "", "10", "9", " 7 ", "0x1f", "0X1F", "0b11", "0o17", "1e1", ".5", "5.", "+3", "00012", "Infinity",
    "-Infinity", "1e400", "1e-400", "\u00a08", "\ufeff3", "\u20282", "\v4", "0x" + "f" * 300,
    [], [5], [[3]], [None],
]  # fmt: skip
TEXTS: list[Any] = [
    "a", "b", "-", "NaN", "infinity", "0x", "0b2", "-0x1", "1_0", "1e", "e1", "é", "\ue000", "😀", "\u0661",
    "\u200b1", "\u180e1", "\x851", "\x1c1", "1,2", [1, 2], ["a"], [True], [1e21], [[], {}], {}, {"k": 1},
]  # fmt: skip


def coded(value: Any) -> Value:
    if isinstance(value, dict):
        return obj({key: coded(item) for key, item in value.items()})
    return [coded(item) for item in value] if isinstance(value, list) else value


def table(draw: random.Random, pool: list[Any], most: int) -> Program:
    chosen = draw.sample(pool, draw.randint(1, min(12, len(pool)))) if draw.random() < 0.8 else pool
    rows = {f"r{number}": obj({"c": coded(draw.choice(chosen))}) for number in range(draw.randint(2, most))}
    asked = [
        {
            "op": "get_sorted_row_ids",
            "sort": {"table_id": "t", "cell_id": "c", "descending": descending, "offset": 0},
            "form": "positional",
        }
        for descending in (False, True)
    ]
    ops = [{"op": "set_table", "args": ["t", obj(rows)]}, *asked]
    return {"seed": 0, "corrections": [], "probes": {"cells": [], "values": []}, "ops": ops}


def compare(programs: list[Program]) -> None:
    for program, expected in zip(programs, run_on_tinybase(programs), strict=True):
        if first_difference(expected, run_on_weft(program)) is not None:
            pytest.fail(report(program))


def test_any_column_of_a_short_table_is_ordered_as_in_tinybase() -> None:
    draw = random.Random(1)
    pools = [NUMBERS, LIKE_NUMBERS, TEXTS, NUMBERS + LIKE_NUMBERS, NUMBERS + LIKE_NUMBERS + TEXTS]
    compare([table(draw, draw.choice(pools), 63) for _ in range(600)])


@pytest.mark.parametrize("kind", [int | float | bool | None, str])
def test_a_column_of_one_kind_is_ordered_as_in_tinybase_whatever_its_length(kind: Any) -> None:
    draw = random.Random(2)
    pool = [cell for cell in NUMBERS + LIKE_NUMBERS + TEXTS if isinstance(cell, kind)]
    compare([table(draw, pool, 300) for _ in range(150)])


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the page of differences says why")
def test_any_column_of_a_long_table_is_ordered_as_in_tinybase_where_pythons_sort_is_the_same() -> None:
    draw = random.Random(3)
    compare([table(draw, NUMBERS + LIKE_NUMBERS + TEXTS, 300) for _ in range(150)])
