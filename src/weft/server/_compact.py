"""Making one update out of many, and knowing what an update still waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pycrdt import Doc, get_update

from weft._lib0 import Reader
from weft.mirrors._pycrdt import guarded
from weft.mirrors.ydoc import create_doc, decode_state_vector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Compacted", "apply_all", "compact_updates", "is_covered"]


@dataclass(frozen=True, slots=True)
class Compacted:
    """What may stand for a list of updates.

    Attributes:
        snapshot: One update with everything that is whole.
        kept: Positions of the updates that must stay beside it, because part of them waits for structs that
            none of the others brings.
    """

    snapshot: bytes
    kept: frozenset[int]


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
    # What is left is a delete set: a count of clients; for each its id, a count of ranges, and for each
    # range a clock and a length (y-protocols' varuints throughout).
    reader = Reader(rest)
    reader.uint()
    for _ in range(reader.uint()):
        known = state.get(reader.uint(), 0)
        for _ in range(reader.uint()):
            if reader.uint() + reader.uint() > known:
                return False
    return True


def apply_all(doc: Doc[Any], updates: Sequence[bytes]) -> None:
    """Apply updates to a document as they are, in one transaction.

    Raises:
        RemoteProtocolError: The binding refused one of them. Those before it are applied.
    """
    with guarded(), doc.transaction():
        for update in updates:
            doc.apply_update(update)


def compact_updates(updates: Sequence[bytes]) -> Compacted | None:
    """Make one update that stands for as many of these as are whole.

    The snapshot comes from a document that never had anything waiting, and it has been loaded once before
    it is returned. Updates of which a part waits are left out of it and named in ``kept``.

    Args:
        updates: Yjs v1 updates of one document that have passed the structural guard.

    Returns:
        What may replace the updates, or ``None`` when they had better stay as they are.

    Raises:
        RemoteProtocolError: One of them is not an update.
    """
    kept: set[int] = set()
    while True:
        doc = create_doc()
        apply_all(doc, [update for at, update in enumerate(updates) if at not in kept])
        vector = doc.get_state()
        state = decode_state_vector(vector)
        waiting = {
            at
            for at, update in enumerate(updates)
            if at not in kept and not is_covered(update, vector, state)
        }
        if not waiting:
            break
        kept |= waiting
    if len(updates) - len(kept) < 2:
        return None
    snapshot = doc.get_update()
    again = create_doc()
    apply_all(again, [snapshot])
    if decode_state_vector(again.get_state()) != state:
        return None
    return Compacted(snapshot, frozenset(kept))
