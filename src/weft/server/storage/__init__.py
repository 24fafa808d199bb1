"""Where a server keeps its rooms.

In memory, in a SQLite file, or in PostgreSQL, which needs the extra ``weft[postgres]``; or in a place of your
own: subclass :class:`RoomStorage`, and let :class:`weft.testing.storage.StorageSuite` test it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.server.storage.address import (
        check_address as check_address,
        is_shared as is_shared,
        storage_at as storage_at,
    )
    from weft.server.storage.commit_stats import CommitStats as CommitStats
    from weft.server.storage.contract import (
        DELETED as DELETED,
        CommitListener as CommitListener,
        QuarantinedRow as QuarantinedRow,
        RoomInfo as RoomInfo,
        RoomStorage as RoomStorage,
        StoredRoom as StoredRoom,
    )
    from weft.server.storage.memory import MemoryRoomStorage as MemoryRoomStorage
    from weft.server.storage.postgres import PostgresRoomStorage as PostgresRoomStorage
    from weft.server.storage.sqlite import SqliteRoomStorage as SqliteRoomStorage
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "address": "check_address is_shared storage_at",
            "commit_stats": "CommitStats",
            "contract": "DELETED CommitListener QuarantinedRow RoomInfo RoomStorage StoredRoom",
            "memory": "MemoryRoomStorage",
            "postgres": "PostgresRoomStorage",
            "sqlite": "SqliteRoomStorage",
        },
        extra="postgres",
    )
