"""One y-websocket client in one room: a protocol session between a link and the room."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from weft.protocols.ysync import Send, YSyncSession
from weft.server._core.peer import Peer
from weft.server._core.wrong_protocol import expect_no_repo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.protocols.ysync import Effect
    from weft.server._core.link import Link
    from weft.server.auth import Allow
    from weft.server.ysync.room import Room

__all__ = ["YPeer"]

_log = logging.getLogger("weft.server")


class YPeer(Peer):
    """One client in one room.

    Args:
        room: An open room.
        link: The client's connection.
        allow: What it may do.
        name: How the logs call it.
    """

    def __init__(self, room: Room, link: Link, allow: Allow, *, name: str) -> None:
        limits = allow.limits or room.limits
        super().__init__(
            link,
            name=name,
            limits=limits,
            stored=room.log.stored,
            stall_timeout=room.settings.stall_timeout,
        )
        self.session = YSyncSession(
            room.document,
            role="server",
            awareness=room.awareness,
            limits=limits,
            read_only=allow.read_only,
            answers=room.answers,
        )
        self._room = room
        # Updates are relayed from the first answer to a SyncStep1 on: before it the client has no state they
        # could build upon, and the answer contains them.
        self._live = False
        # State vector of what was relayed before the queue was full; from then on updates are not queued but
        # read from the document, as one, when the queue has emptied.
        self._behind: bytes | None = None
        self._awareness_behind = False
        self._has_spoken = False
        self._has_lost_awareness = False  # once is news

    def relay(self, message: bytes) -> None:
        """Queue an update message from somebody else. Never fails and never waits."""
        if self._live and self._behind is None:
            self.queue.put(message)
            if self.queue.is_full:
                self._room.somebody_is_full()

    def relay_awareness(self, message: bytes) -> None:
        """Queue an awareness message from somebody else."""
        if self._behind is None:
            self.queue.put(message)
        else:
            self._awareness_behind = True

    def note_full(self, state_vector: bytes) -> None:
        """Stop queueing updates if the queue is full; everything up to this state has been queued."""
        if self.queue.is_full and self._behind is None:
            self._behind = state_vector
            _log.info("%s reads slowly; it will get what it misses as one update", self._name)

    def tick(self, now: float) -> None:
        """Let time pass for the session."""
        self._perform(self.session.tick(now))

    def _join(self) -> None:
        self._room.clients.add(self)

    def _connected(self) -> None:
        self._perform(self.session.connected(self._room.clock()))

    def _receive(self, message: bytes) -> None:
        if not self._has_spoken:
            expect_no_repo(message)
            self._has_spoken = True
        awareness = self._room.awareness
        before = awareness.ignored
        self._perform(self.session.receive(message, self._room.clock()))
        if awareness.ignored > before and not self._has_lost_awareness:
            self._has_lost_awareness = True
            _log.warning(
                "%s: what it says of itself or of others is not passed on: a state of more than "
                "max_awareness_state (%d bytes of JSON), or more states than one client may have",
                self._name,
                self._room.limits.max_awareness_state,
            )

    async def _throttle(self) -> None:
        if self._room.log.is_behind:
            await self._room.log.catch_up()

    def _leave(self) -> None:
        self._room.clients.discard(self)

    def _disconnected(self) -> None:
        self._perform(self.session.disconnected(self._room.clock()))

    def _perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                if effect.after_stored:
                    self._answer(effect.data)
                else:
                    self.queue.put(effect.data)

    def _answer(self, message: bytes) -> None:
        room = self._room
        self.queue.put_answer(message, room.log.ticket)
        self._live = True
        if self._behind is not None:  # the answer holds everything up to now
            self._behind = room.document.state_vector()

    def _refill(self) -> None:
        room = self._room
        if self._behind is not None:
            messages = room.messages_since(self._behind)
            self._behind = None
            for message in messages:
                self.queue.put(message)
        if self._awareness_behind:
            self._awareness_behind = False
            self.queue.put(room.awareness_message(None))
