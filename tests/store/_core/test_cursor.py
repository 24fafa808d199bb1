"""Places in texts follow what transactions do."""

from __future__ import annotations

import gc
from typing import Any

from weft import Store


def test_a_cursor_that_nobody_holds_is_forgotten() -> None:
    store = Store().set_tables_schema({"notes": {"body": {"type": "text"}}})
    text = store.text("notes", "n1", "body")
    cursors: list[Any] = [text.set("abc").cursor(at) for at in range(4)]
    text.insert(0, "x")
    assert [cursor.offset for cursor in cursors] == [1, 2, 3, 4]
    kept = cursors.pop()
    del cursors[:]
    gc.collect()
    text.insert(0, "x")
    assert kept.offset == 5


def test_cursors_stand_where_they_are_when_the_listeners_are_called() -> None:
    store = Store().set_tables_schema({"notes": {"body": {"type": "text"}}})
    text = store.text("notes", "n1", "body").set("abc")
    cursor = text.cursor(2)
    seen: list[int] = []
    text.add_listener(lambda *_: seen.append(cursor.offset))
    text.insert(0, "x").delete(0, 1)
    with store.transaction():
        text.insert(0, "x")
        assert cursor.offset == 3
        seen.append(cursor.offset)
        text.insert(0, "x")
    assert seen == [3, 2, 3, 4]
    store.set_cell("notes", "n1", "body", "abc")
    assert cursor.offset == 2
    store.del_cell("notes", "n1", "body")
    assert cursor.offset == 0
