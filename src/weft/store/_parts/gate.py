"""What a Store asks before it writes, where it has middleware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from weft.changes import StoredTables
    from weft.values import Stored

__all__ = ["WriteGate"]


class WriteGate(Protocol):
    """The callbacks of a Store's middleware, asked about each write.

    What it is handed has been checked. It carries out itself what a write has become by the callbacks'
    answers, and leaves out what one of them stopped.
    """

    def may_del_tables(self) -> bool:
        """Tell whether all tables may be deleted."""
        ...  # pragma: no cover

    def may_del_cell(self, table_id: str, row_id: str, cell_id: str) -> bool:
        """Tell whether a cell may be deleted."""
        ...  # pragma: no cover

    def may_del_values(self) -> bool:
        """Tell whether all keyed values may be deleted."""
        ...  # pragma: no cover

    def may_del_value(self, value_id: str) -> bool:
        """Tell whether a keyed value may be deleted."""
        ...  # pragma: no cover

    def will_set_content(self, content: Any) -> Any:
        """Give the content to set instead; ``None`` for nothing."""
        ...  # pragma: no cover

    def will_apply_changes(self, changes: Any) -> Any:
        """Give the changes to apply instead; ``None`` for nothing."""
        ...  # pragma: no cover

    def will_apply_received(
        self, tables: Mapping[str, Mapping[str, Mapping[str, object]]], values: Mapping[str, object]
    ) -> tuple[Mapping[str, Mapping[str, Mapping[str, object]]], Mapping[str, object]]:
        """Give the cells and values to write instead of those that a mirror or a persister received."""
        ...  # pragma: no cover

    def rows_unasked(self) -> AbstractContextManager[None]:
        """Set cells without asking about their rows: changes name each cell."""
        ...  # pragma: no cover

    def replace_tables(self, tables: StoredTables) -> None:
        """Make these the tables, and delete the others."""
        ...  # pragma: no cover

    def replace_table(self, table_id: str, table: dict[str, dict[str, Stored]]) -> None:
        """Make these the rows of a table, and delete the others."""
        ...  # pragma: no cover

    def replace_row(self, table_id: str, row_id: str, row: dict[str, Stored]) -> None:
        """Make these the cells of a row, and delete the others."""
        ...  # pragma: no cover

    def replace_values(self, values: dict[str, Stored]) -> None:
        """Make these the keyed values, and delete the others."""
        ...  # pragma: no cover

    def set_cell(self, table_id: str, row_id: str, cell_id: str, cell: Stored) -> None:
        """Set one cell, asking about its row first."""
        ...  # pragma: no cover

    def put_cell(self, table_id: str, row_id: str, cell_id: str, cell: Stored) -> None:
        """Set a cell; a row that is missing is made with its defaults, each asked about."""
        ...  # pragma: no cover

    def put_in_row(self, table_id: str, row_id: str, cell_id: str, cell: Stored) -> None:
        """Set a cell of a row that is there."""
        ...  # pragma: no cover

    def put_value(self, value_id: str, value: Stored) -> None:
        """Set a keyed value."""
        ...  # pragma: no cover

    def drop_table(self, table_id: str) -> None:
        """Delete a table that is there."""
        ...  # pragma: no cover

    def drop_row(self, table_id: str, table: dict[str, dict[str, Stored]], row_id: str) -> None:
        """Delete a row that is there, and give its id back."""
        ...  # pragma: no cover
