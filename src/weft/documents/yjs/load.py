"""A pycrdt document out of the updates that are stored of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft._codecs.yjs.joining import check_joined
from weft._codecs.yjs.merge import merge_updates
from weft._codecs.yjs.structs import STORED
from weft.documents.yjs.binding import create_doc, guarded
from weft.documents.yjs.pairs import mend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pycrdt import Doc

__all__ = ["load_doc"]


def load_doc(updates: Sequence[bytes], *, client_id: int) -> Doc[Any]:
    """Make a document of updates that a document has taken in before, in that order.

    Args:
        updates: Yjs v1 updates; each follows on from those before it.
        client_id: The document's.

    Raises:
        RemoteProtocolError: One of them is no update, or the binding refuses it.
    """
    doc = create_doc(client_id=client_id)
    # Mostly one is nearly all: that goes in as it is, and of the others one is made.
    parts = [updates[0], *([merge_updates(updates[1:])] if len(updates) > 1 else [])] if updates else []
    for part in mend(parts):
        checked = check_joined(part, STORED).data
        with guarded():
            doc.apply_update(checked)
    return doc
