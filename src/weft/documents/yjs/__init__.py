"""The pycrdt document; ``binding.py`` alone reaches below its public names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.documents.yjs.document import YDocument as YDocument, create_doc as create_doc
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "document": "YDocument create_doc",
        },
        extra="yjs",
    )
