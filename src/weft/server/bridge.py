"""One room over all protocols: a Yjs room, an Automerge and a mergeable document that hold the same tables.

One Store stands between them, mirrored into each, so a change on one side is on the others before the next
message is read. Each side has its own log, and none confirms a change before all have it. After a crash in
between, or when one side was changed while there was no bridge, opening the room merges: what one side has
the others get, and where a cell differs the mergeable document's is taken, or else Automerge's. What was
deleted on one side alone comes back: it cannot be told from what the others have written since. Where the Yjs
binding cannot be given what the room has, the sides go on apart, until they are opened without it.

Of several processes each brings to the other sides what its own clients write, and only that. What another
process has stored is taken in on each side as it is, and at the same time: see :mod:`weft.server.intake`, and
:mod:`weft.server.settlement` for what is left to be done then.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from weakref import WeakValueDictionary

from weft.errors import RemoteProtocolError
from weft.mirrors.automerge import AutomergeMirror, genesis
from weft.mirrors.mergeable import MergeableMirror
from weft.mirrors.yjs import YjsMirror
from weft.server.automerge_repo.room import storage_name as document_name
from weft.server.bridge_id import bridge_document_id, bridge_path
from weft.server.intake import Intake
from weft.server.settlement import Settlement
from weft.server.tinybase.room import storage_name as mergeable_name
from weft.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence

    from weft.mirrors.mirror import Mirror
    from weft.server._core.registry import RoomRegistry
    from weft.server._core.room import BaseRoom
    from weft.server.automerge_repo.room import DocumentRoom
    from weft.server.tinybase.room import MergeableRoom
    from weft.server.ysync.room import Room

__all__ = ["Bridge", "BridgedRooms"]

_log = logging.getLogger("weft.server")

_ROOT = "tinybase"  # the key of the Store in both documents, TinyBase's default


class Bridge:
    """Keeps three rooms equal for as long as all are open.

    Args:
        room: The Yjs room, loaded.
        document: The Automerge document, loaded.
        mergeable: The room of TinyBase's clients, loaded.
        catch_up: As for :class:`~weft.server.intake.Intake`; ``None`` where no other process has them.

    Attributes:
        intake: What other processes have stored, on its way to all sides; ``None`` where there are none.
        settlement: What those leave to be compared, likewise.
    """

    def __init__(
        self,
        room: Room,
        document: DocumentRoom,
        mergeable: MergeableRoom,
        catch_up: Callable[[Collection[str]], Awaitable[Mapping[str, int]]] | None = None,
    ) -> None:
        self.room = room
        self.document = document
        self.mergeable = mergeable
        self._is_closed = False
        self._stack = ExitStack()
        self._sides: dict[BaseRoom[Any], Mirror] = {}
        self.intake: Intake | None = None
        self.settlement: Settlement | None = None
        try:
            local = self._stack.enter_context(room.edit())
        except RemoteProtocolError as error:
            self._is_closed = True
            _log.error(
                "room %.200r cannot be read by the Yjs binding, and is not kept equal over the protocols as "
                "long as it is open: %s",
                room.name,
                error,
            )
            return
        self._stack.callback(local.document.on_close(lambda *_: self.close()))
        store = Store()
        yjs = YjsMirror(store, local.document, _ROOT, on_error=self._report)
        automerge = AutomergeMirror(store, document.document, _ROOT, on_error=self._report)
        stamping = MergeableMirror(store, mergeable.document, on_error=self._report)
        self._sides = {room: yjs, document: automerge, mergeable: stamping}
        if catch_up is not None:
            self.settlement = Settlement(stamping, automerge, yjs)
            self.intake = Intake({side.name: partial(self._hear, side) for side in self._sides}, catch_up)
            self._stack.callback(self.settlement.close)
            self._stack.callback(self.intake.close)
        intake = self.intake
        for side in self._sides:
            partners = [other for other in self._sides if other is not side]
            side.bind(partners, self.close, None if intake is None else partial(intake.add, side.name))
        try:
            if not document.document.heads:  # to whoever opens it first it is there, and not unavailable
                document.document.apply_changes([genesis(_ROOT)])
            for mirror in self._sides.values():  # what differs is taken of the later one
                mirror.start()
        except BaseException:
            self.close()
            raise
        if self.settlement is not None:
            self.settlement.started()

    def is_of(self, *sides: BaseRoom[Any]) -> bool:
        """Whether these are its rooms, and none of another name or loaded anew."""
        mine = (self.room, self.document, self.mergeable)
        return all(one is other for one, other in zip(mine, sides, strict=True))

    async def catch_up(self) -> None:
        """Have all sides take in what other processes have stored, and at first settle what differs.

        A client may come from another process, and bring edits that it has seen there on one side alone.

        Raises:
            StorageError: Storage cannot be read. The next call tries again.
        """
        if self._is_closed or self.intake is None or self.settlement is None:
            return
        await self.intake.take_in()
        if self.settlement.is_opening:
            self.settlement.settle()

    def close(self) -> None:
        """Let the sides go their own ways; nobody is in them. A second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        for mirror in self._sides.values():
            mirror.stop()
        self._stack.close()
        for side in self._sides:
            side.unbind()

    def _hear(self, side: BaseRoom[Any], updates: Sequence[bytes]) -> None:
        with nullcontext() if self.settlement is None else self.settlement.hearing(self._sides[side]):
            side.take_in_now(updates)

    def _report(self, error: Exception) -> None:
        _log.warning("bridge of room %.200r: %s", self.room.name, error)


