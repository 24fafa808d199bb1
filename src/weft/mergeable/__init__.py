"""TinyBase's MergeableStore: a Store that merges with others by itself, in Python or JavaScript.

Its document, without a Store, is :class:`MergeableDocument`, and :class:`MergeableMirror` keeps any Store
and one of these equal. No extra is needed.
"""

from __future__ import annotations

from weft.documents.mergeable import (
    MergeableDocument as MergeableDocument,
    MergeableEvent as MergeableEvent,
    decode_hlc as decode_hlc,
    encode_hlc as encode_hlc,
    from_json as from_json,
    get_cell_hash as get_cell_hash,
    get_hash as get_hash,
    is_hlc as is_hlc,
    to_json as to_json,
)
from weft.mergeable.store import MergeableStore as MergeableStore
from weft.mirrors.mergeable import MergeableMirror as MergeableMirror

__all__ = [
    "MergeableDocument",
    "MergeableEvent",
    "MergeableMirror",
    "MergeableStore",
    "decode_hlc",
    "encode_hlc",
    "from_json",
    "get_cell_hash",
    "get_hash",
    "is_hlc",
    "to_json",
]
