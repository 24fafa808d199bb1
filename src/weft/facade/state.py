"""How a Store stands to what keeps it: what connections and places have in common as ``store.sync``."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from weft._support.callbacks import subscribe
from weft._support.uncopied import Uncopied
from weft.errors import LocalProtocolError
from weft.store.replica import Replica as StoreSeam

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from weft.changes import Changes
    from weft.facade.kept_store import KeptStore
    from weft.facade.presence import Presence
    from weft.mergeable import MergeableMirror
    from weft.mirrors import AutomergeMirror, YjsMirror
    from weft.persisters import Persister
    from weft.providers import Pending, Replica, WebsocketProvider

__all__ = ["StoreSync", "SyncStatus", "SyncSummary"]

SyncStatus: TypeAlias = Literal["local", "disconnected", "connecting", "connected", "synced", "closed"]
"""``"local"``: there is no server. ``"synced"``: connected, and what the server had was received."""

_log = logging.getLogger("weft")


@dataclass(frozen=True, slots=True)
class SyncSummary:
    """What an exchange with the server came to.

    Attributes:
        sent: Updates of which the server had no word before, and which it has confirmed.
        received: Cells and keyed values of the Store that it changed.
    """

    sent: int
    received: int

    def __str__(self) -> str:
        edits = "edit" if self.sent == 1 else "edits"
        return f"sent {self.sent} {edits}, received {self.received}"


class StoreSync(Uncopied, ABC):
    """How a Store stands to what keeps it; ``store.sync``.

    Attributes:
        store: The Store.
        address: Where it is kept, as others would say it.
        document: What holds it: a ``pycrdt.Doc``, an ``AutomergeDocument`` or a ``MergeableDocument``;
            ``None`` at a place.
        mirror: What keeps Store and document equal.
        provider: What keeps document and server equal; ``None`` without a server.
        replica: What keeps the document on this machine; ``None`` without ``offline=``.
        persister: What keeps the Store at a place; ``None`` where a document does.
    """

    instead_of_copy = "store.copy() gives a Store of one's own"

    def __init__(self, store: KeptStore, address: str, on_error: Callable[[Exception], None] | None) -> None:
        self.store = store
        self.address = address
        self.document: Any = None
        self.mirror: YjsMirror | AutomergeMirror | MergeableMirror | None = None
        self.provider: WebsocketProvider[Any] | None = None
        self.replica: Replica | None = None
        self.persister: Persister | None = None
        self._on_error = on_error
        self._last_error: Exception | None = None
        self._listeners: list[Callable[[Self], object]] = []
        self._told: object = None
        self._telling = False
        self._closed = False
        self._accepts_writes = True

    @property
    @abstractmethod
    def status(self) -> SyncStatus:
        """Where it stands."""

    @property
    @abstractmethod
    def pending(self) -> Pending:
        """What is not yet where it is to be; false where there is nothing, and ``updates`` counts."""

    def pending_cells(self) -> Changes:
        """Which cells, rows and values the server has not confirmed, also of former sessions.

        It takes time by what is pending, and the first time by the log of a Yjs document, which is read then.

        Returns:
            As TinyBase writes changes: ``(tables, values, 1)``, with what the Store holds there now, and
            ``UNDEFINED`` for what is gone: a table, a row, a cell or a value. Of a row or table that was
            deleted and made again, the cells that it has now.

        Raises:
            LocalProtocolError: There is no ``offline=``, which keeps it.
        """
        raise LocalProtocolError(f"{self.address}: which cells are pending is known with offline= only")

    @property
    @abstractmethod
    def last_synced_at(self) -> datetime | None:
        """When all that was written was last confirmed, in UTC; ``None`` where it never was."""

    @property
    def last_error(self) -> Exception | None:
        """What went wrong last since all was last well, or ``None``."""
        return self._last_error

    @abstractmethod
    async def wait_synced(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - raises our own error
        """Return when the Store has what the server, or the place, had.

        Args:
            timeout: Seconds; ``None`` waits as long as it takes.

        Raises:
            SyncTimeoutError: It took longer. It is tried on.
            ProviderError: The server refused for good, or the Store was closed.
        """

    @abstractmethod
    async def flush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - raises our own error
        """Return when everything written so far is where it is to be: at the server, or in the place.

        Args:
            timeout: Seconds; ``None`` waits as long as it takes.

        Raises:
            SyncTimeoutError: It took longer. Nothing is lost, and it is tried on.
            ProviderError: The server refused, what was written or for good, or the Store was closed.
            StorageError: The place could not be written. What was edited is still waiting to be.
        """

    @abstractmethod
    async def sync(self, timeout: float | None = None) -> SyncSummary:  # noqa: ASYNC109 - raises our own error
        """Connect, exchange what is new on either side, and leave again, if there was no connection before.

        Raises:
            SyncTimeoutError, ProviderError, StorageError: As :meth:`flush`.
        """

    @abstractmethod
    def make_presence(self, call: Callable[..., object]) -> Presence:
        """Who else is here.

        Raises:
            LocalProtocolError: There is no server to hear of others by.
        """

    async def close(self) -> None:
        """Leave, with everything kept that can be; the end of the ``with`` block does so. Twice does nothing.

        Raises:
            ProviderError: There is no ``offline=``, and the server has not confirmed what was written.
            StorageError: What was edited could not be saved.
        """
        if not self._closed:
            self._closed = True
            try:
                await self._close()
            finally:
                self._end_writes()
                self._changed()

    def on_change(self, callback: Callable[[Self], object]) -> Callable[[], None]:
        """Call ``callback(store.sync)`` when the status, what is pending, or the last error has changed.

        Returns:
            A function that ends it.
        """
        return subscribe(self._listeners, callback)

    def call_listener(self, listener: Callable[..., object], *args: object) -> None:
        """Call one; what it raises is reported."""
        try:
            listener(*args)
        except Exception as error:  # noqa: BLE001 - the user's listener must not end what calls it
            self.report(error)

    @abstractmethod
    async def _close(self) -> None:
        """Leave, once; :meth:`_end_writes` is to come before what is written would be kept nowhere."""

    def _end_writes(self) -> None:
        """Let nobody write into the Store any more. A second call does nothing."""
        if self._accepts_writes:
            self._accepts_writes = False
            StoreSeam(self.store).hold().close(
                f"the Store of {self.address}",
                "what is written now would be kept nowhere; store.copy() gives a Store of one's own",
            )

    def report(self, error: Exception) -> None:
        """Take what goes wrong where nobody waits for it."""
        self._last_error = error
        if self._on_error is not None:
            try:
                self._on_error(error)
            except Exception:  # noqa: BLE001 - it is the last resort for errors, and it is logged
                _log.exception("%s: the error handler failed", self.address)
        else:
            _log.warning("%s: %s", self.address, error)
        self._changed()

    def _changed(self, *_: object) -> None:
        """Tell the listeners, if something is other than they were told."""
        if not self._listeners or self._telling:
            return  # what a listener does or raises is told with the next change
        now = (self.status, self.pending, self.last_error)
        if now != self._told:
            self._told = now
            self._telling = True
            try:
                for listener in tuple(self._listeners):
                    self.call_listener(listener, self)
            finally:
                self._telling = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.address} {self.status}, {self.pending.updates} pending>"
