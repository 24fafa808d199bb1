"""All rooms of TinyBase's clients: who may have one, and holding it open."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from weft.documents.mergeable.log import unreadable_rows
from weft.server.asked_rooms import AskedRooms
from weft.server.tinybase.room import MergeableRoom, storage_name

if TYPE_CHECKING:
    from weft.server._core.registry import Followers
    from weft.server._core.room import RoomContext
    from weft.server.auth import Auth

__all__ = ["MergeableRooms"]


class MergeableRooms(AskedRooms[MergeableRoom]):
    """All rooms of a server that hold mergeable documents.

    Args:
        context: What they share with the server's other rooms.
        auth: Decides on each room that a client speaks of.
        auth_timeout: Seconds the hook has.
        followers: What follows other processes, if there are any.
    """

    def __init__(
        self,
        context: RoomContext,
        *,
        auth: Auth,
        auth_timeout: float,
        followers: Followers[MergeableRoom] | None = None,
    ) -> None:
        super().__init__(
            context,
            make=partial(MergeableRoom, context=context),
            unreadable=unreadable_rows,
            key=storage_name,
            auth=auth,
            auth_timeout=auth_timeout,
            followers=followers,
        )
