"""How a Store stands to what keeps it, for programs without an event loop: ``store.sync``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from weft._support.callbacks import check_callback
from weft.errors import LocalProtocolError
from weft.facade.opening import finish
from weft.facade.presence import Peers, Presence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from weft.changes import Changes
    from weft.facade.owner_thread import OwnerThread
    from weft.facade.polling import PollQueue
    from weft.facade.state import StoreSync, SyncStatus, SyncSummary
    from weft.mergeable import MergeableMirror
    from weft.mirrors import AutomergeMirror, YjsMirror
    from weft.persisters import Persister
    from weft.providers import Pending, Replica, WebsocketProvider

__all__ = ["BlockingSync"]

P = ParamSpec("P")
R = TypeVar("R")


class BlockingSync:
    """:class:`StoreSync` without ``await``: any thread may use it.

    Attributes:
        address: Where the Store is kept, as others would say it.
    """

    def __init__(self, sync: StoreSync, owner_thread: OwnerThread, polled: PollQueue | None) -> None:
        self._sync = sync
        self._owner_thread = owner_thread
        self._polled = polled
        self.address = sync.address

    @property
    def document(self) -> Any:
        """What holds it; to be used by :meth:`call` only, like the other parts."""
        return self._sync.document

    @property
    def mirror(self) -> YjsMirror | AutomergeMirror | MergeableMirror | None:
        """What keeps Store and document equal."""
        return self._sync.mirror

    @property
    def provider(self) -> WebsocketProvider[Any] | None:
        """What keeps document and server equal."""
        return self._sync.provider

    @property
    def replica(self) -> Replica | None:
        """What keeps the document on this machine."""
        return self._sync.replica

    @property
    def persister(self) -> Persister | None:
        """What keeps the Store at a place."""
        return self._sync.persister

    @property
    def status(self) -> SyncStatus:
        """Where it stands: see ``StoreSync.status``."""
        return self.call(lambda: self._sync.status)

    @property
    def pending(self) -> Pending:
        """What is not yet where it is to be: see ``StoreSync.pending``."""
        return self.call(lambda: self._sync.pending)

    def pending_cells(self) -> Changes:
        """Which cells, rows and values the server has not confirmed: see ``StoreSync.pending_cells``."""
        return self.call(self._sync.pending_cells)

    @property
    def last_synced_at(self) -> datetime | None:
        """When all that was written was last confirmed, in UTC."""
        return self.call(lambda: self._sync.last_synced_at)

    @property
    def last_error(self) -> Exception | None:
        """What went wrong last since all was last well, or ``None``."""
        return self.call(lambda: self._sync.last_error)

    def wait_synced(self, timeout: float | None = None) -> None:
        """Return when the Store has what the server had: see ``StoreSync.wait_synced``."""
        self._owner_thread.run(lambda: self._sync.wait_synced(timeout))

    def flush(self, timeout: float | None = None) -> None:
        """Return when everything written so far is where it is to be: see ``StoreSync.flush``."""
        self._owner_thread.run(lambda: self._sync.flush(timeout))

    def sync(self, timeout: float | None = None) -> SyncSummary:
        """Connect, exchange what is new on either side, and leave again: see ``StoreSync.sync``."""
        return self._owner_thread.run(lambda: self._sync.sync(timeout))

    def close(self, *, after: BaseException | None = None) -> None:
        """Leave, with everything kept that can be: see ``StoreSync.close``.

        Args:
            after: What a block failed with: then what goes wrong here is noted there, and logged.
        """
        self._owner_thread.run(lambda: finish(self._sync, after))
        self._owner_thread.closings.pop(self._sync, None)

    def on_change(self, callback: Callable[[BlockingSync], object]) -> Callable[[], None]:
        """Call ``callback(store.sync)`` when the status, what is pending, or the last error has changed.

        Returns:
            A function that ends it.
        """
        return self._sync.on_change(lambda _: self._call_listener(callback, self))

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in the owner thread, where Checkpoints, the document and the mirror may be used.

        It must return at once: nothing else happens meanwhile.

        Raises:
            TypeError: It is no function, or a coroutine function.
        """
        check_callback(function, "what is called")
        return self._owner_thread.call(function, *args, **kwargs)

    def poll(self, timeout: float | None = 0.0) -> int:
        """Call the listeners that wait for it, in this thread, and return how many there were.

        What one raises is raised here; those after it wait for the next call.

        Args:
            timeout: Seconds to wait for the first; ``None`` as long as it takes.

        Raises:
            LocalProtocolError: ``poll=True`` was not said when the Store was opened.
        """
        if self._polled is None:
            raise LocalProtocolError(
                "listeners run in weft's thread; poll=True, when opening, has them wait for this"
            )
        return self._polled.poll(timeout)

    def make_presence(self) -> Presence:
        """Who else is here: for the Store."""
        return self.call(self._make_presence)

    def _make_presence(self) -> Presence:
        presence = self._sync.make_presence(self._call_listener)
        presence.reached_by(lambda peers: HandedOverPeers(peers, self.call))
        return presence

    def _call_listener(self, listener: Callable[..., object], *args: object) -> None:
        if self._polled is None:
            self._sync.call_listener(listener, *args)
        else:
            self._polled.put(listener, *args)

    def __repr__(self) -> str:
        return self.call(repr, self._sync)


class HandedOverPeers(Peers):
    """The way to the others, in the owner thread."""

    def __init__(self, peers: Peers, call: Callable[..., Any]) -> None:
        self._peers = peers
        self._call = call

    @property
    def own_id(self) -> str:
        """One's own id."""
        return self._peers.own_id

    def own(self) -> Mapping[str, Any]:
        """One's own state."""
        return dict(self._call(self._peers.own))

    def others(self) -> dict[str, Mapping[str, Any]]:
        """The states of the others."""
        others: dict[str, Mapping[str, Any]] = self._call(self._peers.others)
        return others

    def tell(self, state: Mapping[str, Any]) -> None:
        """Change one's own state."""
        self._call(self._peers.tell, state)

    def listen(self, heard: Callable[[str, Mapping[str, Any] | None], None]) -> Callable[[], None]:
        """Hear of the others."""
        end: Callable[[], None] = self._call(self._peers.listen, heard)
        return lambda: self._call(end)
