"""All Automerge documents of a server: who may have one, and holding it open."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from weft.documents.automerge.log import unreadable_rows
from weft.server._core.confirmations import Confirmations
from weft.server._core.registry import RoomRegistry
from weft.server.auth import decide
from weft.server.automerge_repo.room import DocumentRoom, storage_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager, AsyncExitStack

    from weft.server._core.registry import Followers
    from weft.server._core.room import RoomContext
    from weft.server.auth import Auth, Decision, Request

__all__ = ["Documents"]


class Documents:
    """All Automerge documents of a server.

    Args:
        context: What they share with the server's rooms. Its storage is opened and closed by the owner.
        auth: Decides on each document that a client speaks of.
        auth_timeout: Seconds the hook has.
        followers: What follows other processes, if there are any.
    """

    def __init__(
        self,
        context: RoomContext,
        *,
        auth: Auth,
        auth_timeout: float,
        followers: Followers[DocumentRoom] | None = None,
    ) -> None:
        self.rooms: RoomRegistry[DocumentRoom] = RoomRegistry(
            context,
            make=partial(DocumentRoom, context=context),
            unreadable=unreadable_rows,
            followers=followers,
        )
        self.peer_id = f"weft-{secrets.token_hex(8)}"  # as this run of the server is called
        self.limits = context.limits
        self.server_limits = context.server_limits
        self.settings = context.settings
        self.refused = context.refused
        self.confirmations = Confirmations(context.storage.stored)
        self._room_of: Callable[[str], str | None] = lambda _: None
        self._use_bridged: Callable[[str], AbstractAsyncContextManager[DocumentRoom]] = self.rooms.use
        self._auth = auth
        self._auth_timeout = auth_timeout
        self._releasing: set[asyncio.Task[None]] = set()

    def bridge(
        self,
        room_of: Callable[[str], str | None],
        use: Callable[[str], AbstractAsyncContextManager[DocumentRoom]],
    ) -> None:
        """Have some documents held open together with the rooms that they are bridged with.

        Args:
            room_of: Gives the name of the room that a document is bridged with, or ``None``.
            use: Holds the document of such a room open.
        """
        self._room_of, self._use_bridged = room_of, use

    async def decide(self, request: Request, document_id: str) -> Decision:
        """Ask the hook whether a client may have a document; of a bridged one, whether the room."""
        room = self._room_of(document_id) or document_id
        return await decide(self._auth, replace(request, room=room), seconds=self._auth_timeout)

    def use(self, document_id: str) -> AbstractAsyncContextManager[DocumentRoom]:
        """Hold a document open. However many ask at once, it is loaded once.

        Raises:
            StorageError: It could not be loaded. The next request tries again.
        """
        room = self._room_of(document_id)
        return self.rooms.use(storage_name(document_id)) if room is None else self._use_bridged(room)

    def release(self, openings: Iterable[asyncio.Task[None]], held: AsyncExitStack) -> None:
        """Let go of the documents of a client that has gone.

        Args:
            openings: Tasks that may still enter something; cancelled.
            held: What holds the documents open.
        """
        task = asyncio.get_running_loop().create_task(_release(tuple(openings), held))
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)

    async def close(self) -> None:
        """Settle and forget every document. Clients must be gone, or going."""
        if self._releasing:
            await asyncio.wait(self._releasing)
        await self.rooms.close()


async def _release(openings: Sequence[asyncio.Task[None]], held: AsyncExitStack) -> None:
    if openings:
        await asyncio.wait(openings)
    await held.aclose()
