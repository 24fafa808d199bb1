"""The front: what is let in, what is refused, and how a server ends."""

from __future__ import annotations

import asyncio
import http.client
import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from support.servers import FaultyStorage, eventually, serving
from support.yclient import YClient, update_frame
from weft._codecs.yjs.patterns import log_patterns, patterns
from weft.errors import StorageError
from weft.limits import Limits
from weft.server.auth import Allow, Deny, Request
from weft.server.storage.sqlite import SqliteRoomStorage

if TYPE_CHECKING:
    from pathlib import Path

    from weft.server.fronts.websocket import Server


async def refused(server: Server, target: str = "/room", **options: Any) -> tuple[int, str]:
    """The status and text of a refused handshake."""
    with pytest.raises(InvalidStatus) as caught:
        await connect(f"{server.url}{target}", **options)
    response = caught.value.response
    return response.status_code, (response.body or b"").decode()


async def get(server: Server, path: str) -> tuple[int, dict[str, str], bytes]:
    def ask() -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    return await asyncio.to_thread(ask)


# Health


@pytest.mark.parametrize("path", ["/", "/health", "/?verbose", "/health?x=1"])
async def test_a_health_check_is_answered_and_opens_no_room(path: str) -> None:
    async with serving() as server:
        status, headers, body = await get(server, path)
        assert (status, body) == (200, b"okay")
        assert headers["Cache-Control"] == "no-store"
        assert "Server" not in headers
        assert len(server.rooms) == 0


async def test_other_paths_are_for_websockets() -> None:
    async with serving() as server:
        status, _, _ = await get(server, "/room")
        assert status == 426
        assert len(server.rooms) == 0


async def test_without_the_extra_automerge_clients_are_told_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "automerge", None)
    for name in (
        "weft.server.automerge_repo.documents",
        "weft.server.automerge_repo.room",
        "weft.documents.automerge.log",
        "weft.documents.automerge.document",
        "weft.documents.automerge.binding",
    ):
        monkeypatch.delitem(sys.modules, name, raising=False)
    async with serving() as server:
        assert server.documents is None
        async with connect(f"{server.url}/?token=x") as socket:
            await socket.send(b"a message of automerge-repo's")
            await socket.wait_closed()
            assert socket.close_code == 4400
            assert "weft[automerge] is missing" in (socket.close_reason or "")
        async with YClient(server.url, "room") as client:
            await client.synced()


# Rooms by path


@pytest.mark.parametrize(
    "target", ["//..", "/%00", "/a%0Ab", "/..", "/%2e%2e%2fetc", "/a/../b", "/%ff", "/" + "x" * 513]
)
async def test_a_path_that_names_no_room_is_refused_before_the_upgrade(target: str) -> None:
    asked: list[Request] = []

    def auth(request: Request) -> Allow:
        asked.append(request)
        return Allow()

    async with serving(auth=auth) as server:
        status, text = await refused(server, target)
        assert status == 400
        assert "room name" in text
        assert not asked
        assert len(server.rooms) == 0


@pytest.mark.parametrize(
    ("one", "other"), [("a", "A"), ("a/b", "a"), ("é", "e\u0301"), ("a", "a "), ("a", "a/"), ("CON", "con")]
)
async def test_rooms_of_different_names_are_different(one: str, other: str) -> None:
    async with serving() as server, YClient(server.url, one) as first, YClient(server.url, other) as second:
        await first.set(x=1)
        await first.flush()
        await second.flush()
        assert second.content == {}


async def test_a_name_encoded_in_two_ways_is_one_room() -> None:
    async with serving() as server, YClient(server.url, "my room") as first:
        await first.set(x=1)
        async with connect(f"{server.url}/my%20roo%6D") as socket:
            await socket.send(b"\0\0\1\0")
            assert b"x" in [await socket.recv(), await socket.recv()][1]


