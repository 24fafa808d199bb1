"""What was written and the server's store has not confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.protocols.tinybase.changes import hlc_of

if TYPE_CHECKING:
    from weft.documents.mergeable import MergeableChanges

__all__ = ["Writes"]

_MOST_WRITES = 10_000  # rows and values; beyond, they are confirmed by the hashes of everything


class Writes:
    """What was written since the server's store last had everything, as far as it is worth keeping.

    Attributes:
        are_known: Whether that is all; of what stood in the document before nobody knows.
        changes: It.
        count: Of rows and values in it.
    """

    def __init__(self) -> None:
        self.are_known = False
        self.changes: list[MergeableChanges] = []
        self.count = 0

    def add(self, changes: MergeableChanges) -> None:
        """Note what was written."""
        if not self.are_known:
            return
        self.count += sum(len(table[0]) for table in changes[0][0].values()) + len(changes[1][0])
        if self.count > _MOST_WRITES:
            self.forget()
        else:
            self.changes.append(changes)

    def forget(self) -> None:
        """From now on it is not known."""
        self.are_known = False
        self.changes = []
        self.count = 0

    def confirmed(self) -> None:
        """All that was written is there."""
        self.forget()
        self.are_known = True

    def taken(self) -> Writes:
        """Give what there is; it begins anew."""
        taken = Writes()
        taken.are_known, taken.changes, taken.count = self.are_known, self.changes, self.count
        self.confirmed()
        return taken

    def put_back(self, taken: Writes) -> None:
        """What was taken is not confirmed."""
        if not taken.are_known:
            self.forget()
            return
        later, self.changes, self.count = self.changes, taken.changes, taken.count
        for changes in later:
            self.add(changes)

    def latest(self) -> tuple[dict[str, dict[str, dict[str, str]]], dict[str, str]]:
        """The stamps of the clock that were written last: of cells, and of values."""
        cells: dict[str, dict[str, dict[str, str]]] = {}
        values: dict[str, str] = {}
        for changes in self.changes:
            for table_id, table in changes[0][0].items():
                rows = cells.setdefault(table_id, {})
                for row_id, row in table[0].items():
                    rows.setdefault(row_id, {}).update(
                        {cell_id: hlc_of(cell) for cell_id, cell in row[0].items()}
                    )
            values.update({value_id: hlc_of(value) for value_id, value in changes[1][0].items()})
        return cells, values
