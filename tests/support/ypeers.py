"""Peers with a Store mirrored in a Yjs document, in either layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from support.ydocs import numbered_doc, project
from weft import Store
from weft.documents.yjs.document import YDocument
from weft.mirrors.yjs import YjsMirror, create_doc

if TYPE_CHECKING:
    from pycrdt import Doc

__all__ = ["HIGH", "LAYOUTS", "LOW", "MIDDLE", "Layout", "Peer", "updates_of"]

LOW, MIDDLE, HIGH = (
    300_000_001,
    300_000_002,
    300_000_003,
)  # the higher one wins

LAYOUTS: tuple[Literal["tinybase", "flat"], ...] = ("tinybase", "flat")

Layout = Literal["tinybase", "flat"]


class Peer:
    """One Store mirrored into one document."""

    def __init__(
        self, client_id: int | None = None, *, layout: Layout = "tinybase", doc: Doc[Any] | None = None
    ) -> None:
        self.errors: list[Exception] = []
        self.store = Store()
        self.doc = doc or (create_doc() if client_id is None else numbered_doc(client_id))
        self.layout = layout
        self.mirror = YjsMirror(self.store, self.doc, layout=layout, on_error=self.errors.append).start()

    def agrees(self) -> bool:
        return self.content == project(self.doc, layout=self.layout)

    @property
    def content(self) -> tuple[Any, Any]:
        tables, values = self.store.get_content()
        return tables, values


def updates_of(doc: Doc[Any]) -> list[bytes]:
    """A list that each update of the document will be appended to."""
    updates: list[bytes] = []
    YDocument.of(doc).subscribe(lambda update, _origin: updates.append(update))
    return updates