async def test_hostile_names_touch_no_file(tmp_path: Path) -> None:
    storage = SqliteRoomStorage(tmp_path / "weft.sqlite3")
    async with serving(storage=storage) as server:
        for room in [
            "..\\..\\x",
            "/etc/passwd",
            "C:\\x",
            "'; DROP TABLE updates; --",
            "\\\\host\\x",
            "nul",
            "~",
        ]:
            async with YClient(server.url, room) as client:
                await client.set(name=room)
                await client.flush()
        names = {entry.name for entry in await asyncio.to_thread(lambda: list(tmp_path.iterdir()))}
        assert names <= {"weft.sqlite3", "weft.sqlite3-wal", "weft.sqlite3-shm"}
    async with (
        serving(storage=SqliteRoomStorage(tmp_path / "weft.sqlite3")) as server,
        YClient(server.url, "'; DROP TABLE updates; --") as client,
    ):
        await client.wait_for(name="'; DROP TABLE updates; --")


# Origin

SITE = "https://app.example.com"


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "http://app.example.com",
        "https://app.example.com:443",
        "https://APP.example.com",
        "https://app.example.com.evil.com",
        "https://evil.com/https://app.example.com",
        "https://evilapp.example.com",
        "https://app.example.com/",
        "https://xn--pp-7ka.example.com",
        "https://app.example.com, https://evil.com",
    ],
)
async def test_an_origin_that_is_not_on_the_list_is_refused_before_the_upgrade(origin: str | None) -> None:
    asked: list[Request] = []

    def auth(request: Request) -> Allow:
        asked.append(request)
        return Allow()

    headers = {} if origin is None else {"Origin": origin}
    async with serving(auth=auth, origins=[SITE]) as server:
        status, _ = await refused(server, additional_headers=headers)
        assert status == 403
        assert not asked
        assert len(server.rooms) == 0


async def test_two_origins_are_none() -> None:
    async with serving(origins=[SITE]) as server:
        status, _ = await refused(server, additional_headers=[("Origin", SITE), ("Origin", SITE)])
        assert status == 403


@pytest.mark.parametrize(
    ("origins", "origin"),
    [
        ([SITE], SITE),
        (["https://b.example", SITE], SITE),
        ([None, SITE], None),
        ([None], None),
        (None, SITE),
        (None, None),
    ],
)
async def test_an_origin_on_the_list_is_let_in(origins: Any, origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    async with (
        serving(origins=origins) as server,
        YClient(server.url, "room", additional_headers=headers) as client,
    ):
        await client.synced()


async def test_an_empty_list_lets_nobody_in() -> None:
    async with serving(origins=[]) as server:
        assert (await refused(server))[0] == 403


def test_one_string_is_not_a_list_of_origins() -> None:
    with pytest.raises(TypeError, match="list"):
        serving(origins=SITE)


# Authentication


async def test_the_hook_sees_who_asks_for_what() -> None:
    asked: list[Request] = []

    async def auth(request: Request) -> Allow:
        asked.append(request)
        return Allow()

    async with (
        serving(auth=auth) as server,
        connect(
            f"{server.url}/my%20room?token=t%201&token=2",
            additional_headers={"Origin": SITE, "X-Forwarded-For": "10.0.0.1", "Cookie": "a=b"},
        ),
    ):
        await eventually(lambda: asked != [])
    (request,) = asked
    assert request.room == "my room"
    assert request.query == {"token": "t 1"}
    assert request.origin == SITE
    assert request.headers["cookie"] == "a=b"
    assert request.remote.startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("decision", "code", "reason"),
    [
        (Deny(), 4403, "not permitted"),
        (Deny("token expired", 4401), 4401, "token expired"),
        (Deny("x" * 300, 4400), 4400, "x" * 123),
        (Deny("é" * 100, 4400), 4400, "é" * 61),
    ],
)
async def test_who_is_denied_learns_the_code_and_gets_nothing(decision: Deny, code: int, reason: str) -> None:
    storage = FaultyStorage()
    async with serving(auth=lambda _: decision, storage=storage) as server:
        async with YClient(server.url, "room") as client:
            assert await client.wait_closed() == code
            assert client.close_reason == reason
            assert client.frames == []
        assert len(server.rooms) == 0
        assert storage.loads == {}


