"""``weft.inspect``: what a document holds, and how it could be mirrored."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from weft import documents, mirrors
from weft._support.arguments import wrong_kind

if TYPE_CHECKING:
    from weft.mirrors import Inspection

__all__ = ["inspect"]

_AUTOMERGE = b"\x85\x6f\x4a\x83"


def inspect(document: Any) -> Inspection:
    """Look at a document of another application, and propose a layout for it.

    ::

        print(weft.inspect(doc))                      # what is there, and a layout as one would write it
        YjsMirror(store, doc, layout=weft.inspect(doc).layout)

    All of the document is read. What it holds now is all that is known: an empty list is no table yet.

    Args:
        document: A ``pycrdt.Doc``, ``YDocument`` or ``AutomergeDocument``, as ``store.sync.document`` has it,
            too; or a Yjs update or saved Automerge document in bytes.

    Raises:
        TypeError: It is none of these.
        RemoteProtocolError: The bytes are no such document.
    """
    if isinstance(document, bytes | bytearray | memoryview):
        data = bytes(document)
        if data[:4] == _AUTOMERGE:
            return mirrors.automerge.inspect_document(documents.AutomergeDocument(data))
        return mirrors.yjs.inspect_update(data)
    if _is("weft.documents.automerge.document", "AutomergeDocument", document):
        return mirrors.automerge.inspect_document(document)
    doc = getattr(document, "doc", document)
    if _is("pycrdt", "Doc", doc):
        return mirrors.yjs.inspect_update(doc.get_update())
    raise wrong_kind("a pycrdt.Doc, YDocument, AutomergeDocument, or the bytes of a document", document)


def _is(module: str, name: str, thing: object) -> bool:
    """Whether it is of a class whose module, if it was not imported yet, has made nothing."""
    known = sys.modules.get(module)
    return known is not None and isinstance(thing, getattr(known, name))
