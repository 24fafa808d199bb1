"""Three programs share a list over a server: one writes, one watches, one comes late.

The server runs in this process, on a free port of the loopback address; ``weft serve`` is the same server.

    python examples/shared_list.py
"""

from __future__ import annotations

import asyncio

import weft
from weft.server import MemoryRoomStorage, Server, allow_all


async def main() -> None:
    async with Server(auth=allow_all, storage=MemoryRoomStorage(), port=0) as server:
        address = f"{server.url}/groceries"
        async with weft.connect(address) as writer, weft.connect(address) as watcher:
            bought = asyncio.Event()

            @watcher.on_cell("items", None, "done")
            def tell(
                _store: weft.Store, _table: str, row_id: str, _cell: str, done: object, *_: object
            ) -> None:
                if done:
                    print(f"{row_id} is in the basket")
                    bought.set()

            with writer.transaction():
                writer.set_row("items", "milk", {"done": False})
                writer.set_row("items", "bread", {"loaves": 1})
            writer.set_cell("items", "milk", "done", True)
            await writer.sync.flush(timeout=10)
            await asyncio.wait_for(bought.wait(), 10)

        async with weft.connect(address) as latecomer:
            await latecomer.sync.wait_synced(timeout=10)
            for row_id in latecomer.get_sorted_row_ids("items"):
                print(f"the latecomer sees {row_id}: {latecomer.get_row('items', row_id)}")


if __name__ == "__main__":
    asyncio.run(main())
