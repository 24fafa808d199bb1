"""Awareness: small states that come and go with their owners (who is here, where the cursor is).

Protocol: y-protocols 1.0.7 ``awareness.js``. A message is a count, then for each client its id, a clock and
the state as JSON text, ``null`` for one who has left. A state is taken if its clock is higher than the one
known, or if it is equal and the state is ``null``. Owners renew theirs every 15 seconds; who has not been
heard of for 30 is gone.

Where it differs, on purpose:

* A message is decoded whole before any of it counts; y-protocols applies the entries before a bad one and
  tells nobody. An entry that is well-formed and over a limit is ignored, the others count.
* What is remembered of clients who left is bounded and forgotten. y-protocols keeps it for ever, so that a
  stream of made-up ids fills the memory.
* The local state is the local program's: a peer that announces another one makes this side announce its own
  again, with a higher clock.
* After a reconnect the server's word counts afresh, so that nobody stays invisible until the next renewal.
"""

from __future__ import annotations

from _thread import get_ident
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from weft._codecs.yjs.lib0 import Writer
from weft._support.callbacks import subscribe
from weft._support.owner import Owner
from weft._support.uncopied import Uncopied
from weft.jsoncodec import dumps, loads
from weft.limits import DEFAULT_LIMITS, Limits
from weft.protocols.awareness.change import AwarenessChange
from weft.protocols.awareness.known import RENEWAL_S, Known, is_free
from weft.protocols.awareness.message import AwarenessEntry, State, read_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["EXPIRY_S", "RENEWAL_S", "Awareness"]

EXPIRY_S = 30.0  # y-protocols: outdatedTimeout
# The clock of somebody who left is known this long, so that a late message does not bring the state back.
_MEMORY_S = 30.0
# Two programs with one client id would answer each other's claims for ever; at this pace it does no harm.
_REASSERT_S = 1.0
_MAX_CLOCK = 2**32 - 1  # of a client not known: at one change a millisecond, 49 days
_MAX_CLOCK_STEP = 2**20  # beyond what is known; a clock near the end could not be followed by an honest one

Observer: TypeAlias = "Callable[[AwarenessChange, object | None], None]"


