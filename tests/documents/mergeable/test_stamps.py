"""Hashes follow what is written, whatever was known before."""

from __future__ import annotations

from weft.documents.mergeable.stamps import Group, Things


def test_a_row_that_changed_hashes_as_one_made_afresh() -> None:
    row = Things({f"c{number}": (number, "") for number in range(10)})
    assert row.hash == Things(dict(row.stamps)).hash
    row.set("c1", (True, "x"))
    row.set("c1", (False, "y"))
    row.set("new", (None, "z"))
    assert row.hash == Things(dict(row.stamps)).hash
    for number in range(8):
        row.set(f"c{number}", ("other", ""))
    assert row.hash == Things(dict(row.stamps)).hash
    row.set("c1", (1, "w"))
    row.set_hlc("late")
    assert row.hash == Things(dict(row.stamps), "late").hash


def test_a_table_counts_each_row_once() -> None:
    table: Group[Things] = Group()
    afresh: Group[Things] = Group()
    for name in ("r", "s"):
        table.children[name] = Things({"c": (1, "")})
        table.touch(name, table.children[name])
    before = table.hash
    for _ in range(2):
        table.touch("r", table.children["r"])
    assert table.hash == before
    table.set_hlc("one")
    table.set_hlc("two")
    for name, row in table.children.items():
        afresh.children[name] = Things(dict(row.stamps))
        afresh.touch(name, afresh.children[name])
    afresh.set_hlc("two")
    assert table.hash == afresh.hash != before
