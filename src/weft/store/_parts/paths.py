"""Places in a Store at which something else lags behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weft.store._parts.signatures import Refused

__all__ = ["Paths"]


@dataclass(slots=True)
class Paths:
    """A set of places in a Store, at which another place lags behind it.

    Places and not what stands there, so that any number of edits of one cell are one write of its last value.

    Attributes:
        everything: The whole Store, whatever the other place has; it deletes nothing.
        tables: Table id to row id to the cell ids written or deleted, as keys in this order.
        values: Value ids likewise.
        removed_tables: Deleted as tables, with whatever the other place has in them; one that the Store has
            again by then is not.
        removed_rows: Deleted as rows, likewise.
    """

    everything: bool = False
    tables: dict[str, dict[str, dict[str, None]]] = field(default_factory=dict)
    values: dict[str, None] = field(default_factory=dict)
    removed_tables: set[str] = field(default_factory=set)
    removed_rows: set[tuple[str, str]] = field(default_factory=set)

    def __bool__(self) -> bool:
        return self.everything or bool(self.tables or self.values or self.removed_tables or self.removed_rows)

    def add(
        self,
        tables: Mapping[str, Mapping[str, Iterable[str]]],
        values: Iterable[str] = (),
        removed_tables: Iterable[str] = (),
        removed_rows: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Add the places of cells and values, and what was removed as a container with cells among these."""
        for table_id, rows in tables.items():
            added = self.tables.setdefault(table_id, {})
            for row_id, cell_ids in rows.items():
                added.setdefault(row_id, {}).update(dict.fromkeys(cell_ids))
        self.values.update(dict.fromkeys(values))
        # What was made and removed again in one transaction is no change, and deletes nothing elsewhere.
        self.removed_tables.update(table_id for table_id in removed_tables if table_id in tables)
        self.removed_rows.update(
            (table_id, row_id) for table_id, row_id in removed_rows if row_id in tables.get(table_id, ())
        )

    def discard(self, refused: Iterable[Refused]) -> None:
        """Take out the places of what a schema refused: it is deleted nowhere else."""
        for path in refused:
            if len(path) == 2:
                self.values.pop(path[0], None)
                continue
            table_id, row_id, cell_id, _ = path
            rows = self.tables.get(table_id, {})
            cells = rows.get(row_id, {})
            if cells.pop(cell_id, UNDEFINED) is None and not cells:
                del rows[row_id]
                if not rows:
                    del self.tables[table_id]

    def update(self, other: Paths) -> None:
        """Add all of another."""
        self.everything = self.everything or other.everything
        self.add(other.tables, other.values, other.removed_tables, other.removed_rows)
