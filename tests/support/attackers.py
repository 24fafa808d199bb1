"""Clients that want to stop a server: what each does, to be measured and to be tested.

``python -m support.attackers NAME URL SECONDS`` is one of them, in a process of its own that is nice.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from support.attacks import KEPT, REFUSED, far_too_many_clients
from support.automerge_chunks import BACKWARDS, cbor_flood
from support.rawclient import RawClient, masked, raw_client
from support.yclient import awareness_frame, step1_frame, update_frame
from support.ywriter import item, key_item, section, update
from weft._codecs.automerge.change_builder import ChangeBuilder
from weft._codecs.automerge.chunks import split_chunks
from weft._codecs.automerge.sync_message import make_sync_message
from weft._codecs.yjs.lib0 import Writer
from weft.protocols.automerge_repo import encode_document_id
from weft.protocols.automerge_repo.cbor import encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
    from typing import TypeAlias

    Attack: TypeAlias = Callable[["Attacked"], Awaitable[None]]

__all__ = ["ATTACKS", "DOCUMENT", "ROOM", "Attacked"]

ROOM = "attacked"
"""Where those are who speak y-websocket's protocol."""
DOCUMENT = encode_document_id(b"attacked".ljust(16))
"""What the others speak of."""

_MIB = 1024 * 1024
_SYSTEM_BUFFER = 4096  # bytes that the system takes for a client that does not read
_DONE = b"done"


@dataclass(frozen=True)
class Attacked:
    """A server, and for how many seconds what could go on for ever does."""

    url: str
    seconds: float

    @property
    def port(self) -> int:
        """Where it listens."""
        port = urlsplit(self.url).port
        assert port is not None
        return port


async def _take_all(client: RawClient) -> None:
    """Read until the answer to the last ping, or the end."""
    tail = b""
    with suppress(OSError):
        while _DONE not in tail:
            data = await asyncio.get_running_loop().sock_recv(client.socket, _MIB)
            if not data:
                return
            tail = (tail + data)[-_MIB:]


