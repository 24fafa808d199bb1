"""Whether the binding takes changes that were made by hand for its own.

The binding keeps operations, not changes, and rebuilds these when asked. Where it would write a change in
other bytes, a saved document could not be loaded any more. To have it rebuild each change takes as long again
as to make it, so it is asked once in a process, for a change with all that is ever made by hand.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from weft._codecs.automerge.change_builder import ChangeBuilder
from weft._codecs.automerge.put_change import make_put
from weft._codecs.automerge.sync_message import make_sync_message
from weft.documents.automerge.binding import SyncState, contained, decode_message, new_core
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from weft.documents.automerge.binding import CoreDocument

__all__ = ["are_taken"]

_CELLS = (None, True, False, 0, -1, 1 << 40, 0.5)


@cache
def are_taken() -> bool:
    """Whether it gives back the bytes that it was given."""
    builder = ChangeBuilder(actor=b"\1", seq=1, start_op=1, deps=())
    row = builder.make_map(None, "row")
    for number, cell in enumerate(_CELLS):
        builder.put(row, f"c{number}", cell)
    for text in ("", "a", "ascii", "n\u00f6t \U0001f600"):
        builder.make_text(row, f"text {text}", text)
    made = [builder.chunk()]
    core = new_core(b"\2")
    try:
        with contained("take a change that was made by hand"):
            _give(core, made[0])
            (change,) = core.get_changes([])
            put = make_put(b"\2", 1, change.max_op + 1, [change.hash], row, "c0", 0.5, (b"\1", 2))
            _give(core, put[0])
            made.append(put[0])
            return [each.raw_bytes for each in core.get_changes([])] == made
    except (RemoteProtocolError, ValueError):
        return False


def _give(core: CoreDocument, change: bytes) -> None:
    core.receive_sync_message(SyncState(), decode_message(make_sync_message((), (change,))))
