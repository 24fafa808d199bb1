"""The Store."""

from __future__ import annotations

from weft.store._comfort import Comfort

__all__ = ["Store"]


class Store(Comfort):
    """Tables of rows of cells, and keyed values, in memory; reactive, with transactions and a schema.

    Args:
        on_invalid: What a local write does with data that cannot be stored or that the schema refuses:
            ``"raise"`` raises before anything changes; ``"ignore"`` leaves the piece out and calls the
            invalid listeners, as TinyBase does. What peers send never raises.
    """

    __slots__ = ()

    def is_mergeable(self) -> bool:
        """Tell whether this is a Store that merges by itself; a plain one does not."""
        return False