class BridgedRooms:
    """The bridged rooms of a server.

    Args:
        names: Their names.
        rooms: The server's Yjs rooms.
        documents: The server's Automerge documents.
        mergeable: The server's rooms of TinyBase's clients.
        catch_up: As for :class:`Bridge`.
    """

    def __init__(
        self,
        names: Iterable[str],
        *,
        rooms: RoomRegistry[Room],
        documents: RoomRegistry[DocumentRoom],
        mergeable: RoomRegistry[MergeableRoom],
        catch_up: Callable[[Collection[str]], Awaitable[Mapping[str, int]]] | None = None,
    ) -> None:
        self._names = {bridge_document_id(name): name for name in names}
        self._rooms = rooms
        self._documents = documents
        self._mergeable = mergeable
        self._catch_up = catch_up
        self._open: WeakValueDictionary[str, Bridge] = WeakValueDictionary()  # the rooms hold them

    def __contains__(self, room: str) -> bool:
        """Whether a room is bridged."""
        return self._names.get(bridge_document_id(room)) == room

    def room_of(self, document_id: str) -> str | None:
        """The room that a document is bridged with."""
        return self._names.get(document_id)

    def room_at(self, path: str) -> str | None:
        """The room that TinyBase's clients have at a path, whether they encode it or not."""
        name = unquote(path)
        return name if name in self else None

    @asynccontextmanager
    async def use(self, name: str) -> AsyncIterator[Bridge]:
        """Hold all sides of a room open, equal and following each other if they can be.

        Raises:
            StorageError: One side could not be loaded. The next request tries again.
        """
        async with (
            self._rooms.use(name) as room,
            self._documents.use(document_name(bridge_document_id(name))) as document,
            self._mergeable.use(mergeable_name(bridge_path(name))) as mergeable,
        ):
            bridge = self._open.get(name)
            # One side may have been forgotten, and loaded again, while another was still being stored.
            if bridge is None or not bridge.is_of(room, document, mergeable):
                if bridge is not None:
                    bridge.close()
                bridge = self._open[name] = Bridge(room, document, mergeable, self._catch_up)
            await bridge.catch_up()
            yield bridge

    @asynccontextmanager
    async def use_room(self, name: str) -> AsyncIterator[Room]:
        """Hold all sides of a room open, for a client of the room: see :meth:`use`."""
        async with self.use(name) as bridge:
            yield bridge.room

    @asynccontextmanager
    async def use_document(self, name: str) -> AsyncIterator[DocumentRoom]:
        """Hold all sides of a room open, for a client of the Automerge document: see :meth:`use`."""
        async with self.use(name) as bridge:
            yield bridge.document

    @asynccontextmanager
    async def use_mergeable(self, name: str) -> AsyncIterator[MergeableRoom]:
        """Hold all sides of a room open, for a client of TinyBase's: see :meth:`use`."""
        async with self.use(name) as bridge:
            yield bridge.mergeable
