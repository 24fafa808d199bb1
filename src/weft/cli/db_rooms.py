"""The storage and the rooms that a command of ``weft db`` is told."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from weft.errors import StorageError
from weft.server.storage import is_shared, storage_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from weft.server.storage import RoomStorage

__all__ = ["confirm", "key_of", "writing"]


@asynccontextmanager
async def writing(address: str, *, make: bool = False) -> AsyncIterator[RoomStorage]:
    """A storage, open beside a server if that shares it."""
    if not make and not is_shared(address) and not Path(address).is_file():
        raise StorageError(f"{address}: there is no such file")
    storage = storage_at(address, exclusive=False)
    try:
        await storage.open()
    except StorageError as error:
        if "another process is using it" in str(error):
            raise StorageError(f"{error}: stop the server, or have it serve with --shared") from error
        raise
    try:
        yield storage
    finally:
        await storage.close()


def confirm(question: str) -> bool:
    """Ask whoever sits before it.

    Raises:
        StorageError: Nobody does.
    """
    if not sys.stdin.isatty():
        raise StorageError("this is for good: say --yes")
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def key_of(name: str) -> str:
    """The name in storage of what is called as ``weft db list`` does."""
    return f"\x1f{name}" if name.startswith(("automerge:", "mergeable:")) else name
