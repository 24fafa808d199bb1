"""Mirrors: a Store and a CRDT document kept equal, both ways.

They need the extra of their kind of document, ``weft[yjs]`` or ``weft[automerge]``; importing this package
alone does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._lazy import lazy_exports

if TYPE_CHECKING:
    from weft.mirrors.amdoc import AutomergeDocument, DocumentEvent
    from weft.mirrors.automerge import AutomergeMirror
    from weft.mirrors.ydoc import YDocument, create_doc
    from weft.mirrors.yjs import YjsMirror

__all__ = ["AutomergeDocument", "AutomergeMirror", "DocumentEvent", "YDocument", "YjsMirror", "create_doc"]

_HOMES = {
    "AutomergeDocument": "amdoc",
    "AutomergeMirror": "automerge",
    "DocumentEvent": "amdoc",
    "YDocument": "ydoc",
    "YjsMirror": "yjs",
    "create_doc": "ydoc",
}

__getattr__, __dir__ = lazy_exports(
    __name__, _HOMES, extra="yjs", extras={"amdoc": "automerge", "automerge": "automerge"}
)
