"""Mirrors: a Store and a CRDT document kept equal, both ways.

They need the extra of their kind of document, ``weft[yjs]`` or ``weft[automerge]``; importing this package
alone does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.documents.automerge.document import AutomergeDocument, DocumentEvent
    from weft.documents.yjs.document import YDocument, create_doc
    from weft.mirrors.automerge.mirror import AutomergeMirror
    from weft.mirrors.yjs.mirror import YjsMirror

__all__ = ["AutomergeDocument", "AutomergeMirror", "DocumentEvent", "YDocument", "YjsMirror", "create_doc"]

_AUTOMERGE, _YJS = "weft.documents.automerge.document", "weft.documents.yjs.document"

_HOMES = {
    "AutomergeDocument": _AUTOMERGE,
    "AutomergeMirror": "automerge.mirror",
    "DocumentEvent": _AUTOMERGE,
    "YDocument": _YJS,
    "YjsMirror": "yjs.mirror",
    "create_doc": _YJS,
}

__getattr__, __dir__ = lazy_exports(
    __name__, _HOMES, extra="yjs", extras=dict.fromkeys((_AUTOMERGE, "automerge.mirror"), "automerge")
)
