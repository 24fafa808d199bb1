"""A Store that is kept elsewhere: what ``weft.connect`` and ``weft.open`` give in an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft import notebook
from weft.store import Store

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from weft.documents.mergeable import MergeableDocument
    from weft.facade.presence import Presence
    from weft.facade.state import StoreSync
    from weft.notebook import LiveTable

__all__ = ["KeptStore", "SharedStore"]


class KeptStore(Store):
    """What a Store that is kept elsewhere has beside that, in either form."""

    __slots__ = ("_document",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._document: MergeableDocument | None = None

    @property
    def document(self) -> MergeableDocument:
        """Its content with stamps, where it was opened with ``mergeable=True``.

        Raises:
            AttributeError: It was not.
        """
        if self._document is None:
            raise AttributeError("only a Store that was opened with mergeable=True has stamps")
        return self._document

    def is_mergeable(self) -> bool:
        """Tell whether it was opened with ``mergeable=True``."""
        return self._document is not None

    def stamp_in(self, document: MergeableDocument) -> None:
        """Take the document in which its writes are stamped: for who opens it."""
        self._document = document

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

    def _free_type(self) -> type[Store]:
        return Store


class SharedStore(KeptStore):
    """A :class:`Store` with what keeps it, as ``store.sync``, and who else is there, as ``store.presence``.

    It belongs to the event loop in which it was opened. A copy is a plain ``Store``.
    """

    __slots__ = ("_presence", "_sync")

    _sync: StoreSync

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._presence: Presence | None = None

    @property
    def sync(self) -> StoreSync:
        """How it stands to what keeps it: status, what is pending, waiting for the server."""
        return self._sync

    @property
    def presence(self) -> Presence:
        """Who else is here, and what they say of themselves.

        Raises:
            LocalProtocolError: There is no server to hear of others by.
        """
        if self._presence is None:
            self._presence = self._sync.make_presence(self._sync.call_listener)
        return self._presence

    def attach(self, sync: StoreSync) -> None:
        """Take what keeps it: for who opens it."""
        self._sync = sync
