"""Looking at an Automerge document that nobody has declared a layout for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.documents.automerge.binding import ROOT, ObjType, contained
from weft.errors import RemoteProtocolError
from weft.mirrors.shapes.inspection import Inspection, Seen, propose
from weft.mirrors.shapes.tree import Kind

if TYPE_CHECKING:
    from weft.documents.automerge.binding import CoreDocument
    from weft.documents.automerge.document import AutomergeDocument

__all__ = ["inspect_document"]


def inspect_document(document: AutomergeDocument) -> Inspection:
    """Look at a whole document. A string is a text in it, and may be a cell as well as be edited in place."""
    return propose(dict(_entries(document.core, ROOT)))


def _entries(core: CoreDocument, made: bytes) -> dict[str, object]:
    found: dict[str, object] = {}
    for key in core.keys(made):
        try:
            with contained("read a value"):
                read = core.get(made, key)
        except RemoteProtocolError:  # a counter
            found[key] = Seen(Kind.OTHER)
            continue
        if read is not None:
            found[key] = _look(core, *read)
    return found


def _look(core: CoreDocument, kind: object, made: bytes) -> object:
    if isinstance(kind, tuple):
        return kind[1]
    if kind == ObjType.Text:
        return core.text(made)
    if kind == ObjType.Map:
        return Seen(Kind.MAP, entries=_entries(core, made))
    return Seen(Kind.LIST, elements=[_look(core, *read) for read in core.values(made)])
