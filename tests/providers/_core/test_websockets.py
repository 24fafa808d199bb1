from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Never

import pytest
from websockets.asyncio.server import ServerConnection, serve

from weft.errors import ConnectError, ConnectionClosedError
from weft.providers._core import websockets as websockets_module
from weft.providers._core.websockets import WebsocketsConnection, WebsocketsTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from websockets.http11 import Request, Response

CERTIFICATE = Path(__file__).parents[2] / "support" / "tls" / "localhost.pem"


async def connect(
    url: str,
    transport: WebsocketsTransport | None = None,
    *,
    max_size: int = 1 << 20,
    open_timeout: float = 20.0,
) -> WebsocketsConnection:
    transport = WebsocketsTransport() if transport is None else transport
    return await transport.connect(
        url,
        headers=[("X-A", "1"), ("X-A", "2")],
        subprotocols=["b", "a"],
        max_size=max_size,
        open_timeout=open_timeout,
    )


@asynccontextmanager
async def serving(
    handler: Callable[[ServerConnection], Awaitable[None]], **options: object
) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, **options) as server:  # type: ignore[arg-type]
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[int]:
    """A TCP server that answers anything with the same bytes and ends the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def test_messages_pass_both_ways_and_the_handshake_carries_what_was_given() -> None:
    seen: list[Request] = []

    async def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request)
        await echo(connection)

    async with serving(handler, subprotocols=["a", "b"]) as url:
        connection = await connect(f"{url}/base/room?token=1")
        for message in (b"binary", "text", b"", b"x" * 200_000):
            await connection.send(message)
            assert await connection.recv() == message
        assert connection.subprotocol == "a"
        await connection.close()
    assert seen[0].path == "/base/room?token=1"
    assert seen[0].headers.get_all("X-A") == ["1", "2"]
    assert "permessage-deflate" not in seen[0].headers.get("Sec-WebSocket-Extensions", "")


@pytest.mark.parametrize(
    ("status", "said"), [(401, "credentials"), (403, "allow"), (404, "nothing"), (503, "not avail")]
)
async def test_a_refused_handshake_is_told_in_a_sentence_without_secrets(status: int, said: str) -> None:
    def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(HTTPStatus(status), "no\n")

    async with serving(echo, process_request=refuse) as url:
        with pytest.raises(ConnectError, match=said) as caught:
            await connect(f"{url}/room?token=secret")
    assert caught.value.status == status
    assert caught.value.url == f"{url}/room"
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("status", [429, 503])
async def test_when_a_server_wants_to_be_asked_again_is_told(status: int) -> None:
    def refuse(connection: ServerConnection, _: Request) -> Response:
        response = connection.respond(HTTPStatus(status), "busy\n")
        response.headers["Retry-After"] = "17"
        return response

    async with serving(echo, process_request=refuse) as url:
        with pytest.raises(ConnectError) as caught:
            await connect(url)
    assert caught.value.retry_after == 17.0


async def test_no_server_is_a_refused_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(ConnectError) as caught:
            await connect(f"ws://{host}:{port}/room")
        assert str(caught.value) == f"cannot connect to ws://{host}:{port}/room: connection refused"
        assert caught.value.status is None


async def test_an_unknown_host_is_told() -> None:
    with pytest.raises(ConnectError, match=r"cannot connect to ws://nowhere\.invalid/: .*name") as caught:
        await connect("ws://nowhere.invalid/")
    assert isinstance(caught.value.__cause__, socket.gaierror)


async def test_a_server_that_stays_silent_runs_out_of_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(ConnectError, match=r"no answer within 0\.01 s"):
            await connect(url, open_timeout=0.01)


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"HTTP/1.1 999"]
)
async def test_a_server_that_speaks_something_else_is_told(answer: bytes) -> None:
    async with raw_server(answer) as port:
        with pytest.raises(ConnectError, match="does not answer as a websocket"):
            await connect(f"ws://127.0.0.1:{port}/")


async def test_a_status_without_a_websocket_is_told() -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi") as port:
        with pytest.raises(ConnectError, match="HTTP 200"):
            await connect(f"ws://127.0.0.1:{port}/")


def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


async def test_tls_connects_with_a_trusted_certificate() -> None:
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    async with serving(echo, ssl=tls()) as url:
        connection = await connect(url.replace("ws://", "wss://"), WebsocketsTransport(ssl=trusting))
        await connection.send(b"secret")
        assert await connection.recv() == b"secret"
        await connection.close()


async def test_a_certificate_that_is_not_trusted_is_told() -> None:
    def serve_once() -> None:
        accepted, _ = listener.accept()
        # In a thread, because asyncio's server side reports the failed handshake as an error of its own.
        with accepted, suppress(OSError), tls().wrap_socket(accepted, server_side=True):
            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = asyncio.create_task(asyncio.to_thread(serve_once))
        with pytest.raises(ConnectError, match=r"TLS failed: .*certificate"):
            await connect(f"wss://127.0.0.1:{listener.getsockname()[1]}/")
        await server


async def test_a_server_without_tls_is_told() -> None:
    async with raw_server(b"no TLS here") as port:
        with pytest.raises(ConnectError, match="TLS failed"):
            await connect(f"wss://127.0.0.1:{port}/")


async def test_tls_settings_do_not_get_in_the_way_of_plain_connections() -> None:
    async with serving(echo) as url:
        connection = await connect(url, WebsocketsTransport(ssl=ssl.create_default_context()))
        await connection.close()


async def test_the_loopback_is_reached_without_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dead = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, dead)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with serving(echo) as url:
        await (await connect(url)).close()
    with pytest.raises(ConnectError, match="connection refused"):
        await connect("ws://198.51.100.1/")  # would time out without the proxy


async def test_a_proxy_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with raw_server(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        with pytest.raises(ConnectError, match=r"the proxy refused \(HTTP 407\)") as caught:
            await connect("ws://198.51.100.1/")
    assert caught.value.status is None, "not the server's word, so not final"


@pytest.mark.parametrize(("code", "permanent"), [(1000, False), (1001, False), (4400, True), (4500, False)])
async def test_the_servers_close_code_and_reason_are_told(code: int, permanent: bool) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(b"last")
        await connection.close(code, "because")

    async with serving(handler) as url:
        connection = await connect(url)
        assert await connection.recv() == b"last"
        for attempt in (connection.recv, lambda: connection.send(b"x")):
            with pytest.raises(ConnectionClosedError) as caught:
                await attempt()
            error = caught.value
            assert (error.code, error.reason, error.permanent) == (code, "because", permanent)
        await connection.close()
        await connection.abort()


async def test_a_connection_that_breaks_is_code_1006() -> None:
    async def handler(connection: ServerConnection) -> None:
        connection.transport.abort()
        await connection.wait_closed()

    async with serving(handler) as url:
        connection = await connect(url)
        with pytest.raises(ConnectionClosedError) as caught:
            await connection.recv()
        assert caught.value.code == 1006


async def test_a_message_over_the_bound_ends_the_connection_with_1009() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(b"12345")
        await connection.wait_closed()

    async with serving(handler) as url:
        connection = await connect(url, max_size=4)
        with pytest.raises(ConnectionClosedError) as caught:
            await connection.recv()
        assert caught.value.code == 1009


async def test_an_unanswered_ping_ends_the_connection() -> None:
    never = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A handshake, and then nothing: the peer is there and does not react.
        from websockets.server import ServerProtocol

        protocol = ServerProtocol()
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        protocol.send_response(protocol.accept(protocol.events_received()[0]))  # type: ignore[arg-type]
        writer.writelines(protocol.data_to_send())
        await never.wait()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    transport = WebsocketsTransport(ping_interval=0.01, ping_timeout=0.01, close_timeout=0.01)
    connection = await connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", transport)
    with pytest.raises(ConnectionClosedError, match="ping timeout") as caught:
        await connection.recv()
    assert caught.value.code == 1011
    never.set()
    server.close()
    await server.wait_closed()


async def fill(connection: WebsocketsConnection) -> Never:
    """Send until the peer's buffers are full, and on."""
    while True:
        await connection.send(b"x" * (1 << 20))


