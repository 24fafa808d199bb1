"""CRDT documents of either kind, with every change told once and nothing that bytes can break.

They need the extra of their kind, ``weft[yjs]`` or ``weft[automerge]``; importing this package alone does
not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.documents.automerge.document import AutomergeDocument as AutomergeDocument
    from weft.documents.automerge.events import DocumentEvent as DocumentEvent
    from weft.documents.compaction import Compacted as Compacted, Compactor as Compactor
    from weft.documents.yjs.document import YDocument as YDocument, create_doc as create_doc
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "automerge.document": "AutomergeDocument",
            "automerge.events": "DocumentEvent",
            "compaction": "Compacted Compactor",
            "yjs.document": "YDocument create_doc",
        },
        extra="yjs",
        extras={
            "automerge.document": "automerge",
            "automerge.events": "automerge",
        },
    )
