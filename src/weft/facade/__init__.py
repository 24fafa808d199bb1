"""A durable, shared Store in one call: what ``weft.connect``, ``weft.open`` and ``weft.sync`` are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.facade.blocking_opening import BlockingOpening as BlockingOpening
    from weft.facade.blocking_store import BlockingStore as BlockingStore
    from weft.facade.blocking_sync import BlockingSync as BlockingSync
    from weft.facade.entry_points import connect as connect, open as open  # noqa: A004 - weft.open, as io.open
    from weft.facade.inspecting import inspect as inspect
    from weft.facade.opening import AsyncOpening as AsyncOpening
    from weft.facade.options import ConnectOptions as ConnectOptions, OpenOptions as OpenOptions
    from weft.facade.presence import Cursor as Cursor, PeerListener as PeerListener, Presence as Presence
    from weft.facade.state import (
        StoreSync as StoreSync,
        SyncStatus as SyncStatus,
        SyncSummary as SyncSummary,
    )
    from weft.facade.store import SharedStore as SharedStore
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "blocking_opening": "BlockingOpening",
            "blocking_store": "BlockingStore",
            "blocking_sync": "BlockingSync",
            "entry_points": "connect open",
            "inspecting": "inspect",
            "opening": "AsyncOpening",
            "options": "ConnectOptions OpenOptions",
            "presence": "Cursor PeerListener Presence",
            "state": "StoreSync SyncStatus SyncSummary",
            "store": "SharedStore",
        },
    )
