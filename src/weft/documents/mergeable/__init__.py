"""TinyBase's mergeable form of a document: stamped cells and values, needing no extra."""

from __future__ import annotations

from weft.documents.mergeable.clock import (
    MAX_AHEAD as MAX_AHEAD,
    Clock as Clock,
    decode_hlc as decode_hlc,
    encode_hlc as encode_hlc,
    get_unique_id as get_unique_id,
    is_hlc as is_hlc,
    latest_allowed as latest_allowed,
)
from weft.documents.mergeable.content import (
    Checked as Checked,
    MergeableChanges as MergeableChanges,
    MergeableContent as MergeableContent,
    check_changes as check_changes,
    check_content as check_content,
    check_tables as check_tables,
    check_values as check_values,
    from_json as from_json,
    to_json as to_json,
)
from weft.documents.mergeable.document import MergeableDocument as MergeableDocument
from weft.documents.mergeable.events import MergeableEvent as MergeableEvent, Undo as Undo
from weft.documents.mergeable.hashes import get_cell_hash as get_cell_hash, get_hash as get_hash

__all__ = [
    "MAX_AHEAD",
    "Checked",
    "Clock",
    "MergeableChanges",
    "MergeableContent",
    "MergeableDocument",
    "MergeableEvent",
    "Undo",
    "check_changes",
    "check_content",
    "check_tables",
    "check_values",
    "decode_hlc",
    "encode_hlc",
    "from_json",
    "get_cell_hash",
    "get_hash",
    "get_unique_id",
    "is_hlc",
    "latest_allowed",
    "to_json",
]
