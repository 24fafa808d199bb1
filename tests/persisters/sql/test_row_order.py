from __future__ import annotations

import random
from typing import Any

from weft.persisters.postgres.dialect import PostgresDialect
from weft.persisters.sql.dialect import Column, ForeignKey
from weft.persisters.sql.row_order import Groups, own_keys, parents_first

COLUMNS = {name: Column(name, "") for name in ("of", "also", "name", "number")}


def key(*pairs: tuple[str, str], parent: str = "t") -> ForeignKey:
    return ForeignKey("t", parent, "t", parent, False, False, list(pairs))


def order(keys: list[ForeignKey], *groups: tuple[str, dict[Any, Any]]) -> list[tuple[str, list[Any]]]:
    """Sort rows, each an id with the cells of its group's columns."""
    given: Groups = [
        ([COLUMNS[name] for name in names.split()], [(row_id, list(row)) for row_id, row in rows.items()])
        for names, rows in groups
    ]
    ordered = parents_first(PostgresDialect(), keys, "_id", given)
    return [
        (" ".join(column.name for column in columns), [row_id for row_id, _ in rows])
        for columns, rows in ordered
    ]


def test_only_keys_of_a_table_to_itself_whose_columns_are_known_are_taken() -> None:
    own = key(("of", "_id"))
    unknown: Any = key(("of", None))  # type: ignore[arg-type]
    assert own_keys([key(("of", "_id"), parent="u"), own, unknown], "t") == [own]
    assert own_keys([own], "u") == []


def test_a_row_comes_after_the_one_it_refers_to_whether_ids_are_numbers_or_text() -> None:
    rows = {"3": [2], "1": [None], "2": ["1"], "9": [77], "4": [3.0]}
    assert order([key(("of", "_id"))], ("of", rows)) == [("of", ["1", "9", "2", "3", "4"])]


def test_rows_of_several_groups_come_in_as_few_as_is_easy() -> None:
    groups = ("of", {"b": ["a"], "c": ["b"], "e": ["d"]}), ("name", {"a": ["x"], "y": ["y"]})
    expected = [("of", ["e"]), ("name", ["a", "y"]), ("of", ["b", "c"])]
    assert order([key(("of", "_id"))], *groups) == expected


def test_circles_come_last_and_rows_that_refer_to_themselves_are_none() -> None:
    rows = {"a": ["b"], "b": ["a"], "c": ["c"], "d": ["c"]}
    assert order([key(("of", "_id"))], ("of", rows)) == [("of", ["c", "d", "a", "b"])]


def test_keys_of_several_columns_and_several_keys_all_count() -> None:
    both = key(("of", "name"), ("also", "number"))
    rows = {"x": [1, 2, None, None], "y": [None, 2, "1", 2], "z": [None, None, 1, 3]}
    assert order([both], ("of also name number", rows)) == [("of also name number", ["y", "z", "x"])]
    rows = {"x": ["y", "z", 0, 0], "y": ["z", None, 0, 0], "z": [None, None, 0, 0]}
    keys = [key(("of", "_id")), key(("also", "_id"))]
    assert order(keys, ("of also name number", rows)) == [("of also name number", ["z", "y", "x"])]


def test_whatever_the_order_no_row_comes_before_its_parent_and_none_is_lost() -> None:
    draw = random.Random(1)
    for _ in range(200):
        count = draw.randint(0, 30)
        rows = {str(n): [draw.randint(0, n - 1) or None] for n in range(1, count + 1)}
        ids = list(rows)
        draw.shuffle(ids)
        cut = draw.randint(0, count)
        parts = [{row_id: rows[row_id] for row_id in part} for part in (ids[:cut], ids[cut:])]
        ordered = [
            row_id
            for _, part in order([key(("of", "_id"))], *(("of", part) for part in parts))
            for row_id in part
        ]
        assert sorted(ordered) == sorted(rows)
        for row_id, (parent,) in rows.items():
            assert parent is None or ordered.index(str(parent)) < ordered.index(row_id)