def _fail(request: Request) -> Allow:
    raise RuntimeError("the users are gone")


async def _never(request: Request) -> Allow:
    await asyncio.Event().wait()
    return Allow()


@pytest.mark.parametrize("auth", [_fail, _never, lambda _: True])
async def test_a_hook_that_gives_no_decision_denies_but_not_for_ever(auth: Any) -> None:
    storage = FaultyStorage()
    async with serving(auth=auth, auth_timeout=0.05, storage=storage) as server:
        async with YClient(server.url, "room") as client:
            assert await client.wait_closed() == 1013
            assert client.frames == []
        assert storage.loads == {}


async def test_nothing_is_read_or_opened_before_the_decision() -> None:
    storage = FaultyStorage()
    asked, decide = asyncio.Event(), asyncio.Event()

    async def auth(request: Request) -> Allow:
        asked.set()
        await decide.wait()
        return Allow()

    async with serving(auth=auth, storage=storage) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"GET /room HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await asked.wait()
        # Who floods before it is let in fills its own socket's buffers, not the server's memory.
        writer.write(bytes(64 * 1024 * 1024))
        for _ in range(5):
            await get(server, "/health")
        assert writer.transport.get_write_buffer_size() > 32 * 1024 * 1024
        assert storage.loads == {}
        assert len(server.rooms) == 0
        writer.transport.abort()
        decide.set()
        assert reader is not None
    assert storage.loads in ({}, {"room": 1})


async def test_a_connection_may_have_limits_of_its_own() -> None:
    def auth(request: Request) -> Allow:
        return Allow(limits=Limits(max_message=500) if request.query else None)

    async with serving(auth=auth) as server:
        async with YClient(server.url, "room") as client:
            await client.set(x="x" * 1000)
            await client.flush()
        async with connect(f"{server.url}/room?small=1") as socket:
            await socket.send(update_frame(bytes(1000)))
            await socket.wait_closed()
            assert socket.protocol.close_code == 1009
            assert socket.protocol.close_reason == "message of 1004 bytes exceeds limit of 500 bytes"


async def test_serving_forever_ends_when_the_server_is_closed() -> None:
    async with serving() as server:
        forever = asyncio.create_task(server.serve_forever())
        async with YClient(server.url, "room") as client:
            await client.synced()
        assert not forever.done()
    await forever


# What comes in


