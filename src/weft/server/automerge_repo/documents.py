"""All Automerge documents of a server: who may have one, and holding it open."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from weft.documents.automerge.log import unreadable_rows
from weft.server.asked_rooms import AskedRooms
from weft.server.automerge_repo.room import DocumentRoom, storage_name

if TYPE_CHECKING:
    from weft.server._core.registry import Followers
    from weft.server._core.room import RoomContext
    from weft.server.auth import Auth

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
            key=storage_name,
            auth=auth,
            auth_timeout=auth_timeout,
            followers=followers,
        )