async def _say(server: Attacked, data: Iterable[bytes], path: str = f"/{ROOM}") -> None:
    """Send frames on one connection, and leave when the server has taken them in, or has ended it."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(4 * server.seconds + 2), raw_client(server.port, path) as client:
            reading = asyncio.create_task(_take_all(client))
            try:
                for each in data:
                    await client.send(each)
                await client.send(masked(_DONE, 9))
            finally:
                with suppress(TimeoutError):
                    await asyncio.wait_for(reading, server.seconds + 2)


async def _flood(
    server: Attacked, data: bytes | Callable[[int], Iterator[bytes]], *, clients: int = 20, reads: bool = True
) -> None:
    """Send the same, or what each client makes, on a new connection whenever the last one has been ended."""
    end = asyncio.get_running_loop().time() + server.seconds
    buffer = 0 if reads else _SYSTEM_BUFFER

    async def go_on(chunks: Iterator[bytes]) -> None:
        async with asyncio.timeout_at(end), raw_client(server.port, f"/{ROOM}", buffer=buffer) as client:
            reading = asyncio.create_task(_take_all(client)) if reads else None
            try:
                while reading is None or not reading.done():
                    await client.send(next(chunks))
                    await asyncio.sleep(0)  # what fits into the system's buffer is sent without a pause
            finally:
                if reading is not None:
                    reading.cancel()

    async def one(number: int) -> None:
        chunks = itertools.repeat(data) if isinstance(data, bytes) else data(number)
        while asyncio.get_running_loop().time() < end:
            with suppress(OSError, TimeoutError):
                await go_on(chunks)

    await asyncio.gather(*map(one, range(clients)))


async def _stay(server: Attacked, data: Iterable[bytes], *, path: str = f"/{ROOM}", clients: int) -> None:
    """Send frames on each of many connections, and read nothing."""
    frames = list(data)

    async def one(client: RawClient) -> None:
        with suppress(OSError):
            for each in frames:
                await client.send(each)

    async with AsyncExitStack() as stack:
        joined = []
        for _ in range(clients):
            with suppress(OSError):
                joined.append(
                    await stack.enter_async_context(raw_client(server.port, path, buffer=_SYSTEM_BUFFER))
                )
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*map(one, joined)), server.seconds)
        await asyncio.sleep(server.seconds / 2)


# Connections


async def tiny_updates(server: Attacked) -> None:
    """20 clients that write one struct a message as fast as they can."""

    def made(number: int) -> Iterator[bytes]:
        for first in itertools.count(0, 100):
            clocks = range(first, first + 100)
            yield b"".join(
                masked(update_frame(update(section(1_000 + number, clock, key_item("k")))))
                for clock in clocks
            )

    await _flood(server, made)


async def tiny_frames(server: Attacked) -> None:
    """20 clients whose messages come in frames of one byte."""
    message = update_frame(update(section(1, 0, key_item("k"))))
    last = len(message) - 1
    parts = [masked(message[at : at + 1], 2 * (not at), is_last=at == last) for at in range(last + 1)]
    await _flood(server, b"".join(parts) * 100)


async def empty_frames(server: Attacked) -> None:
    """20 clients of one message each that has ever more frames with nothing in them."""
    await _flood(server, masked(b"", 2, is_last=False) + masked(b"", 0, is_last=False) * 10_000)


async def text_frames(server: Attacked) -> None:
    await _flood(server, masked(b"hello", 1) * 1_000)


async def pings(server: Attacked) -> None:
    await _flood(server, masked(b"hello", 9) * 1_000)


async def unread_pings(server: Attacked) -> None:
    """20 clients that send pings of 125 bytes and do not read the pongs."""
    await _flood(server, masked(b"x" * 125, 9) * 1_000, reads=False)


async def questions(server: Attacked) -> None:
    await _flood(server, masked(step1_frame(b"\0")) * 1_000)


async def unread_questions(server: Attacked) -> None:
    """C6: questions for 4 MB of states whose answers are not read."""
    states = awareness_frame(dict.fromkeys(range(60), (1, "x" * 4_000)))
    await _say(server, [masked(step1_frame(b"\0")) + masked(states)])
    await _flood(server, masked(states) + masked(b"\3") * 20_000, clients=5, reads=False)


async def awareness_to_unread(server: Attacked) -> None:
    """States that change all the time, to who does not read them."""
    staying = asyncio.create_task(_stay(server, [masked(step1_frame(b"\0"))], clients=5))
    frames = b"".join(
        masked(awareness_frame(dict.fromkeys(range(60), (clock, "x" * 4_000)))) for clock in range(1, 20)
    )
    await _flood(server, frames, clients=2)
    await staying


async def unread_joins(server: Attacked) -> None:
    """100 clients that join a room with much awareness and a large document, and do not read."""
    states = awareness_frame(dict.fromkeys(range(60), (1, "x" * 4_000)))
    large = update(section(7, 0, item(4, Writer().string("x" * 12 * _MIB).finish())))
    async with raw_client(server.port, f"/{ROOM}") as client:
        reading = asyncio.create_task(_take_all(client))
        with suppress(OSError):
            await client.send(masked(step1_frame(b"\0")) + masked(states) + masked(update_frame(large)))
        await _stay(server, [masked(step1_frame(b"\0"))], clients=100)
        reading.cancel()
        await asyncio.wait([reading])


async def halves(server: Attacked) -> None:
    """80 clients that send the first half of a message of 16 MiB."""
    await _stay(server, [masked(b"x" * 8 * _MIB, length=16 * _MIB)], clients=80)


async def choked(server: Attacked) -> None:
    """5 clients that ask for more than they read, and then send 16 messages of 12 MiB each."""
    large = masked(b"\0\2" + Writer().bytes(b"x" * 12 * _MIB).finish())
    await _stay(server, [masked(step1_frame(b"\0")) * 2_000, *([large] * 16)], clients=5)


async def joins_and_leaves(server: Attacked) -> None:
    """Connections that end as soon as they have come about."""
    end = asyncio.get_running_loop().time() + server.seconds

    async def one(number: int) -> None:
        while asyncio.get_running_loop().time() < end:
            with suppress(OSError):
                async with raw_client(server.port, f"/new {number}") as client:
                    await client.send(masked(step1_frame(b"\0")))

    await asyncio.gather(*map(one, range(20)))


async def half_open(server: Attacked) -> None:
    """500 connections that say the first line of a request."""
    writers = []
    with suppress(OSError):
        for _ in range(500):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(f"GET /{ROOM} HTTP/1.1\r\nHost:".encode())
            writers.append(writer)
    await asyncio.sleep(server.seconds)
    for writer in writers:
        writer.transport.abort()


# Updates


def _updates(updates: Iterable[bytes]) -> Iterator[bytes]:
    return (masked(update_frame(each)) for each in updates)


def _saying(updates: Callable[[], Iterable[bytes]]) -> Attack:
    async def attack(server: Attacked) -> None:
        await _say(server, _updates(updates()))

    return attack


# automerge-repo


def _repo(*messages: Mapping[str, object], name: str = "bad") -> Iterator[bytes]:
    yield masked(encode({"type": "join", "senderId": name, "supportedProtocolVersions": ["1"]}))
    for message in messages:
        yield masked(encode({"senderId": name, "targetId": "server", "documentId": DOCUMENT, **message}))


def _change(seq: int, deps: Iterable[bytes], actor: bytes = b"\x05" * 16) -> bytes:
    builder = ChangeBuilder(actor=actor, seq=seq, start_op=seq, deps=deps)
    builder.put(None, "k", seq)
    return builder.chunk()


async def cbor(server: Attacked) -> None:
    """C5: a map of 16 MB, before the join message and after it."""
    flood = masked(cbor_flood("join", 15_900_000))
    await _say(server, [flood], "/")
    await _say(server, [*_repo(), flood], "/")


async def wrongly_numbered_changes(server: Attacked) -> None:
    """C4: changes that the binding takes and cannot load."""
    await _say(server, _repo({"type": "sync", "data": make_sync_message((), BACKWARDS)}), "/")


async def waiting_changes(server: Attacked) -> None:
    """3,000 changes that come the last first, each in a message of its own."""
    changes: list[bytes] = []
    deps: list[bytes] = []
    for seq in range(1, 3_001):
        changes.append(_change(seq, deps))
        deps = [split_chunks(changes[-1])[0].hash]
    messages = ({"type": "sync", "data": make_sync_message((), [each])} for each in reversed(changes))
    await _say(server, _repo(*messages), "/")


async def many_heads(server: Attacked) -> None:
    """A message of 500,000 heads."""
    drawn = random.Random(1).randbytes(32 * 500_000)
    heads = [drawn[at : at + 32] for at in range(0, len(drawn), 32)]
    await _say(server, _repo({"type": "sync", "data": make_sync_message(heads)}), "/")


async def many_documents(server: Attacked) -> None:
    """20 clients that bring 1,000 documents each."""
    data = make_sync_message((), [_change(1, ())])

    async def one(client: int) -> None:
        documents = (encode_document_id(f"{client} {number}".encode().ljust(16)) for number in range(1_000))
        messages = ({"type": "sync", "documentId": document, "data": data} for document in documents)
        await _say(server, _repo(*messages, name=f"bad {client}"), "/")

    await asyncio.gather(*map(one, range(20)))


# Those that are made of much. The others are single updates, and tried in tests/abuse/test_updates.py.
_UPDATES = ("one_key_by_many", "one_key_at_once", "many_clients", "gaps_across_clients", "backwards")

ATTACKS: dict[str, Attack] = {
    **{
        attack.__name__: attack
        for attack in (
            tiny_updates, tiny_frames, empty_frames, text_frames, pings, unread_pings, questions,
            unread_questions, awareness_to_unread, unread_joins, halves, choked, joins_and_leaves, half_open,
            cbor, wrongly_numbered_changes, waiting_changes, many_heads, many_documents,
        )
    },
    **{name: _saying((KEPT | REFUSED)[name]) for name in _UPDATES},
    "far_too_many_clients": _saying(far_too_many_clients),
}  # fmt: skip
"""By name."""


async def _main(name: str, url: str, seconds: str) -> None:
    await ATTACKS[name](Attacked(url, float(seconds)))


if __name__ == "__main__":
    os.nice(10)  # the attackers' machine is another one
    asyncio.run(_main(*sys.argv[1:]))
