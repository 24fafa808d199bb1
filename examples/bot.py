"""A bot that edits along with people: it gives each item of a todo list to whoever is named in it.

"Buy milk @ben" gets the owner "ben". It writes into a cell of its own, so it is never in the way of who edits
the text, and says that it is here as people do (``store.presence``).

    weft serve
    python examples/bot.py
"""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import suppress

import weft


async def main(address: str) -> None:
    async with weft.connect(address) as store:
        store.presence.me["user"] = {"name": "bot", "color": "#888"}

        # A mutator is a listener that may write. What is there already comes as a change as well.
        @store.on_cell("todos", None, "text", mutator=True)
        def assign(
            _store: weft.Store, table_id: str, row_id: str, _cell: str, text: object, *_: object
        ) -> None:
            named = re.search(r"@(\w+)", str(text))
            if named and store.get_cell(table_id, row_id, "owner") != named[1]:
                store.presence.set_cursor(table_id, row_id, "owner")
                store.set_cell(table_id, row_id, "owner", named[1])
                print(f"{named[1]} has to: {text}", flush=True)

        await asyncio.Event().wait()  # until it is interrupted


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:1234/todo"))
