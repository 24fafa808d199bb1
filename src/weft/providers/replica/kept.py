"""What a provider tells the replica of a document: what the server is asked, and has confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from weft.providers.replica.pending import Pending

__all__ = ["Kept", "KeptReplica"]

# Seconds after a write at which the server is asked whether it has it, unless it was asked for anyway: each
# question costs it an answer, of a Yjs room with all deletions.
_CONFIRM_S = 0.5


class KeptReplica(Protocol):
    """A ``Replica``, as far as it is told anything."""

    def attach(self, provider: object) -> None:
        """Let a provider alone say what the server has."""

    def detach(self, provider: object) -> None:
        """End :meth:`attach`."""

    def check_room(self, room: str) -> None:
        """Refuse another room than the one it belongs to."""

    def joined(self, room: str) -> None:
        """There is a connection to a room."""

    def note_synced(self) -> None:
        """The server and the document are equal now."""


class KeptContent(Protocol):
    """Its document; each kind has positions of its own."""

    def connected(self, session: object) -> None:
        """A connection to the server begins."""

    def disconnected(self) -> None:
        """The connection is over."""

    def pending(self) -> Pending:
        """What the server has not confirmed."""

    def position(self) -> Any:
        """How far it is now, for :meth:`confirmed`."""

    def confirmed(self, position: Any) -> None:
        """The server has all that was there at a position."""


C = TypeVar("C", bound=KeptContent)


class Kept(Generic[C]):
    """A replica, as the session of its document sees it.

    Args:
        replica: The replica.
        content: Its document.
        room: Name of the room.

    Attributes:
        ask_at: When the server is to be asked what it has, on the provider's clock; ``None`` for not at all.
    """

    def __init__(self, replica: KeptReplica, content: C, room: str) -> None:
        self.content = content
        self.ask_at: float | None = None
        self._replica = replica
        self._room = room
        self._positions: dict[int, object] = {}  # by the questions under way

    def attach(self) -> None:
        """Raises ``LocalProtocolError`` where another provider has the replica, or another room."""
        self._replica.check_room(self._room)
        self._replica.attach(self)

    def detach(self) -> None:
        """Let another provider have it."""
        self._replica.detach(self)

    def opened(self, session: object) -> None:
        """A connection stands."""
        self.void()
        self._replica.joined(self._room)
        self.content.connected(session)

    def closed(self) -> None:
        """The connection is over."""
        self.void()
        self.content.disconnected()

    def wrote(self, now: float) -> bool:
        """Something was written; whether that makes it earlier that the server is to be asked."""
        if self.ask_at is None:
            self.ask_at = now + _CONFIRM_S
            return True
        return False

    def is_due(self, now: float) -> bool:
        """Whether the server is to be asked now."""
        if self.ask_at is None or now < self.ask_at:
            return False
        self.ask_at = None
        return True

    def asked(self, token: int) -> None:
        """The server was asked, after all that has been written so far."""
        self.ask_at = None
        self._positions[token] = self.content.position()

    def void(self) -> None:
        """What was asked does not stand behind all that was written any more."""
        self._positions.clear()

    def flushed(self, token: int) -> None:
        """The server has answered a question."""
        position = self._positions.pop(token, None)
        if position is not None:
            self.content.confirmed(position)
            self._note()

    def _note(self) -> None:
        if not self.content.pending():
            self._replica.note_synced()
