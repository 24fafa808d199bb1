"""Mirrors: a Store and a CRDT document kept equal, both ways.

They need the extra of their kind of document, ``weft[yjs]`` or ``weft[automerge]``; that of a mergeable
document and importing this package alone need none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.documents.automerge.document import AutomergeDocument as AutomergeDocument
    from weft.documents.automerge.events import DocumentEvent as DocumentEvent
    from weft.documents.yjs.document import YDocument as YDocument, create_doc as create_doc
    from weft.mirrors import automerge as automerge, mergeable as mergeable, shapes as shapes, yjs as yjs
    from weft.mirrors.automerge.mirror import AutomergeMirror as AutomergeMirror
    from weft.mirrors.mergeable.mirror import MergeableMirror as MergeableMirror
    from weft.mirrors.shapes import (
        ArrayOfMaps as ArrayOfMaps,
        Inspection as Inspection,
        MapOfMaps as MapOfMaps,
        MapOfValues as MapOfValues,
        Nested as Nested,
        Shape as Shape,
        Shapes as Shapes,
        SharedText as SharedText,
        check_shapes as check_shapes,
    )
    from weft.mirrors.yjs.mirror import YjsMirror as YjsMirror
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "yjs": "",
            "automerge": "",
            "mergeable": "",
            "shapes": "",
            "automerge.mirror": "AutomergeMirror",
            "mergeable.mirror": "MergeableMirror",
            "weft.documents.automerge.document": "AutomergeDocument",
            "weft.mirrors.shapes": (
                "ArrayOfMaps Inspection MapOfMaps MapOfValues Nested Shape Shapes SharedText check_shapes"
            ),
            "weft.documents.automerge.events": "DocumentEvent",
            "weft.documents.yjs.document": "YDocument create_doc",
            "yjs.mirror": "YjsMirror",
        },
        extra="yjs",
        extras={
            "automerge.mirror": "automerge",
            "weft.documents.automerge.document": "automerge",
            "weft.documents.automerge.events": "automerge",
        },
    )
