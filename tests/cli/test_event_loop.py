from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from support.serving import WeftServe
from support.yclient import YClient
from weft.cli.event_loop import new_event_loop

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("is_installed", [True, False])
def test_it_is_uvloop_where_that_is_installed(is_installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_installed:
        monkeypatch.setitem(sys.modules, "uvloop", None)
    loop = new_event_loop()
    try:
        assert type(loop).__module__.startswith("uvloop" if is_installed else "asyncio")
    finally:
        loop.close()


@pytest.mark.parametrize("is_installed", [True, False])
async def test_the_server_serves_on_either_and_stops_in_order(tmp_path: Path, is_installed: bool) -> None:
    hide = "" if is_installed else "sys.modules['uvloop'] = None;"
    program = f"import sys; {hide} from weft.cli import main; sys.exit(main(sys.argv[1:]))"
    server = await asyncio.to_thread(WeftServe, tmp_path / "rooms.sqlite3", program=["-c", program])
    with server:
        async with YClient(server.url, "room") as one, YClient(server.url, "room") as two:
            await one.set(large="x" * 3_000_000)
            await one.flush()
            await two.wait_for(large="x" * 3_000_000)
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            assert await one.wait_closed() == 1012
            assert await two.wait_closed() == 1012
            await stopping
