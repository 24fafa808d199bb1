"""Persisting to an Automerge document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from weft.mirrors.automerge.mirror import AutomergeMirror
from weft.persisters.mirrored import MirrorPersister

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.documents.automerge.document import AutomergeDocument
    from weft.persisters._core.engine import TinyBaseOptions
    from weft.store import Store

__all__ = ["AutomergePersister"]


class AutomergePersister(MirrorPersister):
    """Loads a Store from an Automerge document and saves it there, with TinyBase's verbs.

    ::

        document = AutomergeDocument()
        async with AutomergePersister(store, document) as persister:
            await persister.start_auto_persisting()

    For a Store and a document that are simply to be equal, :class:`weft.mirrors.AutomergeMirror` does the
    same at once and with no event loop. A persister loads and saves when told to, and saves one turn of the
    event loop after the edit.

    Args:
        store: The Store.
        document: The document.
        name: The key in the document's root under which the Store stands; TinyBase's default.
        on_error: Called with what automatic work could not do.
    """

    def __init__(
        self,
        store: Store,
        document: AutomergeDocument,
        name: str = "tinybase",
        *,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        super().__init__(
            store,
            lambda copy, report: AutomergeMirror(copy, document, name, on_error=report),
            on_error=on_error,
            **tinybase,
        )
        self._document = document

    def get_document(self) -> AutomergeDocument:
        """Get the document; TinyBase's ``getDocHandle``."""
        return self._document
