"""A todo list in the terminal, shared with everybody in the room; page.js is the same list in a browser.

A line of text adds an item, a number ticks one off or back on. It works without a network, too.
"""

from __future__ import annotations

import sys
import time

import weft

address = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:1234/todo"


def show(store: weft.Store, *_: object) -> None:
    for number, row_id in enumerate(store.get_sorted_row_ids("todos", "made"), 1):
        todo = store.get_row("todos", row_id)
        print(f"{number}. [{'x' if todo.get('done') else ' '}] {todo.get('text')}")
    print(flush=True)


with weft.sync.connect(address, offline="todo.weft") as store:
    store.on_table("todos")(show)  # whoever changes it
    show(store)
    for line in map(str.strip, sys.stdin):
        row_ids = store.get_sorted_row_ids("todos", "made")
        if line.isdigit() and 0 < int(line) <= len(row_ids):
            todo = store.tables["todos"][row_ids[int(line) - 1]]
            todo["done"] = not todo.get("done")
        elif line:
            store.add_row("todos", {"text": line, "done": False, "made": int(time.time() * 1000)})
