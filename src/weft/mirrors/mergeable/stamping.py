"""Who stamps the writes of a Store's transaction, one by one: what is of one's own, and what was received."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.store.replica import Paths
from weft.values import is_same

if TYPE_CHECKING:
    from weft.documents.mergeable import MergeableDocument
    from weft.store.replica import RawTables, RawValues, Refused
    from weft.values import Stored, Undefined

__all__ = ["CountedWrites", "DefaultWrites", "OwnWrites", "ReceivedWrites"]

_ABSENT = object()


class OwnWrites:
    """Stamps each write with the clock's next stamp, and what a schema added with the empty one.

    Args:
        document: The document.
    """

    __slots__ = ("_set_cell", "_set_value")

    def __init__(self, document: MergeableDocument) -> None:
        self._set_cell = document.set_cell
        self._set_value = document.set_value

    def cell(
        self, table_id: str, row_id: str, cell_id: str, new: Stored | Undefined, is_default: bool
    ) -> None:
        """A cell was written."""
        self._set_cell(table_id, row_id, cell_id, new, "" if is_default else None)

    def value(self, value_id: str, new: Stored | Undefined, is_default: bool) -> None:
        """A value was written."""
        self._set_value(value_id, new, "" if is_default else None)


class DefaultWrites(OwnWrites):
    """Stamps each write with the empty stamp.

    Attributes:
        beaten: The places at which there is a stamp that stays, so that what was written there has to go.
    """

    __slots__ = ("beaten",)

    def __init__(self, document: MergeableDocument) -> None:
        super().__init__(document)
        self.beaten = Paths()

    def cell(
        self, table_id: str, row_id: str, cell_id: str, new: Stored | Undefined, is_default: bool
    ) -> None:
        """A cell was written."""
        if not self._set_cell(table_id, row_id, cell_id, new, "") and not is_default:
            self.beaten.add({table_id: {row_id: (cell_id,)}})

    def value(self, value_id: str, new: Stored | Undefined, is_default: bool) -> None:
        """A value was written."""
        if not self._set_value(value_id, new, "") and not is_default:
            self.beaten.add({}, (value_id,))


class ReceivedWrites:
    """Stamps what the middleware made of what was received; all else has the stamps that came with it.

    What a schema adds to a row that was received gets none, as at every peer that has the schema, and what
    it refuses keeps the one under which it is hidden.
    """

    __slots__ = ("_own", "_refused", "_tables", "_values")

    def __init__(self, own: OwnWrites, tables: RawTables, values: RawValues, refused: list[Refused]) -> None:
        self._own = own
        self._tables = tables
        self._values = values
        self._refused = {path[:-1] for path in refused}

    def cell(
        self, table_id: str, row_id: str, cell_id: str, new: Stored | Undefined, is_default: bool
    ) -> None:
        """A cell was written."""
        given = self._tables.get(table_id, {}).get(row_id, {}).get(cell_id, _ABSENT)
        if not is_default and not is_same(given, new) and (table_id, row_id, cell_id) not in self._refused:
            self._own.cell(table_id, row_id, cell_id, new, False)

    def value(self, value_id: str, new: Stored | Undefined, is_default: bool) -> None:
        """A value was written."""
        given = self._values.get(value_id, _ABSENT)
        if not is_default and not is_same(given, new) and (value_id,) not in self._refused:
            self._own.value(value_id, new, False)


class CountedWrites:
    """Counts the writes that would have taken a stamp of the clock.

    Attributes:
        count: How many there were.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def cell(
        self, table_id: str, row_id: str, cell_id: str, new: Stored | Undefined, is_default: bool
    ) -> None:
        """A cell was written."""
        self.count += not is_default

    def value(self, value_id: str, new: Stored | Undefined, is_default: bool) -> None:
        """A value was written."""
        self.count += not is_default
