"""A Store that is kept elsewhere: what ``weft.connect`` and ``weft.open`` give in an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.facade.kept_store import KeptStore

if TYPE_CHECKING:
    from weft.facade.presence import Presence
    from weft.facade.state import StoreSync
    from weft.providers import Replica

__all__ = ["SharedStore"]


class SharedStore(KeptStore):
    """A :class:`Store` with what keeps it, as ``store.sync``, and who else is there, as ``store.presence``.

    It belongs to the event loop in which it was opened. A copy is a plain ``Store``.
    """

    __slots__ = ("_presence", "_sync")

    _sync: StoreSync

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._presence: Presence | None = None

    @property
    def sync(self) -> StoreSync:
        """How it stands to what keeps it: status, what is pending, waiting for the server."""
        return self._sync

    @property
    def presence(self) -> Presence:
        """Who else is here, and what they say of themselves.

        Raises:
            LocalProtocolError: There is no server to hear of others by.
        """
        if self._presence is None:
            self._presence = self._sync.make_presence(self._sync.call_listener)
        return self._presence

    def attach(self, sync: StoreSync) -> None:
        """Take what keeps it: for who opens it."""
        self._sync = sync

    def _kept_in(self) -> Replica | None:
        return self._sync.replica
