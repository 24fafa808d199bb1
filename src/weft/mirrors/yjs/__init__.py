"""The mirror of a Store in a Yjs document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.documents.yjs.document import create_doc as create_doc
    from weft.mirrors.yjs.inspecting import inspect_update as inspect_update
    from weft.mirrors.yjs.mirror import YjsMirror as YjsMirror
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "inspecting": "inspect_update",
            "mirror": "YjsMirror",
            "weft.documents.yjs.document": "create_doc",
        },
        extra="yjs",
    )
