"""What stopped a server by its connections, sent to a real one that has 512 MiB, beside honest clients."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from support.abused import abused, honest_pair
from support.rawclient import masked, raw_client

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(240)

# A CBOR map with 15.9 million nulls, which took 20 seconds to be read.
_NULLS = b"\xa2\x64type\x64join\x61x\x9a\x00\xf2\x9d\xa0" + b"\xf6" * 15_900_000


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (masked(_NULLS), 1008),
        (b"".join(masked(_NULLS[:60_000], 2 * (not n), is_last=False) for n in range(2)), 1008),
        (masked(b"", 9) * 17, 1008),
        (masked(b"", 10) * 17, 1008),
        (masked(b"hello", 1) * 17, 1007),  # a text is TinyBase's, and this one none of its messages
        (masked(b"x" * 100_000, 1), 1008),
    ],
    ids=["message", "parts", "pings", "pongs", "texts", "text"],
)
async def test_who_has_not_introduced_itself_may_say_little(tmp_path: Path, data: bytes, code: int) -> None:
    with abused(tmp_path / "weft.sqlite3") as server:
        async with honest_pair(server.url):
            for _ in range(5):
                async with raw_client(server.port, "/") as client:
                    sending = asyncio.create_task(client.send(data))
                    assert await client.close_code() == code
                    sending.cancel()
                    with suppress(asyncio.CancelledError, OSError):
                        await sending


async def test_who_does_not_introduce_itself_is_let_go_however_it_goes_on(tmp_path: Path) -> None:
    with abused(tmp_path / "weft.sqlite3", "--join-timeout", "1") as server:
        async with honest_pair(server.url), raw_client(server.port, "/") as client:
            await client.send(masked(b"x" * 1000, 0x2, is_last=False))
            await client.send(masked(b"still here", 9))
            assert await client.close_code(echo_pings=True) == 1002
            assert b"still here" in client.received


@pytest.mark.parametrize("path", ["/", "/room"])
async def test_a_handshake_that_does_not_end_is_cut_off(tmp_path: Path, path: str) -> None:
    with abused(tmp_path / "weft.sqlite3", "--join-timeout", "1") as server:
        async with honest_pair(server.url):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost:".encode())
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()


@pytest.mark.parametrize("begun", [b"\x82", masked(b"x" * 1000, length=100_000), masked(b"x", is_last=False)])
async def test_a_message_that_does_not_end_is_given_up(tmp_path: Path, begun: bytes) -> None:
    with abused(tmp_path / "weft.sqlite3", "--message-timeout", "1") as server:
        async with honest_pair(server.url), raw_client(server.port) as client:
            await client.send(begun)
            assert await client.close_code(echo_pings=begun[:1] == b"\x02") == 1008
