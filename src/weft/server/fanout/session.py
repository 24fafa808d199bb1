"""What one process does so that its open rooms stay equal to the same rooms in other processes; no I/O.

What a process has committed it tells the others, by a broker that may lose anything; what a process was not
told, it finds in storage: a hole in the numbers after 50 ms, whatever else within a second. So there is no
leader and no lease, and a broker that is away costs that second and nothing else.

Awareness and other things that are not kept go over the broker alone. A process that opens a room asks, the
others answer with what their *own* clients say; a process that has been silent for 15 s counts as gone.

The clock is an argument, and what is to be done is returned.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from weft._support.histogram import Histogram
from weft.errors import RemoteProtocolError
from weft.server.fanout.follower import HOLE_S, Follower
from weft.server.fanout.messages import (
    SENDER_BYTES,
    Bye,
    Hint,
    Question,
    Told,
    beat_message,
    bye_message,
    hint_message,
    question_message,
    read_message,
    told_message,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "BEAT_S", "HEADS_S", "PROCESSES", "SILENT_S", "Answer", "Deleted", "FanoutEffect", "FanoutSession",
    "FanoutStats", "Fetch", "Forget", "Hear", "Publish", "ReadHeads", "TakeIn", "room_channel",
]  # fmt: skip

_log = logging.getLogger("weft.server")

BEAT_S = 5.0
SILENT_S = 15.0
HEADS_S = 1.0
PROCESSES = "processes"
"""The channel of all."""
_ROOM = "room:"
_MAX_SILENT = 1000


def room_channel(room: str) -> str:
    """The channel of a room."""
    return _ROOM + room


@dataclass(frozen=True, slots=True)
class Publish:
    """Hand a message to the broker."""

    channel: str
    message: bytes


@dataclass(frozen=True, slots=True)
class TakeIn:
    """Have a room take in what other processes have stored, in order, with its numbers."""

    room: str
    updates: Sequence[bytes]
    numbers: Sequence[int] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Hear:
    """Have a room hear what another process passes on."""

    room: str
    sender: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """Pass on what the clients of this process say of themselves in a room: :meth:`FanoutSession.tell`."""

    room: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Tell every room that another process is gone, and with it the clients known by it."""

    sender: bytes


