"""More connections than there are descriptors for, or than a server takes."""

from __future__ import annotations

import logging
import resource
import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from support.rawclient import raw_client
from support.servers import eventually, serving
from support.serving import WeftServe
from support.yclient import YClient
from weft.limits import ServerLimits
from weft.server.fronts.descriptors import accepts_at_once, max_descriptors

if TYPE_CHECKING:
    from pathlib import Path

_FEW = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
{}
from weft import cli
sys.exit(cli.main(sys.argv[1:]))
"""


def test_some_descriptors_are_kept_free() -> None:
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert 0 < max_descriptors() < soft
    assert 4 <= accepts_at_once() <= 64


async def test_who_comes_beyond_the_cap_is_cut_off_and_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "weft.server")
    async with (
        serving(server_limits=ServerLimits(max_connections=2)) as server,
        YClient(server.url, "room") as one,
    ):
        await one.synced()
        async with YClient(server.url, "room") as other:
            await other.synced()
            for _ in range(5):
                with suppress(OSError):
                    async with raw_client(server.port):
                        raise AssertionError("it was let in")
        await eventually(lambda: server.connections == 1)
        async with YClient(server.url, "room") as other:
            await other.synced()
    assert [record.name for record in caplog.records].count("weft.server") == 1
    assert "max_connections" in caplog.text


@pytest.mark.parametrize("line", ["", "sys.modules['uvloop'] = None"], ids=["uvloop", "asyncio"])
async def test_a_server_without_descriptors_goes_on_quietly(tmp_path: Path, line: str) -> None:
    program = ("-c", _FEW.format(line))
    with WeftServe(tmp_path / "weft.sqlite3", program=program) as server, ExitStack() as stack:
        async with YClient(server.url, "room") as one, YClient(server.url, "room") as other:
            await one.synced()
            await other.synced()
            for _ in range(200):
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            await one.set(x=1)
            await other.wait_for(x=1)
            await one.flush()
        # Those who have a place are left alone, and the others wait.
        assert server.log.count("others wait until some have gone") == 1
        stack.close()
        async with YClient(server.url, "room") as late:
            await late.wait_for(x=1)
        assert server.log.count("max_connections") == 1
        assert "Traceback" not in server.log
        assert len(server.log) < 2_000
