"""Applications of other libraries and Python Stores in one room, on documents of the applications' shapes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

import weft
from support.live import until
from support.node import JsPeer

if TYPE_CHECKING:
    from weft.server import Server

pytestmark = pytest.mark.interop

LAYOUT: dict[Any, Any] = {
    "todos": weft.ArrayOfMaps("todos", position="at"),
    "shapes": weft.MapOfMaps("shapes"),
    "values": weft.MapOfValues("settings"),
}


class Application:
    """The application, and what it has written alone."""

    def __init__(self, js: JsPeer, rng: random.Random) -> None:
        self.js = js
        self.rng = rng
        self.connected = True
        self.todos: dict[str, dict[str, Any]] = {}
        self.shapes: dict[str, dict[str, Any]] = {}
        self.settings: dict[str, Any] = {}

    async def do(self, what: str, *args: Any) -> None:
        await self.js("app.do", name="app", what=what, args=list(args))

    async def edit(self, step: int) -> None:
        match self.rng.randrange(6):
            case 0:
                self.todos[f"js{step}"] = todo = {
                    "id": f"js{step}",
                    "title": f"from js {step}",
                    "done": False,
                }
                await self.do("add", todo)
            case 1 if self.todos:
                name = self.rng.choice(list(self.todos))
                self.todos[name]["done"] = step
                await self.do("change", name, "done", step)
            case 2 if len(self.todos) > 2:
                name = self.rng.choice(list(self.todos))
                del self.todos[name]
                await self.do("remove", name)
            case 3:
                self.shapes[f"js{step % 5}"] = shape = {"kind": "circle", "r": step}
                await self.do("shape", f"js{step % 5}", shape)
            case 4 if self.shapes:
                name = self.rng.choice(list(self.shapes))
                self.shapes[name]["r"] = -step
                await self.do("reshape", name, "r", -step)
            case _:
                self.settings[f"js{step % 3}"] = step
                await self.do("set", f"js{step % 3}", step)

    async def turn(self) -> None:
        """Cut the connection, or make it again."""
        self.connected = not self.connected
        await self.js("app.connected", name="app", connected=self.connected)


class Script:
    """A Store in Python, and what it has written alone."""

    def __init__(self, store: weft.Store, rng: random.Random) -> None:
        self.store = store
        self.rng = rng
        self.todos: dict[str, dict[str, Any]] = {}
        self.shapes: dict[str, dict[str, Any]] = {}
        self.settings: dict[str, Any] = {}

    def edit(self, step: int) -> None:
        store, rng = self.store, self.rng
        match rng.randrange(6):
            case 0:
                self.todos[f"py{step}"] = {"id": f"py{step}", "title": f"from py {step}"}
                store.set_row("todos", f"py{step}", {"title": f"from py {step}"})
            case 1 if self.todos:
                name = rng.choice(list(self.todos))
                self.todos[name]["done"] = step
                store.set_cell("todos", name, "done", step)
            case 2 if len(self.todos) > 2:
                name = rng.choice(list(self.todos))
                del self.todos[name]
                store.del_row("todos", name)
            case 3:
                self.shapes[f"py{step % 5}"] = {"kind": "square", "a": step}
                store.set_row("shapes", f"py{step % 5}", {"kind": "square", "a": step})
            case 4 if self.shapes:
                name = rng.choice(list(self.shapes))
                self.shapes[name]["a"] = -step
                store.set_cell("shapes", name, "a", -step)
            case _:
                self.settings[f"py{step % 3}"] = step
                store.set_value(f"py{step % 3}", step)


@pytest.mark.parametrize("library", ["yjs", "syncedstore", "valtio"])
async def test_an_application_and_a_store_edit_at_once(weft_server: Server, library: str) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    url = f"{weft_server.url}/{library}"
    errors: list[Exception] = []
    async with JsPeer() as js:
        js.complaint = r"(.|\n)*"  # libraries warn of what they were loaded with
        await js("app.open", name="app", library=library, url=weft_server.url, room=library)
        application = Application(js, rng)
        await application.do("foreign", [1, "two"])
        async with weft.connect(url, layout=LAYOUT, on_error=errors.append) as store:
            await store.sync.wait_synced(20)
            script = Script(store, rng)
            for step in range(60):
                if rng.random() < 0.15:
                    await application.turn()
                if rng.random() < 0.5:
                    await application.edit(step)
                else:
                    script.edit(step)
            if not application.connected:
                await application.turn()
            await store.sync.flush(20)
            todos = {**application.todos, **script.todos}
            shapes = {**application.shapes, **script.shapes}
            settings = {**application.settings, **script.settings}
            await js("app.wait", name="app", wanted={"todos": todos, "shapes": shapes, "settings": settings})

            def is_level() -> bool:
                rows = {name: {"id": name, **row} for name, row in store.get_table("todos").items()}
                places = [row.pop("at", None) for row in rows.values()]
                return (rows, store.get_table("shapes"), store.get_values()) == (
                    todos,
                    shapes,
                    settings,
                ) and sorted(map(str, places)) == sorted(map(str, range(len(rows))))

            def hear(callback: Any) -> Any:
                listener = store.add_did_finish_transaction_listener(callback)
                return lambda: store.del_listener(listener)

            await until(is_level, hear, "what both have written")
            seen = await js("app.read", name="app")
            assert seen["foreign"] == {"list": [1, "two"]}
            order = [store.get_cell("todos", todo["id"], "at") for todo in seen["todos"]]
            assert order == list(range(len(order)))
        assert errors == []
        await js("app.close", name="app")
