"""What one turn of the event loop brings for the clients of a room leaves together, encoded once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from weft.server._core.batch import Batch
from weft.server._core.counters import RoomCounters

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

__all__ = ["Turn", "TurnClient"]

# After telling the clients, no more is told for so many times the processor time that it took, and at most
# so many seconds: what comes meanwhile is joined. A write to a socket costs the same however little is in
# it, so that with many clients and writers it is most of what a server does. In a small room this is a
# fraction of a millisecond, and who writes after a pause is told of at the end of the turn.
_PACE = 2.5
_MAX_PAUSE = 0.05


class TurnClient(Protocol):
    """A client that is told what others have done."""

    @property
    def session(self) -> object:
        """The origin of what this client changes."""

    def relay(self, updates: Batch) -> bool:
        """Send updates; whether more waits for the client now than may. Never fails and never waits."""

    def relay_awareness(self, states: Batch) -> bool:
        """Send awareness states, likewise."""

    def relay_both(self, updates: Batch, states: Batch, both: Batch) -> bool:
        """Send updates and awareness states, which are one batch also, likewise."""

    def note_full(self, state_vector: bytes) -> None:
        """Stop queueing updates; everything up to this state has been sent or queued."""


class Turn:
    """Collects what happens in a room, and tells the clients of it at the end of the turn.

    A client whose own is all that there is is told nothing. Where others wrote in the same turn, everybody
    gets the same bytes, those who wrote too: to have one's own again does no harm, and one frame for all
    costs less than one for each.

    Args:
        clients: Those in the room.
        update_messages: Makes messages of the updates of a turn.
        awareness_message: Makes the message with the states of some clients.
        state_vector: What the document has.
        counters: Of the server's rooms.
    """

    __slots__ = (
        "_awareness_message", "_clients", "_counters", "_ids", "_is_scheduled", "_not_before", "_speakers",
        "_state_vector", "_update_messages", "_updates", "_writers",
    )  # fmt: skip

    def __init__(
        self,
        clients: Collection[TurnClient],
        *,
        update_messages: Callable[[Sequence[bytes]], Sequence[bytes]],
        awareness_message: Callable[[Iterable[int]], bytes],
        state_vector: Callable[[], bytes],
        counters: RoomCounters | None = None,
    ) -> None:
        self._counters = counters or RoomCounters()
        self._clients = clients
        self._update_messages = update_messages
        self._awareness_message = awareness_message
        self._state_vector = state_vector
        self._updates: list[bytes] = []
        self._writers: list[object] = []  # the origin of each, without repetitions in a row
        self._ids: dict[int, None] = {}
        self._speakers: list[object] = []
        self._is_scheduled = False
        self._not_before = 0.0  # on the loop's clock

    def add_update(self, update: bytes, origin: object) -> None:
        """Have an update told."""
        self._updates.append(update)
        if not self._writers or self._writers[-1] is not origin:
            self._writers.append(origin)
        self._schedule()

    def add_awareness(self, ids: Iterable[int], origin: object) -> None:
        """Have the states told that these clients have at the end of the turn."""
        self._ids.update(dict.fromkeys(ids))
        if not self._speakers or self._speakers[-1] is not origin:
            self._speakers.append(origin)
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            loop = asyncio.get_running_loop()
            if loop.time() >= self._not_before:
                loop.call_soon(self.flush)
            else:
                loop.call_at(self._not_before, self.flush)

    def flush(self) -> None:
        """Tell it now."""
        began = time.thread_time()
        updates, self._updates = self._updates, []
        writers, self._writers = self._writers, []
        ids, self._ids = self._ids, {}
        speakers, self._speakers = self._speakers, []
        self._is_scheduled = False
        told = Batch(self._update_messages(updates)) if updates else None
        states = Batch([self._awareness_message(ids)]) if ids else None
        both = None if told is None or states is None else Batch([*told.messages, *states.messages])
        writer = writers[0] if len(writers) == 1 else self
        speaker = speakers[0] if len(speakers) == 1 else self
        full: list[TurnClient] = []
        told_clients = 0
        for client in tuple(self._clients):
            origin = client.session
            is_full = False
            if told is not None and origin is not writer:
                told_clients += 1
                if both is not None and states is not None and origin is not speaker:
                    is_full = client.relay_both(told, states, both)
                else:
                    is_full = client.relay(told)
            elif states is not None and origin is not speaker:
                is_full = client.relay_awareness(states)
            if is_full:
                full.append(client)
        if told is not None:
            self._counters.relayed += told_clients * len(updates)
            self._counters.relayed_bytes += told_clients * told.size
        if full:
            state_vector = self._state_vector()
            for client in full:
                client.note_full(state_vector)
        pause = min(_PACE * (time.thread_time() - began), _MAX_PAUSE)
        self._not_before = asyncio.get_running_loop().time() + pause
