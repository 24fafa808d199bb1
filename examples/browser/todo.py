"""A todo list in a page: it runs in the browser, keeps the list there, and shares it with all in the room."""

from __future__ import annotations

import time

from js import URLSearchParams, document, location
from pyodide.ffi import create_proxy

from weft.mergeable import MergeableStore
from weft.persisters import IndexedDbPersister
from weft.providers import TinyBaseProvider

server = URLSearchParams.new(location.search).get("server") or "ws://127.0.0.1:1234"
form, text, items, status = map(document.querySelector, ("form", "input", "ol", "p"))
store = MergeableStore()


def show(*_: object) -> None:
    items.replaceChildren()
    for row_id in store.get_sorted_row_ids("todos", "made"):
        todo = store.get_row("todos", row_id)
        item = document.createElement("li")
        item.id = row_id
        item.textContent = todo.get("text")
        item.className = "done" if todo.get("done") else ""
        items.append(item)


@create_proxy
def add(event: object) -> None:
    event.preventDefault()
    store.add_row("todos", {"text": text.value, "done": False, "made": int(time.time() * 1000)})
    form.reset()


@create_proxy
def tick(event: object) -> None:
    if store.has_row("todos", event.target.id):
        done = store.get_cell("todos", event.target.id, "done")
        store.set_cell("todos", event.target.id, "done", not done)


def tell(connection: str, synced: bool) -> None:
    status.textContent = "shared" if synced else f"{connection}; what you write is kept here"


async def main() -> None:
    store.on_table("todos")(show)  # whoever changes it
    form.addEventListener("submit", add)
    items.addEventListener("click", tick)
    await IndexedDbPersister(store, "todo").start_auto_persisting()
    provider = TinyBaseProvider(store, f"{server}/todo")
    provider.add_status_listener(tell)
    await provider.connect()
