"""A server on real sockets that gets the cases of a seed, and restarts with what it has stored."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol

from support.rawclient import RawClient, masked, raw_client
from weft.limits import ServerLimits
from weft.server import RoomSettings, Server, SqliteRoomStorage, allow_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from fuzz.live.cases import Case, Expected

__all__ = ["FindingError", "Honest", "Side", "run"]

ROUND = 1_000
"""Cases between two restarts."""
_ANSWER_S = 20.0
_STEP = 40  # cases between two writes of honest clients
_PING = masked(b"case", 9)
_CLOSE, _PONG = 8, 10
_INTERNAL_ERROR = (1011).to_bytes(2, "big")
_FAST = 1_000_000_000  # so that no rate holds the cases up


class FindingError(Exception):
    """Something that must not happen."""


class Honest(Protocol):
    """The honest clients of a round."""

    async def write(self) -> None:
        """Write something, which all of them get."""

    async def settle(self) -> None:
        """Have everything stored that was written, and see that it is there."""


class Side(Protocol):
    """What a protocol has of its own. Lives as long as the storage."""

    connections: int

    def draw(self, seed: str, count: int) -> Iterator[Case]:
        """Draw the cases of a seed."""

    def path(self, room: int) -> str:
        """Say what a connection to a room asks for."""

    def greeting(self, connection: int) -> bytes:
        """Make the frames with which a connection begins."""

    def honest(self, url: str) -> AbstractAsyncContextManager[Honest]:
        """Connect the honest clients."""

    def expected(self) -> list[Expected]:
        """Say what must be in storage."""


class _Log(logging.Handler):
    """What is logged of a fault of ours."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.faults: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = logging.Formatter().format(record)
        if (record.exc_info or record.levelno >= logging.ERROR) and "exceeds limit" not in text:
            self.faults.append(text)


class _Run:
    def __init__(self, side: Side, url: str, port: int, log: _Log, counts: Counter[str]) -> None:
        self._side = side
        self._url = url
        self._port = port
        self._log = log
        self._counts = counts
        self._clients: dict[tuple[int, int], tuple[RawClient, AsyncExitStack]] = {}

    async def attack(self, cases: Sequence[Case]) -> None:
        async with self._side.honest(self._url) as honest:
            shares = [
                [case for case in cases if case.connection == at] for at in range(self._side.connections)
            ]
            async with asyncio.TaskGroup() as group:
                for at, share in enumerate(shares):
                    group.create_task(self._send(share, None if at else honest))
            await honest.settle()
        for key in tuple(self._clients):
            await self._close(key)

    async def _send(self, cases: Sequence[Case], honest: Honest | None) -> None:
        for number, case in enumerate(cases):
            try:
                async with asyncio.timeout(_ANSWER_S):
                    await self._try(case)
            except TimeoutError:
                raise FindingError(f"no answer to {case}") from None
            if self._log.faults:
                raise FindingError(f"after {case}: {self._log.faults[0]}")
            if honest is not None and number % _STEP == 0:
                await honest.write()

    async def _try(self, case: Case) -> None:
        key = case.room, case.connection
        if key not in self._clients:
            stack = AsyncExitStack()
            client = await stack.enter_async_context(raw_client(self._port, self._side.path(case.room)))
            self._clients[key] = client, stack
            await client.send(self._side.greeting(case.connection))
        client, _ = self._clients[key]
        try:
            await client.send(case.data + b"" if case.is_broken else case.data + _PING)
            is_there = not case.is_broken and await _is_answered(client)
        except ConnectionError:
            is_there = False
        self._counts["cut" if case.is_broken else "answered" if is_there else "let go"] += 1
        if not is_there:
            await self._close(key)

    async def _close(self, key: tuple[int, int]) -> None:
        _, stack = self._clients.pop(key)
        await stack.aclose()


async def _is_answered(client: RawClient) -> bool:
    """Read until the answer to the ping behind a case, or the end to which it has led."""
    while True:
        while (frame := _next_frame(client)) is not None:
            kind, payload = frame
            if kind == _PONG and payload == b"case":
                return True
            if kind == _CLOSE:
                if payload[:2] == _INTERNAL_ERROR:
                    raise FindingError(f"closed with {payload!r}")
                return False
        data = await asyncio.get_running_loop().sock_recv(client.socket, 65536)
        if not data:
            return False
        client.received += data


def _next_frame(client: RawClient) -> tuple[int, bytes] | None:
    data = client.received
    if len(data) < 2:
        return None
    size, at = data[1], 2
    if size > 125:
        at = 4 if size == 126 else 10
        size = int.from_bytes(data[2:at], "big")
    if len(data) < at + size:
        return None
    client.received = data[at + size :]
    return data[0] & 0x0F, data[at : at + size]


async def run(side: Side, place: Path, cases: Iterable[Case], *, size: int = ROUND) -> Counter[str]:
    """Send the cases, with a restart after so many of them.

    Returns:
        After how many the attacker was answered, let go, or cut off by itself.

    Raises:
        FindingError: What was wrong.
    """
    log = _Log()
    loggers = [logging.getLogger(name) for name in ("weft", "asyncio")]
    for logger in loggers:
        logger.addHandler(log)
    left = list(cases)
    counts: Counter[str] = Counter()
    limits = ServerLimits(
        byte_rate=_FAST, frame_rate=_FAST, message_rate=_FAST, ping_rate=_FAST, question_rate=_FAST,
        join_rate=_FAST, time_share=1.0, max_stall=60.0,
    )  # fmt: skip
    try:
        for first in range(0, len(left), size):
            server = Server(
                auth=allow_all,
                storage=SqliteRoomStorage(place),
                port=0,
                server_limits=limits,
                settings=RoomSettings(unload_delay=0.0),
            )
            async with server:
                try:
                    await _Run(side, server.url, server.port, log, counts).attack(left[first : first + size])
                except* FindingError as group:
                    raise group.exceptions[0] from None
            if log.faults:
                raise FindingError(f"at the end: {log.faults[0]}")
    finally:
        for logger in loggers:
            logger.removeHandler(log)
    return counts
