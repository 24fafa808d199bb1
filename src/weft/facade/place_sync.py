"""A Store that a persister keeps in a file or database: ``store.sync`` of ``weft.open``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from weft.errors import LocalProtocolError, SyncTimeoutError
from weft.facade.state import StoreSync, SyncStatus, SyncSummary
from weft.persisters import PersisterStatus
from weft.providers import Pending

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Never

    from weft.persisters import Persister

__all__ = ["PlaceSync"]


class PlaceSync(StoreSync):
    """How a Store stands to a file or database: see the base class."""

    persister: Persister
    _saved_at: datetime | None = None

    async def begin(self) -> None:
        """Load the Store, and load and save it by itself from now on.

        Raises:
            StorageError: The place cannot be read or written.
        """
        self.persister.add_status_listener(self._works_otherwise)
        await self.persister.start_auto_persisting()

    @property
    def status(self) -> SyncStatus:
        """Where it stands."""
        return "closed" if self._closed else "local"

    @property
    def pending(self) -> Pending:
        """Whether something is not saved yet."""
        return Pending(0 if self._closed or self.persister.is_at_rest() else 1)

    @property
    def last_synced_at(self) -> datetime | None:
        """When it was last loaded or saved, in UTC."""
        return self._saved_at

    async def wait_synced(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - raises our own error
        """Return at once: it was loaded when it was opened."""

    async def flush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - raises our own error
        """Save: see the base class."""
        try:
            async with asyncio.timeout(timeout):
                await self.persister.save()
        except TimeoutError as error:
            raise SyncTimeoutError(f"{self.address} was not saved within {timeout} s") from error

    async def sync(self, timeout: float | None = None) -> SyncSummary:  # noqa: ASYNC109 - raises our own error
        """Raise: there is nobody to exchange anything with, and what is in the place is loaded by itself."""
        raise LocalProtocolError(f"{self.address} has no server to exchange anything with")

    def make_presence(self, call: Callable[..., object]) -> Never:
        """Raise: there is nobody to hear of."""
        raise LocalProtocolError(f"{self.address} has no server to hear of others by")

    def _works_otherwise(self, _persister: Persister, status: PersisterStatus) -> None:
        self._look()
        if status is PersisterStatus.IDLE:  # what it did by itself is over only then
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        if self.persister.is_at_rest():
            self._saved_at = datetime.now(UTC)
            self._last_error = None
        self._changed()

    async def _close(self) -> None:
        self._end_writes()
        try:
            await self.persister.close()
        finally:
            if self.mirror is not None:
                self.mirror.stop()
