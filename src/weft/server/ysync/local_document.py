"""A room's document for those who edit it in the server's own process."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from weft._codecs.yjs.structs import STORED
from weft.documents.yjs import YDocument, create_doc

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["EditedRoom", "LocalDocument"]

_log = logging.getLogger("weft.server")

# Seconds after which it is looked again whether a transaction that stays open is over.
_PAUSE = 0.02


class EditedRoom(Protocol):
    """A room as a document knows it that follows it."""

    name: str

    def write(self, update: bytes, origin: object) -> None:
        """Take in an update that was written in this process."""

    def lose_local(self, local: LocalDocument, /) -> None:
        """A document that followed the room can do so no more."""


class LocalDocument:
    """A document that follows a room, and brings to it what is written in the process, as a client does.

    What the binding refuses, or what it must not be given, ends this peer. The room goes on without it.

    Args:
        room: The room.
        whole: Everything it has.

    Attributes:
        refusal: Why the room has not taken in what was written, if so.

    Raises:
        RemoteProtocolError: The binding cannot be given what the room has.
    """

    def __init__(self, room: EditedRoom, *, whole: bytes) -> None:
        self.users = 0
        self.refusal: Exception | None = None
        self._late: list[bytes] = []  # what has come while a transaction was open
        self._timer: asyncio.TimerHandle | None = None  # until that is over
        self.doc = create_doc()  # held: the YDocument's reference is weak
        self.document = YDocument.of(self.doc)
        self._room = room
        self._apply(whole)
        self._unsubscribe = self.document.subscribe(self._written)

    def feed(self, updates: Iterable[bytes]) -> None:
        """Take in what has come to the room from elsewhere, when no transaction is open. Never fails.

        In one it would be told to the room as written here, in the binding's own encoding.
        """
        self._late += updates
        if self._timer is None:
            self._feed_late(0.0)

    def close(self, reason: str, *, what: str | None = None) -> None:
        """End it: a write from now on raises ``DocumentClosedError``, as it would be kept by nobody."""
        self._unsubscribe()
        self._late.clear()
        if self._timer is not None:
            self._timer.cancel()
        self.document.close(what or f"the document of room {self._room.name!r:.200}", reason)

    def _feed_late(self, pause: float) -> None:
        if self.document.in_transaction:
            self._timer = asyncio.get_running_loop().call_later(pause, self._feed_late, _PAUSE)
            return
        self._timer = None
        late, self._late = self._late, []
        try:
            for update in late:
                self._apply(update)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this document's alone
            self._fail(error)

    def _apply(self, update: bytes) -> None:
        self.document.apply(update, origin=self, spans=self.document.check(update, STORED))

    def _written(self, update: bytes, origin: object | None) -> None:
        if origin is not self:
            try:
                self._room.write(update, self)
            except Exception as error:  # noqa: BLE001 - the writer's commit is over: it must not be told here
                self.refusal = error
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        _log.error(
            "room %.200r: the document for those who edit it in this process cannot follow it and is closed; "
            "the room goes on: %s",
            self._room.name,
            error,
        )
        self.close(f"it could not follow the room: {error}")
        self._room.lose_local(self)