@dataclass(frozen=True, slots=True)
class Deleted:
    """Tell a room that it was deleted from storage."""

    room: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read what a room has in storage beyond a number; then :meth:`FanoutSession.fetched`."""

    room: str
    number: int


@dataclass(frozen=True, slots=True)
class ReadHeads:
    """Read the numbers of the last updates of rooms; then :meth:`FanoutSession.heads_read`."""

    rooms: Sequence[str]


FanoutEffect: TypeAlias = Publish | TakeIn | Hear | Answer | Forget | Deleted | Fetch | ReadHeads


_LAGS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds


@dataclass(slots=True)
class FanoutStats:
    """What has happened between this process and others, counted since its start.

    Attributes:
        hints: Hints received.
        lag_s: Seconds from commit to receipt of the last hint, by the clocks of both machines.
        lags: The same of all hints.
        holes: Holes that did not close by themselves.
        fetched: Rows fetched from storage, as no hint had brought them.
        unreadable: Messages that could not be read.
        processes: Other processes heard of within the last 15 s.
    """

    hints: int = 0
    lag_s: float = 0.0
    lags: Histogram = field(default_factory=lambda: Histogram(_LAGS))
    holes: int = 0
    fetched: int = 0
    unreadable: int = 0
    processes: int = 0


class _Followed:
    """A room that is followed."""

    __slots__ = ("follower", "is_fetching", "not_before")

    def __init__(self, number: int) -> None:
        self.follower = Follower(number)
        self.is_fetching = False
        self.not_before = float("-inf")  # after a fetch that failed


class FanoutSession:
    """One process's side of it.

    Times are seconds on one monotonic clock; those on the machine's clock are called so.

    Args:
        sender: Names this process; drawn anew by each.
        max_message: Bytes a message may have to be carried well.
        now: The time.
    """

    def __init__(self, sender: bytes, *, max_message: int, now: float) -> None:
        self.stats = FanoutStats()
        self.sender = sender
        self._max_message = max_message
        self._rooms: dict[str, _Followed] = {}
        self._opening: dict[str, int] = {}  # subscribed to and not yet loaded; the highest number heard of
        self._holes: dict[str, _Followed] = {}  # and nobody fetches
        self._heard_of: dict[bytes, float] = {}  # other processes, and when they were last heard of
        self._silent: dict[bytes, None] = {}  # those that count as gone, the latest of them
        self._is_reading_heads = False
        self._watch_at = self._beat_at = now

    # What the process does

    def opening(self, room: str) -> None:
        """A room is about to be loaded; its channel is subscribed to before that.

        A hint older than the subscription was committed before the load; a later one is remembered.
        """
        self._opening[room] = 0

    def opened(self, room: str, number: int, now: float) -> list[FanoutEffect]:
        """Follow a room that has been loaded, up to a number, and ask for what is not kept."""
        followed = self._rooms[room] = _Followed(number)
        followed.follower.heard(self._opening.pop(room, 0), now)
        return [*self._after(room, followed, []), Publish(room_channel(room), question_message(self.sender))]

    def closed(self, room: str) -> None:
        """Follow a room no more, also one that was being opened."""
        self._opening.pop(room, None)
        self._rooms.pop(room, None)
        self._holes.pop(room, None)

    def committed(
        self, room: str, first: int, updates: Sequence[bytes], now: float, *, wall_s: float
    ) -> list[FanoutEffect]:
        """This process has committed updates. Not to be called before it has.

        Args:
            room: The room.
            first: Number of the first of them.
            updates: They.
            now: The time.
            wall_s: The time by the machine's clock, in seconds since 1970.
        """
        followed = self._rooms.get(room)
        effects: list[FanoutEffect] = []
        if followed is not None:
            effects = self._after(room, followed, followed.follower.committed(first, len(updates), now))
        sent = updates if sum(map(len, updates)) + 16 * len(updates) <= self._max_message else ()
        message = hint_message(self.sender, int(wall_s * 1000), first, len(updates), sent)
        effects.append(Publish(room_channel(room), message))
        return effects

    def tell(self, room: str, data: bytes) -> Publish:
        """Pass on what is not kept to whoever has the room open elsewhere."""
        return Publish(room_channel(room), told_message(self.sender, data))

    def bye(self) -> Publish:
        """Say that the process ends."""
        return Publish(PROCESSES, bye_message(self.sender))

    # What the broker tells

    def connected(self) -> list[FanoutEffect]:
        """There is a connection: see what was missed, and say what was not heard."""
        effects: list[FanoutEffect] = [Publish(PROCESSES, beat_message(self.sender))]
        for room in self._rooms:
            effects += [Publish(room_channel(room), question_message(self.sender)), Answer(room)]
        return effects + self._look()

    def received(self, channel: str, message: bytes, now: float, *, wall_s: float) -> list[FanoutEffect]:
        """A message came; it may be one of this process's own, or one that nobody can read."""
        if message[2 : 2 + SENDER_BYTES] == self.sender:
            return []
        try:
            read = read_message(message)
        except RemoteProtocolError as error:
            self.stats.unreadable += 1
            if self.stats.unreadable == 1:  # once is news
                _log.warning("from another server process: %s", error)
            return []
        if read.sender in self._silent:  # it was held up: ask what its clients say, which was forgotten here
            del self._silent[read.sender]
            asked = [Publish(room_channel(room), question_message(self.sender)) for room in self._rooms]
            return [*asked, *self.received(channel, message, now, wall_s=wall_s)]
        self._heard_of[read.sender] = now
        if isinstance(read, Bye):
            del self._heard_of[read.sender]
            return [Forget(read.sender)]
        if not channel.startswith(_ROOM):
            return []  # a beat
        room = channel.removeprefix(_ROOM)
        followed = self._rooms.get(room)
        if isinstance(read, Hint):
            self.stats.hints += 1
            self.stats.lag_s = max(0.0, wall_s - read.sent_ms / 1000)
            self.stats.lags.note(self.stats.lag_s)
            if followed is not None:
                return self._after(
                    room, followed, followed.follower.hinted(read.first, read.updates, read.count, now)
                )
            if room in self._opening:
                self._opening[room] = max(self._opening[room], read.first + read.count - 1)
        elif followed is not None and isinstance(read, Told):
            return [Hear(room, read.sender, read.data)]
        elif followed is not None and isinstance(read, Question):
            return [Answer(room)]
        return []  # of a room that is closed here

    # What storage tells

    def fetched(
        self, room: str, rows: Iterable[tuple[int, bytes]], head: int, now: float
    ) -> list[FanoutEffect]:
        """What a :class:`Fetch` asked for was read: numbers and updates, and up to which number."""
        followed = self._rooms.get(room)
        if followed is None:
            return []
        followed.is_fetching = False
        updates = followed.follower.fetched(rows, head, now)
        self.stats.fetched += len(updates)
        return self._after(room, followed, updates)

    def fetch_failed(self, room: str, now: float) -> None:
        """It could not be read; it will be asked for again."""
        followed = self._rooms.get(room)
        if followed is not None:
            followed.is_fetching = False
            followed.not_before = now + HEADS_S
            self._after(room, followed, [])

    def heads_read(self, heads: Mapping[str, int] | None, now: float) -> list[FanoutEffect]:
        """What :class:`ReadHeads` asked for: below zero for what was deleted; ``None``: it cannot be read."""
        self._is_reading_heads = False
        return self.heard(heads or {}, now)

    def heard(self, heads: Mapping[str, int], now: float) -> list[FanoutEffect]:
        """These are, or were a moment ago, the numbers of the last updates of rooms."""
        effects: list[FanoutEffect] = []
        for room, head in heads.items():
            followed = self._rooms.get(room)
            if followed is None:
                continue
            if head < 0:
                effects.append(Deleted(room))
            else:
                followed.follower.heard(head, now)
                self._after(room, followed, [])
        return effects

    def has_taken_in(self, heads: Mapping[str, int]) -> bool:
        """Whether everything up to these numbers was taken in, of the rooms that are followed."""
        followed = ((self._rooms.get(room), head) for room, head in heads.items())
        return all(room is None or room.follower.number >= head for room, head in followed)

    # Time

    def next_tick(self) -> float:
        """When :meth:`tick` is next due."""
        return min([self._watch_at, *map(_due, self._holes.values())])

    def tick(self, now: float) -> list[FanoutEffect]:
        """Do what is due; it does no harm to call it too often."""
        effects: list[FanoutEffect] = []
        for room, followed in tuple(self._holes.items()):
            if now >= _due(followed):
                del self._holes[room]
                followed.is_fetching = True
                self.stats.holes += 1
                effects.append(Fetch(room, followed.follower.number))
        if now < self._watch_at:
            return effects
        self._watch_at = now + HEADS_S
        if now >= self._beat_at:
            self._beat_at = now + BEAT_S
            effects.append(Publish(PROCESSES, beat_message(self.sender)))
        for sender, heard in tuple(self._heard_of.items()):
            if now - heard > SILENT_S:
                del self._heard_of[sender]
                self._silent[sender] = None
                if len(self._silent) > _MAX_SILENT:
                    del self._silent[next(iter(self._silent))]
                effects.append(Forget(sender))
        self.stats.processes = len(self._heard_of)
        return effects + self._look()

    def _look(self) -> list[FanoutEffect]:
        if self._is_reading_heads or not self._rooms:
            return []
        self._is_reading_heads = True
        return [ReadHeads(tuple(self._rooms))]

    def _after(self, room: str, followed: _Followed, updates: Sequence[bytes]) -> list[FanoutEffect]:
        """Have updates taken in, and note whether there is a hole behind them."""
        if followed.follower.has_hole and not followed.is_fetching:
            self._holes[room] = followed
        elif self._holes:
            self._holes.pop(room, None)
        return [TakeIn(room, updates, followed.follower.taken)] if updates else []


def _due(followed: _Followed) -> float:
    since = followed.follower.hole_since()
    return max(followed.not_before, float("-inf") if since is None else since + HOLE_S)
