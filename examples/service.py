"""A web service over a shared Store: ``def`` endpoints that read and write, and a page that changes live.

Any thread may use a Store of ``weft.sync``, so FastAPI may run the endpoints in its thread pool. Peers in the
room, in Python or a browser, edit the same table.

    pip install fastapi uvicorn
    weft serve
    ROOM=ws://127.0.0.1:1234/shop uvicorn service:app --app-dir examples
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse, StreamingResponse

import weft

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAGE = """<!doctype html><title>Pets</title><pre></pre><script>
  new EventSource("/live").onmessage = ({data}) =>
    document.querySelector("pre").textContent = JSON.stringify(JSON.parse(data), null, 2);
</script>"""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    with weft.sync.connect(os.environ["ROOM"]) as app.state.store:
        yield


app = FastAPI(lifespan=lifespan)


@app.put("/pets/{pet}")
def set_pet(pet: str, row: dict[str, Any]) -> dict[str, Any]:
    store = app.state.store
    with store.transaction():
        store.set_row("pets", pet, row)
        return store.get_table("pets")


@app.get("/pets/{pet}")
def get_pet(pet: str) -> dict[str, Any]:
    if row := app.state.store.get_row("pets", pet):
        return row
    raise HTTPException(404, f"no pet is called {pet}")


async def changes() -> AsyncIterator[str]:
    """The table, now and after each change, as server-sent events."""
    store, loop, changed = app.state.store, asyncio.get_running_loop(), asyncio.Event()
    listener = store.on_table("pets")(lambda *_: loop.call_soon_threadsafe(changed.set))
    try:
        while True:
            changed.clear()
            yield f"data: {json.dumps(store.get_table('pets'))}\n\n"
            await changed.wait()
    finally:
        listener.unsubscribe()


@app.get("/live")
async def live() -> StreamingResponse:
    return StreamingResponse(changes(), media_type="text/event-stream")


@app.get("/")
def page() -> HTMLResponse:
    return HTMLResponse(PAGE)
