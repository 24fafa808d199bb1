"""The bytes before a websocket, over a real socket."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from support.servers import eventually, serving
from support.yclient import step1_frame
from weft.limits import ServerLimits
from weft.server.fronts.frames import control_frame

REQUEST = (
    b"GET /room HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def masked(message: bytes, kind: int = 2) -> bytes:
    frame = control_frame(kind, message)
    return bytes((frame[0], frame[1] | 0x80)) + bytes(4) + message


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_request_may_come_in_pieces_and_with_frames_behind_it(size: int) -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        data = REQUEST + masked(step1_frame(b"\0")) + masked(b"hello", 9)
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await writer.drain()
            await asyncio.sleep(0)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head  # RFC 6455, section 1.3
        answers = b""
        while not (b"\x8a\x05hello" in answers and b"\0\1" in answers):  # the pong, and a SyncStep2
            answers += await reader.readexactly(1)
        writer.close()
        await writer.wait_closed()
        await eventually(lambda: server.connections == 0)


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (REQUEST.replace(b"Version: 13", b"Version: 12"), b"400"),
        (REQUEST.replace(b"GET", b"POST"), b"405"),
        (REQUEST.replace(b"/room", b"/" + b"x" * 10_000), b"414"),
        (REQUEST.replace(b"Host: x", b"Host: " + b"x" * 10_000), b"431"),
        (REQUEST.replace(b"Host: x", b"\r\n".join(b"H%d: x" % n for n in range(200))), b"431"),
    ],
)
async def test_what_is_wrong_with_a_request_is_said(request_head: bytes, status: bytes) -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request_head)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 " + status)
        writer.close()
        await writer.wait_closed()


async def test_what_is_no_request_gets_no_answer() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"\x16\x03\x01 hello\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_who_says_nothing_is_cut_off() -> None:
    async with serving(auth_timeout=0.01, server_limits=ServerLimits(join_timeout=0.01)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_who_has_asked_for_nothing_does_not_hold_up_the_end() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /")
        await writer.drain()
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
