"""What is computed from the log of a transaction."""

from __future__ import annotations

from weft import Store


def test_emptied_is_not_removed() -> None:
    store = Store().set_tables({"t": {"r": {"a": 1, "b": [2]}, "s": {"a": 3}}, "u": {"q": {"x": 1, "y": 2}}})
    with store.transaction():
        store.del_cell("t", "s", "a").del_cell("u", "q", "x").del_cell("u", "q", "y")
        assert store._removed() == (set(), set())
        store.set_row("u", "q", {"x": 1}).del_row("u", "q")
        assert store._removed() == (set(), {("u", "q")}), (
            "the row as a container, the table only for want of rows"
        )
        store.set_tables({"t": {"z": {"a": 1}}})
        assert store._removed() == (set(), {("u", "q"), ("t", "r")})
        store.set_row("t", "r", {"a": 1})
        assert store._removed() == (set(), {("u", "q")}), "it is there again"
    with store.transaction():
        store.set_table("u", {"q": {"x": 1}}).del_tables().set_cell("t", "z", "new", 1)
        assert store._removed() == ({"u"}, {("u", "q"), ("t", "r")})
