"""A Store in a document, on this machine, at a server, or both: ``store.sync`` of ``weft.connect``."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from weft._aio.tasks import end_tasks
from weft.errors import LocalProtocolError, ProviderError, SyncTimeoutError
from weft.facade.documents import pending_changes
from weft.facade.presence import Presence
from weft.facade.state import StoreSync, SyncStatus, SyncSummary
from weft.providers import Pending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weft.changes import Changes
    from weft.facade.kept_store import KeptStore
    from weft.facade.protocol import Protocol
    from weft.providers import ProviderStatus, Replica, WebsocketProvider
    from weft.store import Store

__all__ = ["DocumentSync"]

_log = logging.getLogger("weft")

_ASK_AGAIN_S = 0.25  # between two questions to the server whether it has what was written


class DocumentSync(StoreSync):
    """How a Store stands to its document, and that to a server: see the base class.

    While it is connected, the server is asked by itself for its word on what was written, at most four times
    a second; so ``pending`` tells what the server may not have.

    Args:
        store: The Store, empty.
        address: Where it is kept.
        on_error: Takes what goes wrong where nobody waits for it.
        close_timeout: Seconds for which :meth:`close` waits for the server's word.
    """

    def __init__(
        self,
        store: KeptStore,
        address: str,
        on_error: Callable[[Exception], None] | None,
        *,
        close_timeout: float = 0.0,
    ) -> None:
        super().__init__(store, address, on_error)
        self.protocol: Protocol | None = None
        self.build: Callable[[DocumentSync], None] | None = None  # makes document, mirror and provider anew
        self._close_timeout = close_timeout
        self._synced_at: datetime | None = None
        self._listens = False  # whether the provider hears what is written
        self._unheard = 0  # transactions that it has not heard
        self._exchanging = asyncio.Lock()  # held by sync(), which would disconnect under another one
        self._wake = asyncio.Event()
        self._away = asyncio.Event()  # the last try to connect failed, or the connection broke
        self._task: asyncio.Task[None] | None = None
        self._reopening: asyncio.Task[None] | None = None
        self._presence: Presence | None = None
        self._unsaved: Exception | None = None  # what the replica could not write last
        self._saving: asyncio.Task[None] | None = None  # waits until it could
        self._ends: list[Callable[[], object]] = []

    async def begin(self, *, connect: bool) -> None:
        """Follow document and server. All parts are set by then; after an error, close it."""
        assert self.mirror is not None  # noqa: S101 - set by who makes this
        self.mirror.start()
        listener_id = self.store.add_did_finish_transaction_listener(self._wrote)
        self._ends.append(lambda: self.store.del_listener(listener_id))
        if self.provider is not None:
            self._follow(self.provider)
            self._task = asyncio.create_task(self._confirm(), name=f"weft sync {self.address}")
            if connect:
                self._listens = True
                await self.provider.connect()

    def _follow(self, provider: WebsocketProvider[Any]) -> None:
        provider.expects_connect = False  # sync() may be all that is wanted
        self._ends.append(provider.add_status_listener(self._stands_otherwise))

    @property
    def status(self) -> SyncStatus:
        """Where it stands."""
        if self._closed:
            return "closed"
        if self.provider is None:
            return "local"
        if self._is_to_reopen or self._reopening is not None:
            return "disconnected"
        return "synced" if self.provider.synced else self.provider.status

    @property
    def pending(self) -> Pending:
        """What the server has not confirmed: with a replica, since ever; otherwise since this began."""
        if self.replica is not None:
            return self.replica.pending
        return Pending(0 if self.provider is None else max(self.provider.unconfirmed, self._unheard))

    def pending_cells(self) -> Changes:
        """Which cells, rows and values the server has not confirmed: see the base class."""
        replica, mirror = self.replica, self.mirror
        if replica is None or mirror is None:
            return super().pending_cells()
        return pending_changes(replica, mirror)

    @property
    def last_synced_at(self) -> datetime | None:
        """When the server had last confirmed everything, in UTC; with a replica, across restarts."""
        return self._synced_at if self.replica is None else self.replica.last_synced_at

    @property
    def last_error(self) -> Exception | None:
        """What went wrong last: with the connection, otherwise with the document.

        It is gone when the connection is in sync again, or the file can be written again; of anything else,
        when everything has been confirmed, or without a server is on disk, in an answer that was asked for
        after it.
        """
        if self.provider is not None and self.provider.last_error is not None:
            return self.provider.last_error
        if self._last_error is self._unsaved and self.replica is not None and not self.replica.is_failing:
            return None
        return self._last_error

    def report_unsaved(self, error: Exception) -> None:
        """Take what the replica could not write, and tell when it could."""
        self._unsaved = error
        self.report(error)
        if self._saving is None and self.replica is not None:
            self._saving = asyncio.create_task(self._saved(self.replica), name=f"weft saves {self.address}")

    async def _saved(self, replica: Replica) -> None:
        await replica.durable()
        self._saving = None
        self._changed()

    def _clear_error(self, asked: Exception | None) -> None:
        """All is well, unless something went wrong since it was asked whether it is."""
        provider = self.provider
        if asked is self._last_error and (provider is None or (provider.synced and not self.pending)):
            self._last_error = None
            self._changed()

    async def wait_synced(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - raises our own error
        """Return when the Store has what the server had: see the base class. At once without a server."""
        await self._answer(lambda provider: provider.wait_synced(timeout))

    async def flush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - raises our own error
        """Return when the server has what was written, or the disk without one: see the base class."""
        asked = self._last_error
        await self._flush(timeout)
        self._clear_error(asked)

    async def _flush(self, timeout: float | None) -> None:  # noqa: ASYNC109 - as above
        await self._reopened()
        if self.replica is not None:
            await self.replica.saved()
        if self.provider is not None:
            await self._answer(lambda provider: provider.flush(timeout))
            self._note_confirmed()

    async def sync(self, timeout: float | None = None) -> SyncSummary:  # noqa: ASYNC109 - raises our own error
        """Connect, exchange, and leave again if there was no connection before: see the base class.

        Raises:
            LocalProtocolError: There is no server.
        """
        if self.provider is None:
            raise LocalProtocolError(f"{self.address} has no server to exchange anything with")
        async with AsyncExitStack() as leaving:
            try:
                async with asyncio.timeout(timeout):
                    await leaving.enter_async_context(self._exchanging)
                    provider = self.provider
                    if not self._listens and provider.status in {"disconnected", "closed"}:
                        leaving.push_async_callback(self._leave)
                    received = _Received(self.store, self.mirror)
                    leaving.callback(received.end)
                    sent = self.pending.updates  # and not what is written meanwhile
                    asked = self._last_error
                    self._listens = True
                    await provider.connect()
                    await self.wait_synced()
                    await self._flush(None)
                    self._clear_error(asked)
                    return SyncSummary(sent, received.count)
            except TimeoutError as error:
                raise SyncTimeoutError(f"no exchange with {self.address} within {timeout} s") from error

    async def _leave(self) -> None:
        if self.provider is not None:
            await self.provider.disconnect(settle=False)  # the server's word has come, or cannot
            self._listens = False

    def make_presence(self, call: Callable[..., object]) -> Presence:
        """Who else has the document open."""
        if self.protocol is None or self.provider is None:
            raise LocalProtocolError(f"{self.address} has no server to hear of others by")
        self._presence = Presence(self.protocol.peers(self.provider), call)
        self._ends.append(self._presence.close)
        return self._presence

    # -- what changes ------------------------------------------------------------------------------------

    def _wrote(self, store: Store) -> None:
        if not self._listens and self.provider is not None:
            touched_cells, touched_values, *_ = store.get_transaction_log()
            self._unheard += touched_cells or touched_values
        self._wake.set()

    def _stands_otherwise(self, status: ProviderStatus, _synced: bool) -> None:
        self._wake.set()
        if status == "connected":
            self._away.clear()
        elif status == "disconnected":
            self._away.set()
        self._changed()

    async def _confirm(self) -> None:
        """Ask the server for its word on what was written, for as long as this is open."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._changed()
            await self._reopened()
            provider = self.provider
            assert provider is not None  # noqa: S101 - the task is made for it
            if not provider.synced:
                continue
            if not provider.unconfirmed:
                self._note_confirmed()
                continue
            asked = self._last_error
            try:
                await provider.flush()
                self._note_confirmed()
                self._clear_error(asked)
            except ProviderError:
                pass  # the provider has reported it; the next change asks again
            except Exception as error:  # noqa: BLE001 - reported: what is pending is to be asked for all the same
                self.report(error)
            await asyncio.sleep(_ASK_AGAIN_S)

    def _note_confirmed(self) -> None:
        assert self.provider is not None  # noqa: S101 - it has confirmed
        if not self.provider.unconfirmed:
            self._synced_at = datetime.now(UTC)
            self._unheard = 0
        self._changed()

    # -- another client id -------------------------------------------------------------------------------

    async def _answer(self, ask: Callable[[WebsocketProvider[Any]], Awaitable[None]]) -> None:
        """Ask the server, if there is one; a second time where the replica had to be opened again."""
        await self._reopened()
        asked = self.provider
        if asked is None:
            return
        try:
            await ask(asked)
        except ProviderError:
            await self._reopened()
            if self.provider is asked or self.provider is None:
                raise
            await ask(self.provider)

    @property
    def _is_to_reopen(self) -> bool:
        return (
            self.replica is not None and self.replica.is_taken and not self._closed and self.build is not None
        )

    async def _reopened(self) -> None:
        """Return when the replica writes under a client id that nobody else has."""
        if self._reopening is None and self._is_to_reopen:
            self._reopening = asyncio.create_task(self._reopen(), name=f"weft reopens {self.address}")
        if self._reopening is not None:
            await asyncio.wait([self._reopening])

    async def _reopen(self) -> None:
        """Close the replica and open it again, under another client id; the Store goes on meanwhile."""
        provider, mirror, replica, build = self.provider, self.mirror, self.replica, self.build
        assert provider is not None and mirror is not None and replica is not None  # noqa: S101, PT018 - asked before
        assert build is not None  # noqa: S101 - likewise
        edits: list[Changes] = []
        try:
            await provider.close(settle=False)
            mirror.stop()
            listener_id = self.store.add_did_finish_transaction_listener(
                lambda store: edits.append(store.get_transaction_changes())
            )
            try:
                await replica.close()
                await replica.open()
            finally:
                self.store.del_listener(listener_id)
            build(self)
            assert self.mirror is not None and self.provider is not None  # noqa: S101, PT018 - just made
            self.mirror.start()
            for changes in edits:  # the document, which had not heard of them, has won over them
                self.store.apply_changes(changes)
            self._follow(self.provider)
            if self._presence is not None and self.protocol is not None:
                self._presence.move(self.protocol.peers(self.provider))
            if self._listens:
                await self.provider.connect()
        except Exception as error:  # noqa: BLE001 - nobody waits for it
            self.build = None  # it is not tried again
            self.report(error)
            self._end_writes()
        finally:
            self._reopening = None
            self._wake.set()
            self._changed()

    # -- the end -----------------------------------------------------------------------------------------

    async def _close(self) -> None:
        if self._reopening is not None:
            await asyncio.wait([self._reopening])
        unsent = None
        async with AsyncExitStack() as closing:  # the last one first, whatever becomes of each
            if self.replica is not None:
                if self._saving is not None:
                    closing.push_async_callback(end_tasks, [self._saving])
                closing.push_async_callback(self.replica.close)
            if self._task is not None:
                closing.push_async_callback(end_tasks, [self._task])
            if self.provider is not None:
                closing.push_async_callback(self.provider.close, settle=False)
            closing.callback(self._end_writes)
            if self.mirror is not None:
                closing.callback(self.mirror.stop)
            for end in self._ends:
                closing.callback(end)
            if self.provider is not None:
                unsent = await self._last_word()
        if unsent is not None:
            raise unsent

    async def _last_word(self) -> ProviderError | None:
        """Wait for the server's word on what is pending; the error, where that is lost without it."""
        provider = self.provider
        assert provider is not None  # noqa: S101 - asked before
        reason: Exception | None = None
        if self._listens and provider.status != "closed":
            settling = asyncio.create_task(self._settle())
            waits: list[asyncio.Task[object]] = [settling]
            if self.replica is not None:  # then there is no need to wait for a server that is away
                waits.append(asyncio.create_task(self._away.wait()))
            try:
                await asyncio.wait(waits, timeout=self._close_timeout, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await end_tasks(waits)
            reason = None if settling.cancelled() else settling.result()
        reason = reason or provider.last_error
        if not self.pending:
            return None
        if self.replica is not None:
            _log.info("%s: %s not confirmed, kept in the replica", self.address, self.pending)
            return None
        why = reason or f"the provider is {provider.status}"
        unsent = ProviderError(
            f"{self.address}: {self.pending.updates} updates were not confirmed by the server within "
            f"{self._close_timeout:g} s and are kept nowhere ({why}). With "
            "offline='FILE.weft' they are kept and sent the next time"
        )
        unsent.__cause__ = reason
        return unsent

    async def _settle(self) -> ProviderError | None:
        """Return when nothing is pending, or why that cannot be."""
        assert self.provider is not None  # noqa: S101 - asked before
        try:
            while self.pending:  # also for what the server's state makes the mirror write
                await self.provider.flush()
                self._note_confirmed()
        except ProviderError as error:
            return error
        return None


class _Received:
    """Counts the cells and values that a mirror changes in its Store."""

    def __init__(self, store: Store, mirror: Any) -> None:
        self.count = 0
        self._store = store
        self._origin = mirror.origin
        self._id = store.add_did_finish_transaction_listener(self._finished)

    def _finished(self, store: Store) -> None:
        if store.transaction_origin is self._origin:
            _, _, cells, _, values, *_ = store.get_transaction_log()
            rows = (row for table in cells.values() for row in table.values())
            self.count += sum(len(row) for row in rows) + len(values)

    def end(self) -> None:
        """Count no longer."""
        self._store.del_listener(self._id)