async def test_a_message_beyond_the_limit_ends_the_connection_with_1009_and_is_loud(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(limits=Limits(max_message=1000)) as server, YClient(server.url, "room") as client:
        await client.synced()
        await client.send(update_frame(bytes(2000)))
        assert await client.wait_closed() == 1009
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "what it sent is larger than max_message (1009 frame with 2004 bytes" in record.getMessage()


# Start and end


async def test_a_taken_port_is_an_error_and_storage_is_closed_again() -> None:
    storage = FaultyStorage()
    async with serving() as server:
        second = serving(storage=storage)
        second._port = server.port
        with pytest.raises(OSError, match="address already in use"):
            await second.start()
        assert not storage.is_open
        await second.close()


async def test_a_storage_that_does_not_open_is_an_error_and_nobody_listens(tmp_path: Path) -> None:
    server = serving(storage=SqliteRoomStorage(tmp_path))
    with pytest.raises(StorageError):
        await server.start()
    await server.close()


async def test_what_reads_updates_is_compiled_when_the_server_starts() -> None:
    patterns.cache_clear()
    log_patterns.cache_clear()
    async with serving():
        assert patterns.cache_info().currsize == log_patterns.cache_info().currsize == 1


async def test_a_server_starts_once() -> None:
    async with serving() as server:
        with pytest.raises(RuntimeError, match="once"):
            await server.start()


async def test_closing_twice_is_closing_once() -> None:
    server = serving()
    await server.start()
    await asyncio.gather(server.close(), server.close())
    await server.close()


async def test_clients_are_told_that_the_server_restarts() -> None:
    async with serving() as server, YClient(server.url, "room") as client:
        await client.synced()
        closing = asyncio.create_task(server.close())
        assert await client.wait_closed() == 1012
        await closing


async def test_a_closed_server_takes_nobody() -> None:
    server = serving()
    await server.start()
    url = server.url
    await server.close()
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await connect(f"{url}/room")


async def test_what_was_sent_before_the_close_is_processed_and_stored(tmp_path: Path) -> None:
    path = tmp_path / "weft.sqlite3"
    server = serving(storage=SqliteRoomStorage(path))
    await server.start()
    async with YClient(server.url, "room") as client:
        await client.synced()
        for number in range(2000):
            await client.set(**{f"k{number}": number})
        await server.close()
        assert await client.wait_closed() == 1012
    async with serving(storage=SqliteRoomStorage(path)) as server, YClient(server.url, "room") as client:
        await client.synced()
        assert len(client.content) == 2000


async def test_closing_waits_for_storage_and_says_what_failed() -> None:
    storage = FaultyStorage()
    server = serving(storage=storage)
    await server.start()
    async with YClient(server.url, "room") as client:
        await client.synced()
        storage.writing.clear()
        await client.set(x=1)
        await eventually(lambda: storage._ticket == 1)
        closing = asyncio.create_task(server.close())
        await client.wait_closed()
        assert not closing.done()
        storage.writing.set()
        await closing
        assert not storage.is_open


async def test_a_storage_that_hangs_does_not_hang_the_server() -> None:
    storage = FaultyStorage()
    server = serving(storage=storage, shutdown_timeout=0.2)
    await server.start()
    async with YClient(server.url, "room") as client:
        await client.synced()
        storage.writing.clear()
        await client.set(x=1)
        await eventually(lambda: storage._ticket == 1)
        with pytest.raises(StorageError, match=r"within 0\.2 s"):
            await server.close()
        storage.writing.set()


async def test_a_client_that_does_not_answer_the_close_is_cut_off() -> None:
    server = serving(shutdown_timeout=0.2)
    await server.start()
    async with YClient(server.url, "room") as client:
        await client.synced()
        client.socket.transport.pause_reading()
        await server.close()
        assert server.connections == 0
        client.socket.transport.resume_reading()
        await client.wait_closed()


async def test_a_client_that_is_loading_its_room_does_not_stop_the_end() -> None:
    storage = FaultyStorage()
    server = serving(storage=storage, shutdown_timeout=0.2)
    await server.start()
    storage.loading.clear()
    async with YClient(server.url, "room"):
        await eventually(lambda: storage.loads == {"room": 1})
        closing = asyncio.create_task(server.close())
        await eventually(lambda: server.connections == 0)
        storage.loading.set()
        await closing


async def test_logs_hold_no_content_no_token_and_no_line_ends_of_peers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "weft")

    def auth(request: Request) -> Allow | Deny:
        return Deny("go away") if "bad" in request.query.get("token", "") else Allow()

    async with serving(auth=auth) as server:
        async with YClient(server.url, "secret") as client:
            await client.set(key="CONTENT-OF-THE-DOCUMENT")
            await client.flush()
            await client.send(b"\0\2\5CONTE")
            await client.wait_closed()
        async with connect(f"{server.url}/r%E2%80%8B?token=bad-TOKEN") as socket:
            await socket.wait_closed()
    assert caplog.records
    for record in caplog.records:
        text = record.getMessage()
        assert "CONTENT" not in text
        assert "TOKEN" not in text
        assert "\n" not in text
        assert len(text) < 600
