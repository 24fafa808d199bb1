"""Rooms that clients ask for on a connection that has many: who may have one, and holding it open."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar

from weft.server._core.confirmations import Confirmations
from weft.server._core.registry import AnyRoom, RoomRegistry
from weft.server.auth import decide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AsyncExitStack

    from weft.server._core.registry import Followers
    from weft.server._core.room import RoomContext
    from weft.server.auth import Auth, Decision, Request

__all__ = ["AskedRooms"]

R = TypeVar("R", bound=AnyRoom)


class AskedRooms(Generic[R]):
    """All rooms of one kind of a server.

    Args:
        context: What they share with the server's other rooms. Its storage is opened and closed by the owner.
        make: As for ``RoomRegistry``.
        unreadable: Likewise.
        auth: Decides on each room that a client speaks of.
        auth_timeout: Seconds the hook has.
        followers: What follows other processes, if there are any.
    """

    def __init__(
        self,
        context: RoomContext,
        *,
        make: Callable[[str, list[bytes], Callable[[R], None]], R],
        unreadable: Callable[[Sequence[bytes]], Mapping[int, str]],
        auth: Auth,
        auth_timeout: float,
        followers: Followers[R] | None = None,
    ) -> None:
        self.rooms: RoomRegistry[R] = RoomRegistry(
            context, make=make, unreadable=unreadable, followers=followers
        )
        self.peer_id = f"weft-{secrets.token_hex(8)}"  # as this run of the server is called
        self.limits = context.limits
        self.server_limits = context.server_limits
        self.settings = context.settings
        self.clock = context.clock
        self.refused = context.refused
        self.confirmations = Confirmations(context.storage.stored)
        self._auth = auth
        self._auth_timeout = auth_timeout
        self._releasing: set[asyncio.Task[None]] = set()

    async def decide(self, request: Request, room: str) -> Decision:
        """Ask the hook whether a client may have a room."""
        return await decide(self._auth, replace(request, room=room), seconds=self._auth_timeout)

    def release(self, openings: Iterable[asyncio.Task[None]], held: AsyncExitStack) -> None:
        """Let go of rooms of a client.

        Args:
            openings: Tasks that may still enter something; cancelled.
            held: What holds the rooms open.
        """
        task = asyncio.get_running_loop().create_task(_release(tuple(openings), held))
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)

    async def close(self) -> None:
        """Settle and forget every room. Clients must be gone, or going."""
        if self._releasing:
            await asyncio.wait(self._releasing)
        await self.rooms.close()


async def _release(openings: Sequence[asyncio.Task[None]], held: AsyncExitStack) -> None:
    if openings:
        await asyncio.wait(openings)
    await held.aclose()
