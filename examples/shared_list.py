"""Three programs share a list over a server: one writes, one watches, one comes late.

The server runs in this process, on a free port of the loopback address; ``weft serve`` is the same server.

    python examples/shared_list.py
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from weft import Store, YjsMirror, YWebsocketProvider, create_doc
from weft.server import MemoryRoomStorage, Server, allow_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def peer(url: str) -> AsyncIterator[tuple[Store, YWebsocketProvider]]:
    """A Store that is kept in sync with the room as long as the block runs."""
    store, doc = Store(), create_doc()
    with YjsMirror(store, doc):
        async with YWebsocketProvider(doc, url, "groceries") as provider:
            await provider.wait_synced(timeout=10)
            yield store, provider


async def main() -> None:
    async with Server(auth=allow_all, storage=MemoryRoomStorage(), port=0) as server:
        async with peer(server.url) as (writer, writing), peer(server.url) as (watcher, _):
            bought = asyncio.Event()

            @watcher.on_cell("items", None, "done")
            def tell(_store: Store, _table: str, row_id: str, _cell: str, done: object, *_: object) -> None:
                if done:
                    print(f"{row_id} is in the basket")
                    bought.set()

            with writer.transaction():
                writer.set_row("items", "milk", {"done": False})
                writer.set_row("items", "bread", {"loaves": 1})
            writer.set_cell("items", "milk", "done", True)
            await writing.flush(timeout=10)
            await asyncio.wait_for(bought.wait(), 10)

        async with peer(server.url) as (latecomer, _):
            for row_id in latecomer.get_sorted_row_ids("items"):
                print(f"the latecomer sees {row_id}: {latecomer.get_row('items', row_id)}")


if __name__ == "__main__":
    asyncio.run(main())
