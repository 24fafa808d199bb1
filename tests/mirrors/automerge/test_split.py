"""Writes that are too much for one Automerge change; with lower bounds, as the real ones take long."""

from __future__ import annotations

from typing import Any

import pytest

from support.mirrors import deliver, make_peer
from weft.errors import MirrorError
from weft.mirrors.automerge import split as _amparts
from weft.mirrors.automerge.split import cut
from weft.mirrors.mirror import DocumentWrite
from weft.values import UNDEFINED


@pytest.fixture(autouse=True)
def low_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_amparts, "_MOST", 100)
    monkeypatch.setattr(_amparts, "_MAX_TEXT", 151)


def fail(error: Exception) -> None:
    raise error


def test_what_fits_is_not_touched() -> None:
    batch = DocumentWrite({"t": {"r": {"c": "x" * 98, "d": 1}}}, {}, set(), set())
    (whole,) = cut(batch, fail)
    assert whole is batch


def test_the_parts_together_are_the_whole_and_each_is_small_enough() -> None:
    rows: Any = {f"r{row}": {f"c{cell}": "x" * (row + cell) for cell in range(5)} for row in range(30)}
    batch = DocumentWrite(
        {"t": rows, "u": {"r": {"c": UNDEFINED}}}, {"v": "x" * 90, "w": 1}, {"u"}, {("u", "r")}
    )
    parts = list(cut(batch, fail))
    found: dict[tuple[str, ...], Any] = {}
    for part in parts:
        assert (part.removed_tables, part.removed_rows) == (batch.removed_tables, batch.removed_rows)
        cells = dict(_amparts._paths(part))
        assert sum(map(_amparts._operations, cells.values())) <= 100
        found |= cells
    assert found == dict(_amparts._paths(batch))
    assert len(parts) > 20


def test_a_store_transaction_of_many_long_strings_is_several_changes_and_reaches_the_peers_whole() -> None:
    a, b = make_peer("automerge"), make_peer("automerge")
    a.store.set_content(({"gone": {"r": {"c": "x"}}, "t": {"r0": {"c0": "old"}}}, {}))
    deliver(a, b)
    rows = {f"r{row}": {f"c{cell}": f"{row}.{cell}" * 5 for cell in range(8)} for row in range(20)}
    updates = a.updates()
    with a.store.transaction():
        a.store.set_table("t", rows)
        a.store.del_table("gone")
        a.store.set_value("v", "é" * 80)
    assert len(updates) > 20
    deliver(a, b)
    assert a.content == b.content == ({"t": rows}, {"v": "é" * 80})
    assert a.agrees()
    assert b.agrees()
    assert a.errors == b.errors == []


def test_a_string_that_is_too_long_for_any_change_is_reported_and_the_rest_is_written() -> None:
    peer = make_peer("automerge")
    peer.store.set_cell("t", "r", "long", "short")
    with peer.store.transaction():
        peer.store.set_row("t", "r", {"long": "x" * 151, "longest that can be": "x" * 150, "other": 1})
    assert [type(error) for error in peer.errors] == [MirrorError]
    assert str(peer.errors[0]) == (
        "the string at 't/r/long' has 151 characters: too many for an Automerge document, where 150 may be"
    )
    assert peer.project()[0] == {"t": {"r": {"long": "short", "longest that can be": "x" * 150, "other": 1}}}
    peer.store.set_cell("t", "r", "long", "short again")
    assert peer.agrees()
