"""The ground of the storage suites: the hook, and updates that need no document."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import TYPE_CHECKING

from weft.documents.compaction import Compacted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weft.server.storage import RoomStorage

__all__ = ["StorageHooks", "join_updates", "read_updates", "write_updates"]


def write_updates(count: int, first: int = 0, writer: str = "") -> list[bytes]:
    """Updates that are told apart, and that :func:`join_updates` compacts."""
    return [b"%s%d;" % (writer.encode(), number) for number in range(first, first + count)]


def join_updates(updates: Sequence[bytes]) -> Compacted:
    """A compactor of such updates: like those of documents, it takes what comes twice once."""
    return Compacted(b"".join(dict.fromkeys(read_updates(updates))), frozenset())


def read_updates(rows: Iterable[bytes]) -> list[bytes]:
    """The updates that rows were made of, compacted or not."""
    return [part for row in rows for part in re.findall(rb"[^;]*;?", row) if part]


class StorageHooks:
    """What a subclass of the suites says about its place."""

    @abstractmethod
    def make(self) -> RoomStorage:
        """Make a storage of the test's place, which has not been opened yet."""
