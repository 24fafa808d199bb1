"""What a mergeable document tells of its transactions, and remembers while they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.documents.mergeable.content import MergeableChanges, Stamp

__all__ = ["MergeableEvent", "Subscriber", "Touched", "Undo"]


class Touched(NamedTuple):
    """What was stamped in a transaction: cells by table and row, and values, as keys."""

    tables: dict[str, dict[str, dict[str, None]]]
    values: dict[str, None]


class MergeableEvent(NamedTuple):
    """What one transaction stamped.

    Attributes:
        changes: The stamps, as message 3 of TinyBase's protocol and a row of a log have them.
        origin: Who made or brought it; compared by identity.
        is_local: Whether the stamps were made here, and not received.
        is_whole: Whether there is nothing else any more, without a trace: the content was replaced.
    """

    changes: MergeableChanges
    origin: object | None
    is_local: bool
    is_whole: bool = False


class Undo(NamedTuple):
    """A stamp that may be taken back: its place, what was there before, and it.

    Attributes:
        path: Table, row and cell id, or value id.
        before: What was there; ``None`` where nothing was.
        stamp: It.
    """

    path: tuple[str, ...]
    before: Stamp | None
    stamp: Stamp


class Subscriber(NamedTuple):
    """Who hears of transactions, and of which origin not."""

    callback: Callable[[MergeableEvent], None]
    but: object
