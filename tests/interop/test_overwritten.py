"""Rooms in which one client wrote the same place thousands of times: everybody can join them.

What a room keeps is each write as it came. The binding merges what was written in a row, and a guard bounds
what that may take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Array, Doc, Map

from support.replicas import connected, mirrored
from weft.documents.yjs import create_doc
from weft.providers import YWebsocketProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.node import JsPeer
    from weft.server import Server

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

MANY = 5_000
CELL = ("tinybase", "t", "sensor", "one", "value")
LAST: dict[str, Any] = {"sensor": {"one": {"value": MANY - 1}}}


@pytest.fixture(autouse=True)
def never_compacted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a room is whose writes came slowly enough to be stored many at a time."""
    monkeypatch.setattr("weft.server._core.room_log._LIVE_ROWS", 1 << 30)
    monkeypatch.setattr("weft.server._core.room_log._IDLE_ROWS", 1 << 30)


@pytest.mark.parametrize("writer", ["pycrdt", "node"])
async def test_everybody_can_join_a_room_where_one_cell_was_written_again_and_again(
    weft_server: Server, join: Callable[..., Any], js_peer: JsPeer, tmp_path: Path, writer: str
) -> None:
    first = await join(weft_server.url, "farm")
    first.store.set_cell("sensor", "one", "value", -1)
    await first.provider.flush(timeout=20)
    if writer == "node":
        await js_peer("live.join", name="js", url=weft_server.url, room="farm")
        await js_peer("socket.wait", name="js", condition="synced")
        await js_peer("doc.edit.each", name="js", edits=[["set", CELL, number] for number in range(MANY)])
        await first.until_cell("sensor", "one", "value", MANY - 1)
    else:
        for number in range(MANY):
            first.store.set_cell("sensor", "one", "value", number)
        await first.provider.flush(timeout=60)
    peer = await join(weft_server.url, "farm")
    assert peer.store.get_tables() == LAST
    async with connected(tmp_path / "farm.weft", weft_server.url) as (_, store, _):
        assert store.get_tables() == LAST
    async with mirrored(tmp_path / "farm.weft") as (_, store):  # out of the file
        assert store.get_tables() == LAST
    async with weft_server.open("farm") as store:
        assert store.get_tables() == LAST


def write_all(doc: Doc[Any]) -> None:
    """What is written in a row, and deleted in part."""
    cells, values = doc.get("m", type=Map), doc.get("l", type=Array)
    for number in range(MANY // 2):
        cells["one"] = {"n": [number]}
    for number in range(MANY // 2):
        cells["grown"] = "x" * number
    for number in range(MANY // 2):
        values.append(number)
        if number >= 100:
            del values[0]


async def test_everybody_can_join_a_room_of_trimmed_lists_and_values_that_grow(weft_server: Server) -> None:
    written, keeps, forgets = create_doc(), create_doc(skip_gc=True), create_doc()
    async with YWebsocketProvider(written, weft_server.url, "farm") as provider:
        await provider.wait_synced(timeout=20)
        write_all(written)
        await provider.flush(timeout=60)
    for doc in (forgets, keeps):
        async with YWebsocketProvider(doc, weft_server.url, "farm") as provider:
            await provider.wait_synced(timeout=20)
            assert shown(doc) == shown(written)
    async with weft_server.open_document("farm") as doc:
        assert shown(doc) == shown(written)


def shown(doc: Doc[Any]) -> list[Any]:
    return [doc.get("m", type=Map).to_py(), doc.get("l", type=Array).to_py()]
