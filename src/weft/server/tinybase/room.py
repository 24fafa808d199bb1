"""One mergeable document in memory, the clients that have it open, and its way to storage.

Every client synchronises with the server's own store, ``S``, and with nobody else. TinyBase's server passes
what one asks of all on to the others too, and each of them answers; here who joins costs the others nothing.
They are told what has been taken in, as one message for what a turn of the event loop brought.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Protocol

from weft.documents.mergeable.log import compact_rows, from_rows, read_row, write_row
from weft.protocols.tinybase import STORE, MessageType, merge_changes
from weft.protocols.tinybase.fragments import split
from weft.server._core.batch import Batch
from weft.server._core.room import BaseRoom, RoomClient
from weft.server.tinybase.answers import ROOM_FOR_HEADS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft.documents.mergeable import MergeableEvent
    from weft.limits import Limits
    from weft.server._core.room import RoomContext

__all__ = [
    "MergeableRoom",
    "TableClient",
    "frames_of_text",
    "is_too_large",
    "new_id",
    "storage_name",
]

# As of Yjs rooms: after telling the clients nothing is told for so many times as long as it took, and seconds
# at most; what comes meanwhile is told together.
_PACE = 2.5
_MAX_PAUSE = 0.05
_MARK = "\x1fmergeable:"


def storage_name(name: str) -> str:
    """Under which name a storage keeps a room: U+001F, ``mergeable:`` and its name."""
    return _MARK + name


class TableClient(RoomClient, Protocol):
    """A client that has a room open, as the room knows it.

    Attributes:
        prefix: What stands before each frame for it.
    """

    prefix: str

    @property
    def origin(self) -> object:
        """Of what it has brought, compared by identity."""

    def tell(self, batch: Batch) -> None:
        """Send what others have changed."""

    def leave_out(self) -> None:
        """Others have changed more than fits into a message."""

    def tick(self, now: float) -> None:
        """Let time pass."""


class MergeableRoom(BaseRoom[TableClient]):
    """One mergeable document in memory. Made by a ``RoomRegistry``, which opens and closes it.

    Args:
        name: The room's name in storage.
        updates: What storage has of it.
        failed: Called once when storage could not take an update; nothing is acknowledged any more.
        context: What it shares with the server's other rooms.

    Raises:
        RemoteProtocolError: Storage holds something that is no row of such a room.
    """

    def __init__(
        self,
        name: str,
        updates: list[bytes],
        failed: Callable[[MergeableRoom], None],
        context: RoomContext,
    ) -> None:
        self.document = from_rows(updates)
        super().__init__(name, updates, failed, context, compactor=lambda: compact_rows)
        self._unsubscribe = [self.document.subscribe(self._taken_in)]
        self._counters = context.counters
        self._others = object()  # the origin of what other processes have stored
        self._turn: list[tuple[MergeableEvent, bytes]] = []  # what has not been told yet, with its rows
        self._not_before = 0.0  # on the loop's clock

    def tick(self, now: float) -> None:
        """Let time pass for everybody in the room."""
        for client in tuple(self.clients):
            client.tick(now)

    def take_in_now(self, updates: Sequence[bytes]) -> None:
        """Take in what other processes have stored, in order, and tell this process's clients of it."""
        for row in updates:
            self.log.note(row)
        for checked in [read_row(row) for row in updates]:
            self.document.apply_checked(checked, origin=self._others)

    def hear(self, sender: bytes, data: bytes) -> None:
        """Hear what another process passes on: nothing, as all that is said here is kept."""
        del sender, data

    def _end_document(self, what: str, reason: str) -> None:
        self.document.close(what, reason)

    def _taken_in(self, event: MergeableEvent) -> None:
        row = write_row(event.changes)
        if event.origin is not self._others and not self.log.append(row):
            return
        self._turn.append((event, row))
        if len(self._turn) == 1:
            loop = asyncio.get_running_loop()
            loop.call_at(max(loop.time(), self._not_before), self._tell)

    def _tell(self) -> None:
        """Tell the clients what the turn brought: one message, but to who has brought all of it."""
        began = time.thread_time()
        turn, self._turn = self._turn, []
        writer = turn[0][0].origin if len({id(event.origin) for event, _ in turn}) == 1 else None
        row = turn[0][1]
        if len(turn) > 1:
            row = write_row(merge_changes([event.changes for event, _ in turn]))
        text = f'["{new_id(11)}",{MessageType.CONTENT_DIFF:d},{row.decode()}]'
        too_large = is_too_large(text, self.limits)
        batches: dict[str, Batch] = {}
        for client in tuple(self.clients):
            if client.origin is writer:
                continue
            if too_large:
                client.leave_out()
            else:
                batch = batches.get(client.prefix)
                if batch is None:
                    batch = batches[client.prefix] = frames_of_text(client.prefix, text, self.limits)
                client.tell(batch)
                self._counters.relayed += len(turn)
                self._counters.relayed_bytes += batch.size
        pause = min(_PACE * (time.thread_time() - began), _MAX_PAUSE)
        self._not_before = asyncio.get_running_loop().time() + pause


def is_too_large(text: str, limits: Limits) -> bool:
    """Whether a message is larger than a client takes, in parts or not."""
    most = limits.max_message - ROOM_FOR_HEADS
    return len(text) * 4 > most and len(text.encode()) > most


def frames_of_text(prefix: str, text: str, limits: Limits) -> Batch:
    """The frames of a message of the server's own store.

    Args:
        prefix: What stands before each of them.
        text: The message.
        limits: ``max_sent`` bounds a frame.
    """
    pieces = split(text, limits.max_part, new_id)
    return Batch([f"{prefix}{STORE}\n{piece}".encode() for piece in pieces])


def new_id(length: int) -> str:
    """A random id as TinyBase makes them."""
    return secrets.token_urlsafe(length)[:length]
