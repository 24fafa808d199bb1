"""One client in one room: a protocol session between a link and the room."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from weft.errors import RemoteProtocolError, StorageError
from weft.protocols.ysync import Send, YSyncSession
from weft.server._outbox import Outbox, StalledError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.protocols.ysync import Effect
    from weft.server._outbox import Link
    from weft.server.auth import Allow
    from weft.server.rooms import Room

__all__ = ["Peer", "verdict"]

_log = logging.getLogger("weft.server")

# Seconds one client's messages are worked on before the others get their turn. Reading does not suspend while
# frames are at hand, and one packet can hold thousands.
_TURN = 0.005


def verdict(error: BaseException) -> tuple[int, str]:
    """The websocket close code and phrase that tell a client why it was let go. All of them are here."""
    match error:
        case RemoteProtocolError():
            return 1007, "invalid message"
        case StorageError():
            return 1013, "storage is not available"
        case StalledError():
            return 1013, "too slow"
        case _:
            return 1011, "internal error"


class Peer:
    """One client in one room. Whatever goes wrong with it ends it, and nobody else.

    Args:
        room: An open room.
        link: The client's connection.
        allow: What it may do.
        name: How the logs call it.
    """

    def __init__(self, room: Room, link: Link, allow: Allow, *, name: str) -> None:
        limits = allow.limits or room.limits
        self.session = YSyncSession(
            room.document,
            role="server",
            awareness=room.awareness,
            limits=limits,
            read_only=allow.read_only,
        )
        self.outbox = Outbox(
            link,
            max_bytes=limits.max_outbound,
            stored=room.log.stored,
            refill=self._catch_up,
            stall_timeout=room.settings.stall_timeout,
        )
        self._room = room
        self._link = link
        self._name = name
        # Updates are relayed from the first answer to a SyncStep1 on: before it the client has no state they
        # could build upon, and the answer contains them.
        self._live = False
        # State vector of what was relayed before the queue was full; from then on updates are not queued but
        # read from the document, as one, when the queue has emptied.
        self._behind: bytes | None = None
        self._awareness_behind = False
        self._ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve the client until it leaves or is let go. Does not raise for what it or storage did."""
        room = self._room
        room.peers.add(self)
        tasks: set[asyncio.Future[None]] = {
            asyncio.create_task(self._read()),
            asyncio.create_task(self.outbox.run()),
        }
        try:
            ends: set[asyncio.Future[Any]] = {*tasks, self._ended}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            room.peers.discard(self)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            self._perform(self.session.disconnected(room.clock()))
        if self._ended.done():
            await self._link.close(*self._ended.result())
        for error in results:
            if isinstance(error, BaseException) and not isinstance(error, asyncio.CancelledError):
                await self._let_go(error)

    def end(self, code: int, reason: str) -> None:
        """Have the client let go with a close code and phrase."""
        if not self._ended.done():
            self._ended.set_result((code, reason))

    def relay(self, message: bytes) -> None:
        """Queue an update message from somebody else. Never fails and never waits."""
        if self._live and self._behind is None:
            self.outbox.put(message)
            if self.outbox.is_full:
                self._room.somebody_is_full()

    def relay_awareness(self, message: bytes) -> None:
        """Queue an awareness message from somebody else."""
        if self._behind is None:
            self.outbox.put(message)
        else:
            self._awareness_behind = True

    def note_full(self, state_vector: bytes) -> None:
        """Stop queueing updates if the queue is full; everything up to this state has been queued."""
        if self.outbox.is_full and self._behind is None:
            self._behind = state_vector
            _log.info("%s reads slowly; it will get what it misses as one update", self._name)

    def tick(self, now: float) -> None:
        """Let time pass for the session."""
        self._perform(self.session.tick(now))

    async def _read(self) -> None:
        room = self._room
        loop = asyncio.get_running_loop()
        self._perform(self.session.connected(room.clock()))
        turn = loop.time()
        while (message := await self._link.read()) is not None:
            self._perform(self.session.receive(message, room.clock()))
            if self.outbox.is_choked:
                await self.outbox.settle()
            if room.log.is_behind:
                await room.log.catch_up()
            if loop.time() - turn > _TURN:
                await asyncio.sleep(0)
                turn = loop.time()

    def _perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                if effect.after_stored:
                    self._answer(effect.data)
                else:
                    self.outbox.put(effect.data)

    def _answer(self, message: bytes) -> None:
        room = self._room
        self.outbox.put_answer(message, room.log.ticket)
        self._live = True
        if self._behind is not None:  # the answer holds everything up to now
            self._behind = room.document.state_vector()

    def _catch_up(self) -> None:
        room = self._room
        if self._behind is not None:
            message = room.message_since(self._behind)
            self._behind = None
            if message is not None:
                self.outbox.put(message)
        if self._awareness_behind:
            self._awareness_behind = False
            self.outbox.put(room.awareness_message(None))

    async def _let_go(self, error: BaseException) -> None:
        code, reason = verdict(error)
        if code == 1011:
            _log.error("%s failed", self._name, exc_info=error)
        else:
            _log.info("%s is let go (%d %s): %.200s", self._name, code, reason, error)
        await self._link.close(code, reason)
