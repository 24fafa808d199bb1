"""CRDT documents of either kind, with every change told once and nothing that bytes can break.

They need the extra of their kind, ``weft[yjs]`` or ``weft[automerge]``; importing this package alone does
not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft._codecs.yjs.merge import (
        diff_update as diff_update,
        merge_updates as merge_updates,
        state_vector_of as state_vector_of,
    )
    from weft.documents.automerge.document import AutomergeDocument as AutomergeDocument
    from weft.documents.automerge.events import DocumentEvent as DocumentEvent
    from weft.documents.compaction import Compacted as Compacted, Compactor as Compactor
    from weft.documents.yjs.compact_log import compact_updates as compact_updates
    from weft.documents.yjs.document import YDocument as YDocument, create_doc as create_doc
    from weft.documents.yjs.update_log import Added as Added, UpdateLog as UpdateLog
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "automerge.document": "AutomergeDocument",
            "automerge.events": "DocumentEvent",
            "compaction": "Compacted Compactor",
            "weft._codecs.yjs.merge": "diff_update merge_updates state_vector_of",
            "yjs.compact_log": "compact_updates",
            "yjs.document": "YDocument create_doc",
            "yjs.update_log": "Added UpdateLog",
        },
        extra="yjs",
        extras={
            "automerge.document": "automerge",
            "automerge.events": "automerge",
        },
    )
