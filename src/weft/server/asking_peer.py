"""A client that asks for rooms on one connection: what holds it while these open, or storage is behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from weft.server._core.peer import Peer
from weft.server._core.registry import AnyRoom

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from weft.server._core.link import Link
    from weft.server.asked_rooms import AskedRooms

__all__ = ["AskingPeer"]

R = TypeVar("R", bound=AnyRoom)


class AskingPeer(Peer, Generic[R]):
    """One client, whatever its protocol, with the rooms that it asks for.

    Until the hook has let it have one, little is read of it beside what the hook is asked about.

    Args:
        link: The client's connection.
        rooms: The server's rooms of its kind.
        released: Called once, when the client has gone or was let go.
    """

    def __init__(self, link: Link, rooms: AskedRooms[R], *, released: Callable[[], None]) -> None:
        super().__init__(
            link,
            limits=rooms.limits,
            confirmations=rooms.confirmations,
            stall_timeout=rooms.settings.stall_timeout,
            refused=rooms.refused,
            released=released,
        )
        self._asked = rooms
        self._max_backlog = rooms.server_limits.max_early_bytes
        self._max_openings = rooms.server_limits.max_early_messages
        self._openings: set[asyncio.Task[None]] = set()
        self._backlog = 0  # bytes received while something was being opened
        self._behind: set[R] = set()  # rooms that take in more than storage does
        self._catching_up: asyncio.Task[None] | None = None  # while storage has too much to do

    def _begin_opening(self, opening: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(opening)
        self._openings.add(task)
        task.add_done_callback(self._opened)
        return task

    def _opened(self, opening: asyncio.Task[None]) -> None:
        self._openings.discard(opening)
        if not self._openings:
            self._backlog = 0
        self.reconsider()

    def _note_allowed(self) -> None:
        """The hook has let it have a room."""
        self._max_backlog = self._asked.limits.max_outbound
        self._max_openings = self._asked.server_limits.max_openings

    def _note_received(self, message: bytes) -> None:
        """A message waits, if anything is being opened."""
        if self._openings:
            self._backlog += len(message)
            self._link.note_held(len(message))

    def _note_written(self, room: R) -> None:
        """The client has written to a room."""
        if room.log.is_behind:
            self._behind.add(room)

    def _is_too_fast(self) -> bool:
        if self._behind and self._catching_up is None:
            self._catching_up = asyncio.get_running_loop().create_task(self._catch_up())
        return (
            self._catching_up is not None
            or len(self._openings) >= self._max_openings
            or self._backlog > self._max_backlog
        )

    def _held_by(self) -> str:
        return "max_openings" if self._catching_up is None else "max_unsaved"

    async def _catch_up(self) -> None:
        while self._behind:
            await self._behind.pop().log.catch_up()
        self._catching_up = None
        self.reconsider()

    def _leave(self) -> None:
        for task in (*self._openings, self._catching_up):
            if task is not None:
                task.cancel()
