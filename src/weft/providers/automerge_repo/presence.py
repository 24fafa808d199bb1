"""Who else has a document open, and what they say of themselves, as automerge-repo's peers tell each other.

Format: automerge-repo 2.5 (``presence/Presence.ts``). Each message is a map with the one key ``__presence``:
a ``snapshot`` of one's whole state, an ``update`` of one channel of it, a ``heartbeat`` when there was
nothing else to say, and a ``goodbye``. Who hears of somebody new tells its own state a little later.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, TypeAlias

from weft._support.callbacks import subscribe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from weft._aio.clock import Clock
    from weft.limits import Limits

__all__ = ["Presence", "PresenceListener"]

_MARK = "__presence"
_HEARTBEAT_S = 15.0
_EXPIRY_S = 45.0  # three heartbeats
_ANNOUNCE_S = 0.5  # until who is new is told one's state: by then it hears
_MAX_CHANNELS = 64  # of one peer's state; so that updates cannot make it grow for ever

PresenceListener: TypeAlias = "Callable[[str, Mapping[str, object] | None], None]"
"""Called with a peer's name and its state; ``None`` when it has left or was not heard of any more."""


@dataclass(slots=True)
class _PeerState:
    state: dict[str, object]
    heard_at: float


class Presence:
    """One's own state and that of the others who have a document open; made by ``DocHandle.presence``.

    Others forget a peer that says goodbye at once, and one whose connection breaks 45 seconds after its last
    word; so does this one.

    Args:
        state: One's own, channel by channel.
        check: Raises for what cannot be broadcast.
        say: Broadcasts a message.
        rearm: Called when :meth:`tick` has something to do earlier than it said.
        clock: Measures the age of states.
        limits: ``max_awareness_states`` bounds how many peers are remembered.
        report: Takes what listeners raise.
    """

    def __init__(
        self,
        state: Mapping[str, object],
        *,
        check: Callable[[object], object],
        say: Callable[[object], bool],
        rearm: Callable[[], None],
        clock: Clock,
        limits: Limits,
        report: Callable[[Exception], None],
    ) -> None:
        self._check = check
        self._check(dict(state))
        self._local = dict(state)
        self._say = say
        self._rearm = rearm
        self._clock = clock
        self._limits = limits
        self._report = report
        self._peers: dict[str, _PeerState] = {}
        self._listeners: list[PresenceListener] = []
        self._present = True
        self._beat_at: float | None = None  # while there is a connection on which one was announced
        self._announce_at: float | None = None

    @property
    def is_present(self) -> bool:
        """Whether one has not left."""
        return self._present

    @property
    def local_state(self) -> Mapping[str, object]:
        """One's own state."""
        return MappingProxyType(self._local)

    @property
    def states(self) -> Mapping[str, Mapping[str, object]]:
        """The state of every other, by the peer's name."""
        return {peer_id: MappingProxyType(peer.state) for peer_id, peer in self._peers.items()}

    def set(self, channel: str, value: object) -> None:
        """Change one entry of one's own state, and tell the others.

        Args:
            channel: Which.
            value: What can be broadcast.

        Raises:
            TypeError, ValueError: It cannot be broadcast. Nothing changed.
        """
        self._check({**self._local, channel: value})
        self._local[channel] = value
        if self._beat_at is not None:  # otherwise it is told with the rest when there is a connection
            self._broadcast("update", channel=channel, value=value)

    def add_listener(self, listener: PresenceListener) -> Callable[[], None]:
        """Call ``listener(peer_id, state)`` when somebody's state is told, and with ``None`` when it is gone.

        Returns:
            A function that ends it.
        """
        return subscribe(self._listeners, listener)

    def close(self) -> None:
        """Say goodbye, and listen no longer; the end of a ``with`` block does so too."""
        if self._present:
            self.say_goodbye()
            self._present = False
            self._peers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- for the adapter

    def announce(self) -> None:
        """The document is known to the server on a new connection: tell one's state."""
        if self._present:
            self._announce_at = self._clock.now()
            self._rearm()

    def say_goodbye(self) -> None:
        """The connection is about to be left: others need not wait."""
        if self._beat_at is not None:
            self._broadcast("goodbye")
        self.disconnected()

    def disconnected(self) -> None:
        """The connection is over: there is nobody to tell anything."""
        self._beat_at = self._announce_at = None

    def receive(self, message: object, peer_id: str) -> None:
        """Take in what somebody broadcast; what is no presence message is left alone."""
        said = message.get(_MARK) if isinstance(message, dict) else None
        if not self._present or not isinstance(said, dict):
            return
        peer = self._peers.get(peer_id)
        is_new = peer is None and said.get("type") != "goodbye"
        if is_new and self._beat_at is not None and self._announce_at is None:
            self._announce_at = self._clock.now() + _ANNOUNCE_S
            self._rearm()
        match said:
            case {"type": "heartbeat"} if peer is not None:
                peer.heard_at = self._clock.now()
            case {"type": "goodbye"}:
                self._forget(peer_id)
            case {"type": "update", "channel": str(channel), "value": value}:
                self._merge(peer_id, {channel: value})
            case {"type": "snapshot", "state": dict(state)}:
                self._merge(peer_id, state)

    def tick(self) -> float | None:
        """Do what is due. Returns the seconds until something will be, or ``None``."""
        now = self._clock.now()
        for peer_id in [name for name, peer in self._peers.items() if now - peer.heard_at >= _EXPIRY_S]:
            self._forget(peer_id)
        if self._announce_at is not None and now >= self._announce_at:
            self._announce_at = None
            self._broadcast("snapshot", state=dict(self._local))
        elif self._beat_at is not None and now >= self._beat_at:
            self._broadcast("heartbeat")
        dues = [peer.heard_at + _EXPIRY_S for peer in self._peers.values()]
        dues += [due for due in (self._announce_at, self._beat_at) if due is not None]
        return min(dues) - now if dues else None

    # --- within

    def _broadcast(self, kind: str, **more: object) -> None:
        self._say({_MARK: {"type": kind, **more}})
        self._beat_at = self._clock.now() + _HEARTBEAT_S

    def _merge(self, peer_id: str, state: dict[str, object]) -> None:
        peer = self._peers.get(peer_id)
        merged = dict(state) if peer is None else {**peer.state, **state}
        if len(merged) > _MAX_CHANNELS or (
            peer is None and len(self._peers) >= self._limits.max_awareness_states
        ):
            return
        self._peers[peer_id] = _PeerState(merged, self._clock.now())
        self._rearm()
        self._notify(peer_id, MappingProxyType(merged))

    def _forget(self, peer_id: str) -> None:
        if self._peers.pop(peer_id, None) is not None:
            self._notify(peer_id, None)

    def _notify(self, peer_id: str, state: Mapping[str, object] | None) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(peer_id, state)
            except Exception as error:  # noqa: BLE001 - the user's listener must not end the connection
                self._report(error)
