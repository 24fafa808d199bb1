"""Rooms that clients ask for on a connection that has many: who may have one, and holding it open."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from weft.server._core.confirmations import Confirmations
from weft.server._core.registry import AnyRoom, RoomRegistry
from weft.server.auth import decide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AsyncExitStack

    from weft.server._core.registry import Followers
    from weft.server._core.room import RoomContext
    from weft.server.auth import Auth, Decision, Request

__all__ = ["AskedRooms"]

R = TypeVar("R", bound=AnyRoom)


class AskedRooms(Generic[R]):
    """All rooms of one kind of a server.

    Args:
        context: What they share with the server's other rooms. Its storage is opened and closed by the owner.
        auth: Decides on each room that a client speaks of.
        auth_timeout: Seconds the hook has.
        followers: What follows other processes, if there are any.

    Attributes:
        room_type: Makes a room, as for ``RoomRegistry``, given the context too.
        unreadable: As for ``RoomRegistry``.
        key: Gives the name in storage of what clients call by another.
    """

    room_type: Callable[..., R]
    unreadable: Callable[[Sequence[bytes]], Mapping[int, str]]
    key: Callable[[str], str]

    def __init__(
        self,
        context: RoomContext,
        *,
        auth: Auth,
        auth_timeout: float,
        followers: Followers[R] | None = None,
    ) -> None:
        self.rooms: RoomRegistry[R] = RoomRegistry(
            context,
            make=partial(self.room_type, context=context),
            unreadable=self.unreadable,
            followers=followers,
        )
        self.peer_id = f"weft-{secrets.token_hex(8)}"  # as this run of the server is called
        self.limits = context.limits
        self.server_limits = context.server_limits
        self.settings = context.settings
        self.clock = context.clock
        self.refused = context.refused
        self.confirmations = Confirmations(context.storage.stored)
        self._bridged: Callable[[str], str | None] = lambda _: None
        self._use_bridged: Callable[[str], AbstractAsyncContextManager[R]] = self.rooms.use
        self._auth = auth
        self._auth_timeout = auth_timeout
        self._releasing: set[asyncio.Task[None]] = set()

    def bridge(
        self, bridged: Callable[[str], str | None], use: Callable[[str], AbstractAsyncContextManager[R]]
    ) -> None:
        """Have some rooms held open together with those that they are bridged with.

        Args:
            bridged: Gives the name of the Yjs room that a room is bridged with, or ``None``.
            use: Holds the room that is bridged with such a one open.
        """
        self._bridged, self._use_bridged = bridged, use

    async def decide(self, request: Request, room: str) -> Decision:
        """Ask the hook whether a client may have a room; a bridged one has the name of the Yjs room."""
        asked = replace(request, room=self._bridged(room) or room)
        return await decide(self._auth, asked, seconds=self._auth_timeout)

    def use(self, name: str) -> AbstractAsyncContextManager[R]:
        """Hold a room open. However many ask at once, it is loaded once.

        Args:
            name: As clients call it.

        Raises:
            StorageError: It could not be loaded. The next request tries again.
        """
        bridged = self._bridged(name)
        return self.rooms.use(self.key(name)) if bridged is None else self._use_bridged(bridged)

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
