"""Peers with a Store mirrored in an Automerge document, and documents as a JavaScript peer makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.amdocs import at, numbered_document, project
from weft import Store
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
from weft.mirrors.automerge import AutomergeMirror

if TYPE_CHECKING:
    from weft.documents.automerge.document import AutomergeDocument

__all__ = ["HIGH", "LOW", "Peer", "make_foreign"]

LOW, HIGH = 1, 2**100


class Peer:
    """One Store mirrored into one document."""

    def __init__(self, number: int = LOW, *, document: AutomergeDocument | None = None) -> None:
        self.errors: list[Exception] = []
        self.store = Store()
        self.document = numbered_document(number) if document is None else document
        self.mirror = AutomergeMirror(self.store, self.document, on_error=self.errors.append).start()

    @property
    def content(self) -> tuple[Any, Any]:
        tables, values = self.store.get_content()
        return tables, values

    def agrees(self) -> bool:
        return self.content == project(self.document)

    def row(self, table: str, row: str) -> bytes:
        return self.at("t", table, row)

    def at(self, *keys: str) -> bytes:
        return at(self.document, "tinybase", *keys)


def make_foreign(document: AutomergeDocument, row: dict[str, int], *, table: str = "pets") -> bytes:
    """Make containers and a row the way a JavaScript peer would that has seen nothing of ours."""
    with document.transaction() as tx:
        root = tx.put_object(ROOT, "tinybase", ObjType.Map)
        tables = tx.put_object(root, "t", ObjType.Map)
        tx.put_object(root, "v", ObjType.Map)
        row_id = tx.put_object(tx.put_object(tables, table, ObjType.Map), "fido", ObjType.Map)
        for key, number in row.items():
            tx.put(row_id, key, ScalarType.Int, number)
    return row_id