class Awareness(Uncopied):
    """The states of everybody in a room, and one's own.

    While anybody observes it (a provider, a room), it belongs to the thread that did so first; in another one
    whatever changes it raises ``WrongThreadError``, before anything changes. ``now`` is always seconds on one
    monotonic clock.

    Args:
        client_id: One's own id; by custom the document's client id.
        limits: How many states are kept, and how large one may be.
    """

    def __init__(self, client_id: int, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self.client_id = client_id
        self.ignored = 0  # entries received that were over a limit
        # Origins that pass on what clients elsewhere say. Such a client may come here itself at any time.
        self.relays: set[object] = set()
        self._limits = limits
        self._owner = Owner("the awareness")
        self._known: dict[int, Known] = {}
        self._states: dict[int, State] = {}
        self._left: dict[int, tuple[int, float]] = {}  # clock and time, in the order of leaving
        self._clock = 0  # one's own; peers take a first state from 1 on
        self._observers: list[Observer] = []
        self._due = float("inf")
        self._reassert_at = float("-inf")
        self._reassert_due: float | None = None

    @property
    def states(self) -> Mapping[int, State]:
        """The states by client id, one's own among them. A live view; the states are not to be changed."""
        return MappingProxyType(self._states)

    @property
    def local_size(self) -> int:
        """Bytes of JSON in one's own state."""
        known = self._known.get(self.client_id)
        return 0 if known is None else len(known.text.encode())

    def size_of(self, origin: object) -> int:
        """Characters of JSON in the states that an origin has brought."""
        return sum(len(known.text) for known in self._known.values() if known.origin is origin)

    @property
    def local_state(self) -> State | None:
        """One's own state, or ``None``. Not to be changed: set it."""
        return self._states.get(self.client_id)

    def set_local_state(self, state: Mapping[str, Any] | None, now: float) -> None:
        """Set one's own state, or leave with ``None``.

        Args:
            state: What JSON can say, at most ``limits.max_awareness_state`` bytes of it.
            now: The time.

        Raises:
            TypeError: A type that JSON does not have.
            ValueError: A value it does not have, or too much of it. Nothing changed.
        """
        self._check_owner()
        if state is None:
            if self.client_id not in self._known:
                return
            self._clock += 1
            del self._known[self.client_id], self._states[self.client_id]
            self._notify(AwarenessChange(removed=(self.client_id,)), None)
            return
        text = dumps(dict(state))
        size, most = len(text.encode()), self._limits.max_awareness_state
        if size > most:
            raise ValueError(f"an awareness state of {size} bytes of JSON; {most} are allowed")
        before = self._known.get(self.client_id)
        self._clock += 1
        self._keep(self.client_id, Known(loads(text), text, self._clock, now, None))
        own = (self.client_id,)
        if before is None:
            self._notify(AwarenessChange(added=own), None)
        else:
            self._notify(AwarenessChange(updated=own, renewed=own if before.text == text else ()), None)

    def set_local_field(self, name: str, value: object, now: float) -> None:
        """Set one entry of one's own state; without a state it becomes the first entry of one."""
        self.set_local_state({**(self.local_state or {}), name: value}, now)

    def renew(self, now: float, *, origin: object | None = None) -> None:
        """Announce one's own state again under a new clock, if there is one.

        A peer that knew it before an interruption takes it only then.
        """
        self._check_owner()
        known = self._known.get(self.client_id)
        if known is not None:
            self._clock += 1
            known.clock, known.at = self._clock, now
            self._schedule(now + RENEWAL_S)
            own = (self.client_id,)
            self._notify(AwarenessChange(updated=own, renewed=own), origin)

    def encode(self, ids: Iterable[int] | None = None) -> bytes:
        """Encode states, without the framing of a message.

        Args:
            ids: Of these clients, ``null`` for those who left; those never heard of are left out. All
                present ones without it.
        """
        entries = []
        for client_id in self._known if ids is None else ids:
            known = self._known.get(client_id)
            if known is not None:
                entries.append((client_id, known.clock, known.text))
            elif client_id == self.client_id:
                entries.append((client_id, self._clock, "null"))
            elif client_id in self._left:
                entries.append((client_id, self._left[client_id][0], "null"))
        writer = Writer().uint(len(entries))
        for client_id, clock, text in entries:
            writer.uint(client_id).uint(clock).string(text)
        return writer.finish()

    def encode_departure(self) -> bytes:
        """Encode that one leaves. Peers take that at the clock they know, so one's state here stays."""
        own = self._known.get(self.client_id)
        clock = self._clock if own is None else own.clock
        return Writer().uint(1).uint(self.client_id).uint(clock).string("null").finish()

    def decode(self, data: bytes) -> list[AwarenessEntry]:
        """Decode a message; see :meth:`apply`. No state changes.

        Raises:
            RemoteProtocolError: It is malformed.
        """
        entries, ignored = read_entries(data, self._limits)
        self.ignored += ignored
        return entries

    def apply(
        self, data: bytes, *, now: float, origin: object | None = None, exclusive: bool = False
    ) -> AwarenessChange:
        """Take in a received message.

        Args:
            data: The message, without framing.
            now: The time.
            origin: Who brought it; compared by identity, and handed to the observers.
            exclusive: Whether the origin speaks for itself, as a server's client does, and not for all, as a
                server does. Then the number of clients it may speak for is limited, and those that somebody
                else speaks for are not its to change as long as they are renewed.

        Returns:
            What changed; the observers have been told.

        Raises:
            RemoteProtocolError: It is malformed. Nothing changed.
        """
        return self.apply_entries(self.decode(data), now=now, origin=origin, exclusive=exclusive)

    def apply_entries(
        self,
        entries: Iterable[AwarenessEntry],
        *,
        now: float,
        origin: object | None = None,
        exclusive: bool = False,
    ) -> AwarenessChange:
        """Take in what :meth:`decode` gave for the same arguments."""
        self._check_owner()
        added: dict[int, None] = {}  # ordered sets
        updated: dict[int, bool] = {}  # whether different
        removed: dict[int, None] = {}
        claimed = False
        free = self._free_places(origin) if exclusive else self._limits.max_awareness_states
        for entry in entries:
            client_id = entry.client_id
            known_clock = self._clock_of(client_id)
            if entry.clock > (_MAX_CLOCK if known_clock is None else known_clock + _MAX_CLOCK_STEP):
                self.ignored += 1
                continue
            if client_id == self.client_id:
                claimed |= self._note_claim(entry)
                continue
            known = self._known.get(client_id)
            if known is None:
                # As y-protocols: clock 0 is the empty state that everybody is born with, and not taken.
                if entry.clock <= (known_clock or 0):
                    continue
                if entry.state is None:
                    if not exclusive:  # it could keep somebody else from coming
                        self._remember(client_id, entry.clock, now)
                    continue
                if free <= 0 or self._is_full():
                    self.ignored += 1
                    continue
                free -= 1
            else:
                if entry.clock < known.clock or (entry.clock == known.clock and entry.state is not None):
                    continue
                if (
                    exclusive
                    and known.origin is not origin
                    and known.origin not in self.relays
                    and not is_free(known, entry, now)
                ):
                    self.ignored += 1
                    continue
            if entry.state is None:
                self._drop(client_id, now, clock=entry.clock)
                if added.pop(client_id, 0) == 0:
                    removed[client_id] = None
                updated.pop(client_id, None)
                continue
            if known is None:
                if removed.pop(client_id, 0) is None:
                    updated[client_id] = True
                else:
                    added[client_id] = None
            elif client_id not in added:
                updated[client_id] = updated.get(client_id, False) or entry.text != known.text
            self._keep(client_id, Known(entry.state, entry.text, entry.clock, now, origin))
        change = AwarenessChange(
            tuple(added),
            tuple(updated),
            tuple(removed),
            tuple(key for key, new in updated.items() if not new),
        )
        if change:
            self._notify(change, origin)
        if claimed:
            self._reassert(now)
        return change

    def remove(self, ids: Iterable[int], *, now: float, origin: object | None = None) -> AwarenessChange:
        """Take clients to have left; for one's own id, leave."""
        self._check_owner()
        ids = tuple(ids)
        if self.client_id in ids:
            self.set_local_state(None, now)
        gone = tuple(client_id for client_id in dict.fromkeys(ids) if self._drop(client_id, now))
        change = AwarenessChange(removed=gone)
        if change:
            self._notify(change, origin)
        return change

    def release(self, origin: object, *, now: float, forget: bool) -> AwarenessChange:
        """Take the clients an origin spoke for to have left, as its connection is over.

        Args:
            origin: Who spoke for them.
            now: The time.
            forget: Forget their clocks too, so that the states count when they are announced again as they
                were; right where the origin was a server, which will do that.
        """
        ids = [client_id for client_id, known in self._known.items() if known.origin is origin]
        if self.client_id in ids:
            ids.remove(self.client_id)
        change = self.remove(ids, now=now, origin=origin)
        if forget:
            self.forget(ids)
        return change

    def forget(self, ids: Iterable[int]) -> None:
        """Forget the clocks of clients that have left; that they have can be told nobody any more."""
        for client_id in ids:
            self._left.pop(client_id, None)

    def ids_here(self) -> list[int]:
        """Of whom somebody other than a relay has spoken: one's own, and those of connections."""
        return [client_id for client_id, known in self._known.items() if known.origin not in self.relays]

    def next_tick(self) -> float | None:
        """When :meth:`tick` will have something to do, or ``None``."""
        return None if self._due == float("inf") else self._due

    def tick(self, now: float) -> AwarenessChange:
        """Renew one's own state if it is time, and let go of those who have not been heard of."""
        self._check_owner()
        if now < self._due:
            return AwarenessChange()
        gone = tuple(
            client_id
            for client_id, known in self._known.items()
            if client_id != self.client_id and now - known.at >= EXPIRY_S
        )
        removed = self.remove(gone, now=now)
        own = self._known.get(self.client_id)
        reassert = self._reassert_due is not None and now >= self._reassert_due
        renewed: tuple[int, ...] = ()
        if reassert or (own is not None and now - own.at >= RENEWAL_S):
            renewed = (self.client_id,)
            self._assert_own(now)
        for client_id, (_, at) in tuple(self._left.items()):
            if now - at < _MEMORY_S:
                break
            del self._left[client_id]
        self._reschedule()
        return AwarenessChange((), renewed if own is not None else (), removed.removed, renewed)

    def observe(self, callback: Observer) -> Callable[[], None]:
        """Hear each change.

        Args:
            callback: ``callback(change, origin)``; the origin is the one given with the change, and ``None``
                for what began here: one's own state, an expiry. It must not raise.

        Returns:
            A function that ends it; calling it again does nothing.
        """
        hold = self._owner.hold()
        end = subscribe(self._observers, callback)

        def unsubscribe() -> None:
            end()
            hold.drop()

        return unsubscribe

    def _check_owner(self) -> None:
        if get_ident() != self._owner.thread:
            self._owner.check()

    def _notify(self, change: AwarenessChange, origin: object | None) -> None:
        for callback in tuple(self._observers):
            callback(change, origin)

    def _clock_of(self, client_id: int) -> int | None:
        if client_id == self.client_id:
            return self._clock
        known = self._known.get(client_id)
        if known is not None:
            return known.clock
        left = self._left.get(client_id)
        return None if left is None else left[0]

    def _free_places(self, origin: object) -> int:
        """How many more clients an origin may speak for."""
        taken = sum(known.origin is origin for known in self._known.values())
        return self._limits.max_awareness_states_per_session - taken

    def _is_full(self) -> bool:
        # One's own state has its place whoever else is here.
        others = len(self._known) - (self.client_id in self._known)
        return others >= self._limits.max_awareness_states

    def _keep(self, client_id: int, known: Known) -> None:
        self._known[client_id] = known
        self._states[client_id] = known.state
        self._left.pop(client_id, None)
        self._schedule(known.at + (RENEWAL_S if client_id == self.client_id else EXPIRY_S))

    def _drop(self, client_id: int, now: float, *, clock: int | None = None) -> bool:
        known = self._known.pop(client_id, None)
        if known is None:
            return False
        del self._states[client_id]
        self._remember(client_id, known.clock if clock is None else clock, now)
        return True

    def _remember(self, client_id: int, clock: int, now: float) -> None:
        self._left.pop(client_id, None)  # the order is that of leaving
        self._left[client_id] = (clock, now)
        if len(self._left) > self._limits.max_awareness_states:
            del self._left[next(iter(self._left))]
        self._schedule(now + _MEMORY_S)

    def _schedule(self, when: float) -> None:
        self._due = min(self._due, when)

    def _reschedule(self) -> None:
        dues = [
            known.at + (RENEWAL_S if client_id == self.client_id else EXPIRY_S)
            for client_id, known in self._known.items()
        ]
        dues.extend(at + _MEMORY_S for _, at in self._left.values())
        if self._reassert_due is not None:
            dues.append(self._reassert_due)
        self._due = min(dues, default=float("inf"))

    def _note_claim(self, entry: AwarenessEntry) -> bool:
        """Look at what a peer says of one's own id; whether it has to be contradicted."""
        present = self.client_id in self._known
        if entry.clock < self._clock or (entry.clock == self._clock and (entry.state is None) != present):
            return False  # old news, or what is the case
        self._clock = max(self._clock, entry.clock)
        return present or entry.state is not None

    def _reassert(self, now: float) -> None:
        if now - self._reassert_at >= _REASSERT_S:
            self._assert_own(now)
        elif self._reassert_due is None:
            self._reassert_due = self._reassert_at + _REASSERT_S
            self._schedule(self._reassert_due)

    def _assert_own(self, now: float) -> None:
        """Announce one's own state or absence under a new clock, also to the one who claimed otherwise."""
        self._reassert_at, self._reassert_due = now, None
        if self.client_id in self._known:
            self.renew(now)
        else:
            self._clock += 1
            self._notify(AwarenessChange(removed=(self.client_id,)), None)
