"""More connections than there are descriptors for, or than a server takes."""

from __future__ import annotations

import asyncio
import errno
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
from weft.server.fronts.listener import Listener

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


async def test_what_cannot_be_resumed_stays_paused_says_so_once_and_can_be_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.server.fronts.listener._AGAIN", 0)
    listener = Listener(asyncio.Protocol, tls=None, open_timeout=1, close_timeout=1)
    await listener.open("127.0.0.1", 0)
    port = listener.port
    listener.pause()
    serve, copies = listener._serve, list[socket.socket]()

    async def fail(*, sock: socket.socket) -> asyncio.Server:
        copies.append(sock)
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(listener, "_serve", fail)
    for _ in range(3):
        await listener.resume()
        assert listener.is_paused
    assert [copy.fileno() for copy in copies] == [-1, -1, -1]
    assert caplog.text.count("cannot accept connections again") == 1
    monkeypatch.setattr(listener, "_serve", serve)
    await listener.resume()
    assert not listener.is_paused
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()
    listener.close()


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
