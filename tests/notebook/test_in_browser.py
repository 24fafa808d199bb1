"""The widget in Chromium: a notebook that a kernel runs, in a room with a peer who edits at the same time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.live import LivePeer, until
from support.notebooks import NotebookPage
from weft.server import MemoryRoomStorage, Server, allow_all

if TYPE_CHECKING:
    from support.node import JsPeer

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "live_table.ipynb"
URL = "ws://127.0.0.1:1234"
# What a test asks of the notebook besides: to close the table, and to say what still listens then.
CLOSE = """
import asyncio

loop = asyncio.get_running_loop()
before = store.get_listener_stats()


@store.on_value("close")
def close(*_):  # in the thread of weft
    loop.call_soon_threadsafe(end)


def end():
    table.close()
    close.unsubscribe()
    after = store.get_listener_stats()
    ended = {kind: before[kind] - after[kind] for kind in before if before[kind] > after[kind]}
    store.set_value("ended", ended)
"""


def example(url: str) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(EXAMPLE.read_text(encoding="utf-8").replace(URL, url))
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "close",
        "metadata": {},
        "outputs": [],
    }
    notebook["cells"].append(cell | {"source": CLOSE})
    return notebook


@pytest.mark.interop
@pytest.mark.timeout(120)
async def test_a_table_changes_as_peers_edit_and_is_edited(
    tmp_path: Path, js_peer: JsPeer, chromium: str
) -> None:
    async with (
        Server(auth=allow_all, storage=MemoryRoomStorage(), port=0) as server,
        LivePeer(server.url, "farm") as peer,
    ):
        await peer.provider.wait_synced(timeout=20)
        store = peer.store
        store.set_table("pets", {f"pet{at}": {"species": f"<b>{at:02}</b>", "price": at} for at in range(45)})
        async with NotebookPage(tmp_path, example(server.url)) as page:
            try:
                await _use(js_peer, peer, page.url, chromium)
            finally:
                await js_peer("page.closeAll")


async def _use(js: JsPeer, peer: LivePeer, url: str, chromium: str) -> None:
    async def on_page(op: str, **arguments: Any) -> Any:
        return await js(f"page.{op}", name="notebook", timeout=30, **arguments)

    store = peer.store
    await on_page("open", url=url, chromium=chromium)
    await on_page("wait", selector=".weft-count", text="1 to 20 of 45 rows")
    # Whatever a cell holds is text and not HTML.
    row = "tbody tr:nth-child(2)"
    assert await on_page("texts", selector=f".weft-live {row} > *") == ["pet1", "<b>01</b>", "1"]

    # A peer edits, adds and deletes.
    with store.transaction():
        store.set_cell("pets", "pet1", "price", 1000)
        store.set_row("pets", "new", {"species": "cat", "price": -1})
        store.del_row("pets", "pet0")
    await on_page("wait", selector=".weft-live tbody tr:first-child td", text="1000")
    await on_page("wait", selector=".weft-count", text="1 to 20 of 45 rows")

    # What is typed is checked, and reaches the peer.
    price = ".weft-live tbody tr:first-child td:nth-child(3)"
    await on_page("click", selector=price, twice=True)
    await on_page("fill", selector=f"{price} input", text="dear")
    await on_page("press", key="Enter")
    await on_page("wait", selector=".weft-error", text="pet1 price: this must be a number")
    await on_page("fill", selector=f"{price} input", text="77")
    await on_page("press", key="Enter")
    await on_page("wait", selector=".weft-live input", gone=True)
    assert await on_page("text", selector=price) == "77"
    await peer.until_cell("pets", "pet1", "price", 77)
    # A column that was not asked for is no field.
    await on_page("click", selector=".weft-live tbody tr:first-child td:nth-child(2)", twice=True)
    assert await on_page("texts", selector=".weft-live input") == []
    # Escape gives up, and a peer's edit shows when the editing ends.
    await on_page("click", selector=price, twice=True)
    store.set_cell("pets", "pet1", "price", 78)
    await on_page("wait", selector=f"{price} input")
    await on_page("press", key="Escape")
    await on_page("wait", selector=price, text="78")

    # Sorted, and another page.
    head = ".weft-live th[data-column=price]"
    await on_page("click", selector=head)
    await on_page("wait", selector=".weft-live tbody tr:first-child th", text="new")
    await on_page("click", selector=head)
    await on_page("wait", selector=".weft-live tbody tr:first-child th", text="pet1")
    store.set_cell("pets", "pet9", "price", 5000)
    await on_page("wait", selector=".weft-live tbody tr:first-child th", text="pet9")
    await on_page("click", selector=".weft-next")
    await on_page("wait", selector=".weft-count", text="21 to 40 of 45 rows")

    # Closing takes it from the page and stops listening.
    store.set_value("close", True)
    await on_page("wait", selector=".weft-live", gone=True)
    await until(
        lambda: store.get_value("ended") is not None,
        lambda hear: store.on_values()(hear).unsubscribe,
        "the notebook's answer",
    )
    assert store.get_value("ended") == {"transaction": 1}
    assert await on_page("errors") == []
