"""One y-websocket client in one room: a protocol session between a link and the room."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from weft.protocols.ysync import AwarenessChanged, Send, YSyncSession
from weft.server._core.batch import Batch
from weft.server._core.peer import Peer
from weft.server._core.wrong_protocol import expect_no_repo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from weft.errors import RemoteProtocolError
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
        remote: Where it comes from, for the logs.
        released: Called once, when the client has gone or was let go: the room may be closed.
    """

    def __init__(
        self, room: Room, link: Link, allow: Allow, *, remote: str, released: Callable[[], None]
    ) -> None:
        limits = allow.limits or room.limits
        super().__init__(
            link,
            limits=limits,
            confirmations=room.confirmations,
            stall_timeout=room.settings.stall_timeout,
            refused=room.refused,
            released=released,
        )
        self.session = YSyncSession(
            room.document,
            role="server",
            awareness=room.awareness,
            limits=limits,
            read_only=allow.read_only,
            answers=room.answers,
            check_clients=lambda spans, brought: room.document.check_clients(spans, limits, brought=brought),
        )
        self._room = room
        self._remote = remote
        # Updates are relayed from the first answer to a SyncStep1 on: before it the client has no state they
        # could build upon, and the answer contains them.
        self._live = False
        # State vector of what was relayed before the queue was full; from then on updates are not queued but
        # read from the document, as one, when the queue has emptied.
        self._behind: bytes | None = None
        self._asked_at = b"\0"  # the state before the message that is worked on; an answer has no more
        self._awareness_behind = False
        self._has_spoken = False
        self._said = 0  # bytes of awareness that the room keeps of it; below zero when that has changed
        self._has_lost_awareness = False  # once is news
        self._catching_up: asyncio.Task[None] | None = None  # while storage has too much to do

    @property
    def name(self) -> str:
        """How the logs call the client."""
        return f"{self._remote} in room {self._room.name!r:.200}"

    def held(self) -> Iterator[tuple[int, int]]:
        """What waits in memory for it, and what the room keeps of what it says of itself."""
        if self._said < 0:
            self._said = self._room.awareness.size_of(self.session)
        yield 0, self._said
        yield from super().held()

    def relay(self, updates: Batch) -> bool:
        """Send updates of others; whether more waits for the client now than may."""
        return self._live and self._behind is None and self._put(updates)

    def relay_awareness(self, states: Batch) -> bool:
        """Send awareness states of others, likewise."""
        if self._behind is None:
            return self._put(states)
        self._awareness_behind = True
        return False

    def relay_both(self, updates: Batch, states: Batch, both: Batch) -> bool:
        """Send updates and awareness states, which are one batch also, likewise."""
        if self._live and self._behind is None:
            return self._put(both)
        return self.relay_awareness(states)

    def note_full(self, state_vector: bytes) -> None:
        """Stop queueing updates; everything up to this state has been queued."""
        self._behind = state_vector
        self._refused.count("max_outbound")
        _log.info("%s reads slowly; it will get what it misses as one update", self.name)

    def blame(self, origin: object, error: RemoteProtocolError) -> None:
        """Be let go for what this client brought earlier and was refused now."""
        if origin is self.session:
            # Not at once: it may be this client's message in which that turned out.
            asyncio.get_running_loop().call_soon(self.fail, error)

    def tick(self, now: float) -> None:
        """Let time pass for the session."""
        try:
            self._perform(self.session.tick(now))
        except Exception as error:  # noqa: BLE001 - one connection's fault ends that connection
            self.fail(error)

    def refill(self) -> None:
        """The queue is empty: put in what was held back while it was full."""
        room = self._room
        if self._behind is not None:
            messages = room.messages_since(self._behind) if self._live else []
            self._behind = None
            for message in messages:
                self.queue.put(Batch([message]))
        if self._awareness_behind:
            self._awareness_behind = False
            self.queue.put(Batch([room.awareness_message(None)]))

    def _put(self, batch: Batch) -> bool:
        try:
            return not self.queue.put(batch) and self.queue.is_full
        except Exception as error:  # noqa: BLE001 - one connection's fault ends that connection
            self.fail(error)
            return False

    def _join(self) -> None:
        self._room.clients.add(self)

    def _connected(self) -> None:
        self._perform(self.session.connected(self._room.clock()))

    def _receive(self, message: bytes) -> None:
        if not self._has_spoken:
            expect_no_repo(message)
            self._has_spoken = True
        if self._behind is not None:
            self._asked_at = self._room.document.state_vector()
        awareness = self._room.awareness
        before = awareness.ignored
        asked = self.session.questions
        self._perform(self.session.receive(message, self._room.clock()))
        if self.session.questions != asked:
            self._link.note_questions(self.session.questions - asked)
        if self._said < 0:
            self._link.note_held(len(message))
        if awareness.ignored > before:
            self._refused.count("max_awareness_state")
        if awareness.ignored > before and not self._has_lost_awareness:
            self._has_lost_awareness = True
            _log.warning(
                "%s: what it says of itself or of others is not passed on: a state of more than "
                "max_awareness_state (%d bytes of JSON), or more states than one client may have",
                self.name,
                self._room.limits.max_awareness_state,
            )

    def _is_too_fast(self) -> bool:
        if self._catching_up is None and self._room.log.is_behind:
            self._catching_up = asyncio.get_running_loop().create_task(self._catch_up())
        return self._catching_up is not None

    async def _catch_up(self) -> None:
        await self._room.log.catch_up()
        self._catching_up = None
        self.reconsider()

    def _leave(self) -> None:
        self._room.clients.discard(self)
        if self._catching_up is not None:
            self._catching_up.cancel()
        self.session.disconnected(self._room.clock())

    def _perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                # Whatever it is counts as an answer: of who does not read what it is sent, no more is read.
                ticket = self._room.log.ticket if effect.after_stored else 0
                self.queue.put_answer(Batch([effect.data]), ticket)
                if effect.after_stored:
                    self._note_answered()
            elif isinstance(effect, AwarenessChanged):
                self._said = -1

    def _note_answered(self) -> None:
        self._live = True
        if self._behind is not None:  # the answer holds everything up to then
            self._behind = self._asked_at
