"""Writes that were not confirmed: known up to a bound, and not forgotten when a question fails."""

from __future__ import annotations

from typing import Any

from weft.protocols.tinybase.writes import Writes


def change(row: str, hlc: str) -> list[Any]:
    return [[{"t": [{row: [{"c": [1, hlc]}]}]}], [{f"v{row}": [1, hlc]}], 1]


def test_the_last_stamp_of_each_counts() -> None:
    writes = Writes()
    writes.add(change("a", "1"))
    assert not writes.are_known
    assert writes.latest() == ({}, {}), "of what was before, nobody knows"
    writes.confirmed()
    for hlc in ("1", "2"):
        writes.add(change("a", hlc))
    writes.add(change("b", "3"))
    assert writes.latest() == ({"t": {"a": {"c": "2"}, "b": {"c": "3"}}}, {"va": "2", "vb": "3"})


def test_what_was_taken_and_is_not_confirmed_comes_back() -> None:
    writes = Writes()
    writes.confirmed()
    writes.add(change("a", "1"))
    taken = writes.taken()
    assert writes.latest() == ({}, {})
    writes.add(change("b", "2"))
    writes.put_back(taken)
    assert writes.latest() == ({"t": {"a": {"c": "1"}, "b": {"c": "2"}}}, {"va": "1", "vb": "2"})
    taken = writes.taken()
    taken.forget()
    writes.put_back(taken)
    assert not writes.are_known


def test_more_than_is_worth_keeping_is_not_kept() -> None:
    writes = Writes()
    writes.confirmed()
    writes.add([[{"t": [{str(row): [{"c": [1, "1"]}] for row in range(20_000)}]}], [{}], 1])
    assert not writes.are_known
    assert writes.changes == []
