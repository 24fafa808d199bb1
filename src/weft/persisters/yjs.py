"""Persisting to a Yjs document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack

from weft.documents.yjs.document import YDocument
from weft.mirrors.yjs.mirror import YjsMirror
from weft.persisters.mirrored import MirrorPersister

if TYPE_CHECKING:
    from collections.abc import Callable

    from pycrdt import Doc

    from weft.mirrors import Shapes
    from weft.persisters._core.engine import TinyBaseOptions
    from weft.store import Store

__all__ = ["YjsPersister"]


class YjsPersister(MirrorPersister):
    """Loads a Store from a Yjs document and saves it there, with TinyBase's verbs.

    ::

        doc = create_doc()
        async with YjsPersister(store, doc) as persister:
            await persister.start_auto_persisting()

    For a Store and a document that are simply to be equal, :class:`weft.mirrors.YjsMirror` does the same at
    once and with no event loop. A persister loads and saves when told to, and saves one turn of the event
    loop after the edit. Within, it keeps a copy of the document's content in a mirrored Store of its own, so
    concurrent edits merge, and heal, as they do with the mirror.

    Args:
        store: The Store.
        doc: The document; create it with :func:`weft.mirrors.create_doc`.
        map_name: Name of the root map; TinyBase's default.
        layout: As for the mirror.
        on_error: Called with what automatic work could not do.
    """

    def __init__(
        self,
        store: Store,
        doc: Doc[Any] | YDocument,
        map_name: str = "tinybase",
        *,
        layout: Literal["tinybase", "flat"] | Shapes = "tinybase",
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        super().__init__(
            store,
            lambda copy, report: YjsMirror(copy, doc, map_name, layout, on_error=report),
            on_error=on_error,
            **tinybase,
        )
        self._doc = doc

    def get_y_doc(self) -> Doc[Any]:
        """Get the document."""
        return YDocument.of(self._doc).doc
