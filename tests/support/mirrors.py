"""Peers with a Store mirrored in a document of any kind, so that one suite proves the rules for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from support import amdocs, ydocs
from weft import Store
from weft.documents.automerge.document import AutomergeDocument
from weft.documents.yjs.document import YDocument
from weft.mirrors.automerge import AutomergeMirror
from weft.mirrors.yjs import YjsMirror, create_doc

if TYPE_CHECKING:
    from weft.mirrors.mirror import Mirror

__all__ = ["HIGH", "KINDS", "LOW", "Kind", "Peer", "deliver", "exchange", "lookup", "make_peer"]

Kind = Literal["tinybase", "flat", "automerge"]
KINDS: tuple[Kind, ...] = ("tinybase", "flat", "automerge")

LOW, HIGH = 300_000_001, 300_000_003  # of two concurrent writes, that of the higher one wins


class Peer:
    """One Store mirrored into one document."""

    def __init__(self, kind: Kind, doc: Any, store: Store | None = None, *, start: bool = True) -> None:
        self.kind = kind
        self.doc = doc
        self.errors: list[Exception] = []
        self.store = Store() if store is None else store
        self.mirror: Mirror
        if kind == "automerge":
            self.mirror = AutomergeMirror(self.store, doc, on_error=self.errors.append)
        else:
            self.mirror = YjsMirror(self.store, doc, layout=kind, on_error=self.errors.append)
        if start:
            self.mirror.start()

    @property
    def content(self) -> tuple[Any, Any]:
        tables, values = self.store.get_content()
        return tables, values

    def project(self) -> tuple[Any, Any]:
        """What the document holds, read without the code under test."""
        return (
            amdocs.project(self.doc)
            if self.kind == "automerge"
            else ydocs.project(self.doc, layout=self.kind)
        )

    def agrees(self) -> bool:
        return self.content == self.project()

    def updates(self) -> list[bytes]:
        """What enters the document from now on, one piece an event."""
        updates: list[bytes] = []
        if self.kind == "automerge":
            self.doc.subscribe(lambda event: updates.append(b"".join(event.changes)))
        else:
            YDocument.of(self.doc).subscribe(lambda update, _origin: updates.append(update))
        return updates

    def apply(self, update: bytes) -> None:
        """Take in one update."""
        if self.kind == "automerge":
            self.doc.apply_changes([update], origin="test")
        else:
            YDocument.of(self.doc).apply(update, origin="test")


def make_peer(kind: Kind, number: int | None = None) -> Peer:
    """A peer with a new document; the number decides who wins."""
    if kind == "automerge":
        return Peer(kind, AutomergeDocument() if number is None else amdocs.numbered_document(number))
    return Peer(kind, create_doc() if number is None else ydocs.numbered_doc(number))


def deliver(source: Peer, target: Peer) -> None:
    """Bring the target up to date with the source."""
    (amdocs if source.kind == "automerge" else ydocs).deliver(source.doc, target.doc)


def exchange(*peers: Peer) -> None:
    """Deliver between all peers until nothing changes any more."""
    (amdocs if peers[0].kind == "automerge" else ydocs).exchange(*(peer.doc for peer in peers))


def lookup(content: Any, path: tuple[str, ...]) -> Any:
    """The cell at a table, row and cell id, or the value at its own; ``...`` where there is none."""
    tables, values = content
    if len(path) == 1:
        return values.get(path[0], ...)
    return tables.get(path[0], {}).get(path[1], {}).get(path[2], ...)
