"""Which places an undo manager captures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.arguments import wrong_kind

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["UndoScope"]


class UndoScope:
    """Tables, rows, cells and values.

    Args:
        scope: Table ids, ``(table_id, row_id)`` and ``(table_id, row_id, cell_id)``; ``None`` for all.
        values: Whether values are in it, or ids of those that are; ``None``: where there is no scope.

    Raises:
        TypeError: An entry is no such thing.
    """

    __slots__ = ("_places", "_rows", "_tables", "_values")

    def __init__(
        self, scope: Iterable[str | tuple[str, ...]] | None, values: bool | Iterable[str] | None
    ) -> None:
        self._places: frozenset[tuple[str, ...]] | None = None
        if isinstance(scope, str) or isinstance(values, str):
            raise wrong_kind("an iterable of ids", scope if isinstance(scope, str) else values)
        if scope is not None:
            places = [(place,) if isinstance(place, str) else tuple(place) for place in scope]
            for place in places:
                if not 1 <= len(place) <= 3 or not all(isinstance(id_, str) for id_ in place):
                    raise TypeError(
                        "a scope consists of table ids, (table_id, row_id) and (table_id, row_id, cell_id), "
                        f"not {place!r}"
                    )
            self._places = frozenset(places)
        self._tables = frozenset(place[0] for place in self._places or ())
        self._rows = frozenset(place[:2] for place in self._places or () if len(place) > 1)
        self._values: bool | frozenset[str]
        if values is None:
            self._values = scope is None
        else:
            self._values = values if isinstance(values, bool) else frozenset(values)

    def has_table(self, table_id: str) -> bool:
        """Whether something of a table may be in it."""
        return self._places is None or table_id in self._tables

    def has_row(self, table_id: str, row_id: str) -> bool:
        """Whether something of a row may be in it."""
        places = self._places
        return places is None or (table_id,) in places or (table_id, row_id) in self._rows

    def has_cell(self, table_id: str, row_id: str, cell_id: str) -> bool:
        """Whether a cell is in it."""
        places = self._places
        return (
            places is None
            or (table_id,) in places
            or (table_id, row_id) in places
            or (table_id, row_id, cell_id) in places
        )

    def has_value(self, value_id: str) -> bool:
        """Whether a value is in it."""
        values = self._values
        return values if isinstance(values, bool) else value_id in values
