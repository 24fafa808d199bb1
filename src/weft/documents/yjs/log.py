"""Making a document out of a log of updates, and one update out of many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycrdt import get_update

from weft._codecs.yjs.state import decode_state_vector, read_delete_set
from weft.documents.compaction import Compacted
from weft.documents.yjs.binding import guarded
from weft.documents.yjs.document import YDocument, create_doc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pycrdt import Doc

__all__ = ["build_document", "compact_updates", "is_covered"]


def is_covered(update: bytes, state_vector: bytes, state: Mapping[int, int] | None = None) -> bool:
    """Whether a document that was given an update has taken in all of it: nothing of it waits.

    yrs leaves what waits out of ``get_update``, so whatever is built from a document lacks it. Waiting
    structs are what remains of the update beyond the state vector; a deletion waits when it reaches beyond
    the clock known of its client.

    Args:
        update: A Yjs v1 update that the document has been given.
        state_vector: The document's state vector after that.
        state: The same, decoded, where the caller has it.

    Raises:
        RemoteProtocolError: The bytes are not an update.
    """
    with guarded():
        rest = get_update(update, state_vector)
    if rest[0] != 0:
        return False
    if rest == b"\0\0":
        return True
    if state is None:
        state = decode_state_vector(state_vector)
    return all(
        start + length <= state.get(client, 0)
        for client, ranges in read_delete_set(rest[1:]).items()
        for start, length in ranges
    )


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
            document.apply(update, origin=None)
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
    doc, _ = build_document(updates, document_of=YDocument)
    vector = doc.get_state()
    state = decode_state_vector(vector)
    kept = frozenset(at for at, update in enumerate(updates) if not is_covered(update, vector, state))
    if len(updates) - len(kept) < 2:
        return None
    snapshot = doc.get_update()
    again = create_doc()
    with guarded():
        again.apply_update(snapshot)
    if decode_state_vector(again.get_state()) != state:
        return None
    return Compacted(snapshot, kept)
