"""A Store that is kept elsewhere: what those in an event loop and those without one have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft import notebook
from weft.store import Store

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from weft.documents.mergeable import MergeableDocument
    from weft.notebook import LiveTable

__all__ = ["KeptStore"]


class KeptStore(Store):
    """What a Store that is kept elsewhere has beside that, in either form."""

    __slots__ = ("_document",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._document: MergeableDocument | None = None

    @property
    def document(self) -> MergeableDocument:
        """Its content with stamps, where it is kept in TinyBase's mergeable form.

        So it is from a ``tinybase+ws://`` server, in a replica of one, and in a place that was opened with
        ``mergeable=True``.

        Raises:
            AttributeError: It is kept in another form.
        """
        if self._document is None:
            raise AttributeError(
                "only a Store from tinybase+ws://, or opened with mergeable=True, has stamps in a document; "
                "store.sync.document is what others are kept in"
            )
        return self._document

    def is_mergeable(self) -> bool:
        """Tell whether it is kept in TinyBase's mergeable form: :attr:`document` has its stamps."""
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
