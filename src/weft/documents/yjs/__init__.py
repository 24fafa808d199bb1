"""The pycrdt document; ``binding.py`` alone reaches below its public names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft._codecs.yjs.merge import (
        diff_update as diff_update,
        merge_updates as merge_updates,
        state_vector_of as state_vector_of,
    )
    from weft.documents.yjs.compact_log import compact_updates as compact_updates
    from weft.documents.yjs.document import YDocument as YDocument, create_doc as create_doc
    from weft.documents.yjs.update_log import Added as Added, UpdateLog as UpdateLog
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "compact_log": "compact_updates",
            "document": "YDocument create_doc",
            "update_log": "Added UpdateLog",
            "weft._codecs.yjs.merge": "diff_update merge_updates state_vector_of",
        },
        extra="yjs",
    )
