"""A Store that is kept elsewhere: what those in an event loop and those without one have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft import notebook
from weft.mergeable.stamped import StampedStore

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from weft.mergeable import MergeableMirror
    from weft.notebook import LiveTable

__all__ = ["KeptStore"]


class KeptStore(StampedStore):
    """What a Store that is kept elsewhere has beside that, in either form.

    Where it is kept in TinyBase's mergeable form (from a ``tinybase+ws://`` server, in a replica of one, in a
    place that was opened with ``mergeable=True``), it has what a :class:`~weft.mergeable.MergeableStore` has.
    """

    __slots__ = ()

    def stamp_by(self, mirror: MergeableMirror) -> None:
        """Take the mirror that stamps its writes: for who opens it."""
        self._mirror = mirror

    def live(
        self,
        table_id: str,
        *,
        columns: Sequence[str] | None = None,
        editable: bool | Collection[str] = False,
        page_size: int = 50,
        sort: str | None = None,
        descending: bool = False,
    ) -> LiveTable:
        """Show a table in a notebook, as it changes: see :func:`weft.notebook.live`, which shows any Store's.

        Raises:
            ImportError: A package of ``weft[notebook]`` is missing.
        """
        return notebook.live(
            self,
            table_id,
            columns=columns,
            editable=editable,
            page_size=page_size,
            sort=sort,
            descending=descending,
        )
