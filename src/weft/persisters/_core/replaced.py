"""A place that went away while it was open: a file that was removed, or replaced by another."""

from __future__ import annotations

from weft.errors import StorageError

__all__ = ["PlaceReplacedError"]


class PlaceReplacedError(StorageError):
    """What is open is not what stands at its path any more, so nothing that was written there counts.

    An adapter raises it from ``read`` and ``write`` until it was told to ``reopen``.
    """
