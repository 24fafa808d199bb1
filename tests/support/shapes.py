"""What the tests of declared shapes write into a Store, of each shape something."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft import Store

__all__ = ["fill"]


def fill(store: Store) -> None:
    """Write into the tables and values that the layouts of these tests declare."""
    store.set_cell("shapes", "a", "x", 1)
    store.set_cell("shapes", "a", "label", "text")
    store.set_value("theme", "dark")
    store.set_cell("notes", "n", "body", "hello")
    store.set_cell("things", "k", "v", 2)
    store.set_cell("app", "prefs", "p", True)
    for name in ("one", "two"):
        store.set_cell("todos", name, "title", name)
    store.set_cell("list", "q", "w", 1)
