"""All Automerge documents of a server: who may have one, and holding it open."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from weft.documents.automerge.log import unreadable_rows
from weft.server.asked_rooms import AskedRooms
from weft.server.automerge_repo.room import DocumentRoom, storage_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from weft.server._core.registry import Followers
    from weft.server._core.room import RoomContext
    from weft.server.auth import Auth, Decision, Request

__all__ = ["Documents"]


class Documents(AskedRooms[DocumentRoom]):
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
        super().__init__(
            context,
            make=partial(DocumentRoom, context=context),
            unreadable=unreadable_rows,
            auth=auth,
            auth_timeout=auth_timeout,
            followers=followers,
        )
        self._room_of: Callable[[str], str | None] = lambda _: None
        self._use_bridged: Callable[[str], AbstractAsyncContextManager[DocumentRoom]] = self.rooms.use

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

    async def decide(self, request: Request, room: str) -> Decision:
        """Ask the hook whether a client may have a document; of a bridged one, whether the room."""
        return await super().decide(request, self._room_of(room) or room)

    def use(self, document_id: str) -> AbstractAsyncContextManager[DocumentRoom]:
        """Hold a document open. However many ask at once, it is loaded once.

        Raises:
            StorageError: It could not be loaded. The next request tries again.
        """
        room = self._room_of(document_id)
        return self.rooms.use(storage_name(document_id)) if room is None else self._use_bridged(room)
