"""A Store that is kept elsewhere: what those in an event loop and those without one have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft import notebook
from weft.errors import LocalProtocolError
from weft.mergeable.stamped import StampedStore

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from weft.mergeable import MergeableMirror
    from weft.notebook import LiveTable
    from weft.providers import Replica
    from weft.store import UndoManager

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

    def undo_manager(self, *, persist: bool | str = False, **options: Any) -> UndoManager:
        """Get undo and redo of one's own edits: see ``Store.undo_manager`` for the other options.

        Args:
            persist: Whether the steps are kept in the file of ``offline=``, and are there when it is opened
                again: the newest, up to a mebibyte. Where there are several managers, a name for each.
            options: The others.

        Raises:
            LocalProtocolError: They are to be kept, and there is no ``offline=``.
        """
        replica = self._kept_in() if persist else None
        if persist and replica is None:
            raise LocalProtocolError("an undo stack is kept with offline= only")
        manager = super().undo_manager(**options)
        if replica is not None:
            name = "undo" if persist is True else f"undo {persist}"
            manager.keep(name, replica.beside, replica.keep_beside)
        return manager

    def _kept_in(self) -> Replica | None:
        """The replica that has the document, if there is one."""
        raise NotImplementedError

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
