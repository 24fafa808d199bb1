"""Making a document out of a log of updates, and one update out of many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycrdt import get_update

from weft._codecs.yjs.guard import check_update
from weft._codecs.yjs.state import decode_state_vector
from weft.documents.compaction import Compacted
from weft.documents.yjs.binding import guarded
from weft.documents.yjs.document import YDocument, create_doc
from weft.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pycrdt import Doc

__all__ = ["build_document", "compact_updates"]

# What stands in a log was within the limits when it came, and may have been joined since.
_STORED = Limits(max_string=2**53)


def build_document(
    updates: Sequence[bytes], *, document_of: Callable[[Doc[Any]], YDocument] = YDocument.of
) -> tuple[Doc[Any], YDocument]:
    """Make a document out of a log, in whatever order the log has it.

    Args:
        updates: Yjs v1 updates.
        document_of: Makes the :class:`YDocument`. The registry behind ``YDocument.of`` belongs to the thread
            of the event loop; on another thread the class itself is given.

    Returns:
        pycrdt's document and weft's. What waits for missing structs is not in the former; the latter holds it
        back until it can be applied, as far as its bounds allow.

    Raises:
        RemoteProtocolError: One of the updates is not one.
    """
    # Nearly every log is in order, and the binding alone reads such a one several times as fast as
    # ``YDocument.apply``. What it makes of another is thrown away: it integrates across gaps, and spoils the
    # document when they close.
    doc = create_doc()
    in_order = True
    for update in updates:
        with guarded():
            doc.apply_update(update)
            if get_update(update, doc.get_state())[0] != 0:
                in_order = False
                break
    if not in_order:
        doc = create_doc()
    document = document_of(doc)
    if not in_order:
        for update in updates:
            document.apply(update, origin=None, spans=check_update(update, _STORED))
    return doc, document


def compact_updates(updates: Sequence[bytes]) -> Compacted | None:
    """Make one update that stands for as many of these as are whole.

    Updates of which a part waits are named in ``kept``. The snapshot has been loaded once before it is
    returned.

    Args:
        updates: Yjs v1 updates of one document.

    Returns:
        What may replace the updates, or ``None`` when they had better stay as they are.

    Raises:
        RemoteProtocolError: One of them is not an update.
    """
    doc, document = build_document(updates, document_of=YDocument)
    kept = frozenset(at for at, update in enumerate(updates) if not document.is_covered(update))
    if len(updates) - len(kept) < 2:
        return None
    snapshot = doc.get_update()
    again = create_doc()
    with guarded():
        again.apply_update(snapshot)
    if decode_state_vector(again.get_state()) != document.state():
        return None
    return Compacted(snapshot, kept)
