"""One update that stands for many, made without the binding."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from weft._codecs.yjs.compact import collected, compact
from weft._codecs.yjs.crowding import MAX_CROWD
from weft._codecs.yjs.verify import difference
from weft.documents.compaction import Compacted
from weft.documents.yjs.update_log import UpdateLog
from weft.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["compact_to_log", "compact_updates"]

_log = logging.getLogger("weft.documents")


def compact_updates(updates: Sequence[bytes], *, gc: bool = True) -> Compacted | None:
    """Make one update that stands for as many of these as follow on.

    Structs that Yjs would have joined are joined. What is left of them are the bytes of their writers. It
    takes time linear in the updates, and may run in another thread than the event loop's.

    Args:
        updates: Yjs v1 updates of one document, in any order.
        gc: Whether the content of what is deleted is given up, as Yjs does unless it is told ``gc: false``.

    Returns:
        What may replace the updates, compared with them before it is returned; those of which a part waits
        for what none of them brings are named in ``kept``. ``None`` when they had better stay as they are.

    Raises:
        RemoteProtocolError: One of them is not an update.
    """
    found = compact_to_log(updates, gc=gc)
    return None if found is None else found[0]


def compact_to_log(
    updates: Sequence[bytes], *, gc: bool = True, limits: Limits = DEFAULT_LIMITS
) -> tuple[Compacted, UpdateLog] | None:
    """The same, with the log of the snapshot that it was compared by; ``limits`` are that log's.

    Raises:
        RemoteProtocolError: One of them is not an update.
    """
    log = UpdateLog.of(updates)
    waiting = log.held()
    kept = frozenset(at for at, update in enumerate(updates) if update in waiting)
    if len(updates) - len(kept) < 2:
        return None
    before, deletes = log.structs(), log.deletes()
    for fates in (collected(before), None) if gc else (None,):
        snapshot = compact(before, deletes, fates)
        again = UpdateLog.of([snapshot], limits=limits, max_crowd=MAX_CROWD)
        reason = difference(before, again.structs(), fates)
        if (
            reason is None
            and again.state() == log.state()
            and again.deletes() == deletes
            and not again.held()
        ):
            return Compacted(snapshot, kept), again
        # Nobody honest refers across types, so that something left would refer to what was collected.
        _log.warning("updates could not be compacted (gc=%s): %s", fates is not None, reason)
    return None