async def fill_up(connection: WebsocketsConnection) -> None:
    """Send until the peer's buffers are full; the last message is cancelled on its way."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await fill(connection)


class Stalled:
    """A server that completes the handshake and then reads nothing until told."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def handler(self, connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await self.go.wait()
        connection.transport.resume_reading()
        async for _ in connection:
            pass


async def test_a_peer_that_takes_no_data_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websockets_module, "_STALL_S", 0.01)
    stalled = Stalled()
    async with serving(stalled.handler) as url:
        # Pings cannot help: they wait behind the data.
        connection = await connect(url, WebsocketsTransport(ping_interval=None))
        with pytest.raises(ConnectionClosedError, match="took no data") as caught:
            await fill(connection)
        assert caught.value.code == 1006
        stalled.go.set()


async def test_a_slow_peer_makes_the_sender_wait_and_a_cancelled_send_leaves_the_connection_whole() -> None:
    stalled = Stalled()
    async with serving(stalled.handler, max_size=None) as url:
        connection = await connect(url)
        await fill_up(connection)
        stalled.go.set()
        await connection.send(b"y")
        await connection.close()


async def test_closing_a_connection_whose_peer_reads_nothing_takes_bounded_time() -> None:
    stalled = Stalled()
    async with serving(stalled.handler) as url:
        connection = await connect(url, WebsocketsTransport(close_timeout=0.01))
        await fill_up(connection)
        await connection.close()
        with pytest.raises(ConnectionClosedError):
            await connection.recv()
        stalled.go.set()


async def test_a_cancelled_handshake_leaves_nothing_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dialing = asyncio.create_task(connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/"))
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        accepted, _ = await loop.sock_accept(listener)
        dialing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialing
        # The peer sees the end of the connection.
        with accepted:
            accepted.setblocking(False)
            try:
                while await loop.sock_recv(accepted, 1 << 16):
                    pass
            except ConnectionResetError:
                pass
