"""What is noted of an Automerge document's changes: how they are numbered, and what it is restored from.

To ask the binding for a change takes a third as long as to write a letter. So what a local transaction wrote
is noted when something is to be received, or somebody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.documents.automerge.history import ChangeNumbers
from weft.documents.automerge.restore_point import RestorePoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.documents.automerge.binding import CoreDocument
    from weft.documents.automerge.events import Heads

__all__ = ["KnownChanges"]

_MAX_NOTED = 256  # changes of which the chunks are kept; where there are more, the document is forked


class KnownChanges:
    """Of one document.

    Args:
        core: The document. Its numbers are learned only when they are asked for.
    """

    __slots__ = ("_behind", "_late", "_numbers", "_restore_point")

    def __init__(self, core: CoreDocument) -> None:
        self._numbers = ChangeNumbers()
        self._restore_point = RestorePoint(core)
        self._behind: Heads = ()  # heads up to which all was noted, if some was not
        self._late = 0

    def note_later(self, before: Heads) -> None:
        """Say that a local transaction has added one change to these heads."""
        if not self._late:
            self._behind = before
        self._late += 1

    def catch_up(self, core: CoreDocument) -> ChangeNumbers:
        """Note what was not noted yet; gives how all are numbered."""
        late, self._late = self._late, 0
        if late:
            changes = core.get_changes(self._behind)
            for change in changes:
                self._numbers.add(change)
            if late > _MAX_NOTED:
                self.begin_again(core)
            else:
                self.remember(core, [change.raw_bytes for change in changes])
        return self._numbers

    def begin_again(self, core: CoreDocument) -> None:
        """Restore from the document as it is now."""
        self._restore_point = RestorePoint(core)

    def remember(self, core: CoreDocument, chunks: Sequence[bytes]) -> None:
        """Note chunks that the document was given."""
        self._restore_point.add(chunks)
        self._restore_point.trim(core)

    def rebuild(self, actor: bytes, chunks: Sequence[bytes] = ()) -> CoreDocument:
        """Make the document anew, with all that was noted, and chunks that are noted now."""
        self._restore_point.add(chunks)
        return self._restore_point.rebuild(actor)
