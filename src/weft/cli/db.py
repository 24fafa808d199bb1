"""``weft db``: what is done to a server's storage from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.server.storage import storage_at

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["init"]


async def init(address: str, *, say: Callable[[str], None]) -> None:
    """Make what a storage needs.

    Args:
        address: Which storage.
        say: Prints a line.

    Raises:
        ImportError: A package is missing for it.
        StorageError: It cannot be made.
    """
    storage = storage_at(address)
    await storage.init()
    say(f"{storage.place} is ready.")
