"""What a transaction did: its net changes, its log, and the seam for mirrors and persisters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.store._core.notification import Notification
from weft.store._parts.log import (
    IdChanges,
    net_cells,
    net_values,
    removed_containers,
    touch,
)
from weft.values import UNDEFINED, decode_cell, is_same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.changes import ChangedTables, ChangedValues, Changes
    from weft.store._parts.log import Entry, Touched, TouchedValues
    from weft.store._parts.signatures import Refused, TransactionLog

__all__ = ["TransactionChanges"]


class TransactionChanges(Notification):
    """What the running, or just finishing, transaction did."""

    __slots__ = ()

    def get_transaction_changes(self) -> Changes:
        """Get the net changes of the running, or just finishing, transaction.

        ``UNDEFINED`` stands at the highest level that was removed; what was changed back is left out.
        Outside a transaction they are empty.
        """
        self._catch_up()
        tables = self._tables
        changed_tables: ChangedTables = {}
        net = net_cells(self._touched, tables)
        for table_id, rows in net.items():
            table = tables.get(table_id)
            if table is None:
                changed_tables[table_id] = UNDEFINED
                continue
            changed_tables[table_id] = {
                row_id: {cell_id: decode_cell(new) for cell_id, (_, new) in cells.items()}
                if row_id in table
                else UNDEFINED
                for row_id, cells in rows.items()
            }
        changed_values: ChangedValues = {
            value_id: decode_cell(new)
            for value_id, (_, new) in net_values(self._touched_values, self._values).items()
        }
        return changed_tables, changed_values, 1

    def get_transaction_log(self) -> TransactionLog:
        """Get all that the running, or just finishing, transaction knows about itself."""
        self._catch_up()
        ids = IdChanges(self._log or [])
        return (
            bool(self._touched),
            bool(self._touched_values),
            net_cells(self._touched, self._tables),
            {
                table_id: {row_id: {c: list(r) for c, r in cells.items()} for row_id, cells in rows.items()}
                for table_id, rows in self._invalid_cells.items()
            },
            net_values(self._touched_values, self._values),
            {value_id: list(refused) for value_id, refused in self._invalid_values.items()},
            dict(ids.tables),
            {table_id: dict(rows) for table_id, rows in ids.rows.items() if rows},
            {
                table_id: kept
                for table_id, rows in ids.cells().items()
                if (kept := {row_id: dict(cells) for row_id, cells in rows.items() if cells})
            },
            dict(ids.values),
        )

    # The seam of mirrors and persisters.

    def _log_length(self) -> int:
        """Count the entries in the running transaction's log so far."""
        return 0 if self._log is None else len(self._log)

    def _stored_changes(self, skip: Sequence[tuple[int, int]] = ()) -> tuple[Touched, TouchedValues]:
        """Get the net changes in stored form, cell by cell.

        Every removed cell is listed as ``UNDEFINED``, also those of removed rows and tables.

        Args:
            skip: Half-open ranges of log entries, in order. Cells touched only by these are left out; a cell
                touched inside and outside is listed with its final form, whatever it was before.
        """
        if self._schema_effects:
            return self._stored_changes_beside_schemas(skip)
        return self._stored_changes_outside(skip)

    def _stored_changes_beside_schemas(
        self, skip: Sequence[tuple[int, int]]
    ) -> tuple[Touched, TouchedValues]:
        """Get the changes where schemas were set: what these put out has been deleted by nobody."""
        effects = self._schema_effects
        changed, values = self._stored_changes_outside(
            sorted([*skip, *(effect.entries for effect in effects)])
        )
        for effect in effects:
            if effect.refused:  # also what was written before the schema came, in the same transaction
                after: Touched = {}
                after_values: TouchedValues = {}
                touch((self._log or [])[effect.entries[1] :], after, after_values)
                effect.spare_refused(changed, values, after, after_values)
            effect.add_edits(changed, values, self._tables, self._values)
        return changed, values

    def _stored_changes_outside(self, skip: Sequence[tuple[int, int]]) -> tuple[Touched, TouchedValues]:
        log = self._log
        if not log:
            return {}, {}
        if not skip:
            self._catch_up()
            return self._finals(self._touched, self._touched_values, {}, {})
        inside: list[Entry] = []
        outside: list[Entry] = []
        done = 0
        for start, end in skip:
            outside += log[done:start]
            inside += log[start:end]
            done = end
        outside += log[done:]
        if not outside:
            return {}, {}
        cells: Touched = {}
        values: TouchedValues = {}
        touch(outside, cells, values)
        inside_cells: Touched = {}
        inside_values: TouchedValues = {}
        touch(inside, inside_cells, inside_values)
        return self._finals(cells, values, inside_cells, inside_values)

    def _finals(
        self, cells: Touched, values: TouchedValues, inside: Touched, inside_values: TouchedValues
    ) -> tuple[Touched, TouchedValues]:
        """Pair what was touched with its final form, leaving out what is as before and not inside."""
        tables = self._tables
        nothing: dict[str, Any] = {}
        changed: Touched = {}
        for table_id, rows in cells.items():
            table = tables.get(table_id, nothing)
            inside_rows = inside.get(table_id, nothing)
            changed_rows = {}
            for row_id, olds in rows.items():
                row = table.get(row_id, nothing)
                inside_row = inside_rows.get(row_id, nothing)
                finals = {}
                for cell_id, old in olds.items():
                    new = row.get(cell_id, UNDEFINED)
                    if cell_id in inside_row or not is_same(old, new):
                        finals[cell_id] = new
                if finals:
                    changed_rows[row_id] = finals
            if changed_rows:
                changed[table_id] = changed_rows
        final_values: TouchedValues = {}
        for value_id, old in values.items():
            new = self._values.get(value_id, UNDEFINED)
            if value_id in inside_values or not is_same(old, new):
                final_values[value_id] = new
        return changed, final_values

    def _removed(self) -> tuple[set[str], set[tuple[str, str]]]:
        """Get the tables, and the (table, row) pairs, deleted as containers and absent now.

        Deleted as containers: by ``del_table``, ``del_row`` or a ``set_…`` that left them out, and not by
        deleting their last cell. The rows of a deleted table are among the pairs. What a schema put out is
        not.
        """
        log = self._log or []
        if self._schema_effects:
            done, outside = 0, []
            for start, end in (effect.entries for effect in self._schema_effects):
                outside += log[done:start]
                done = end
            log = outside + log[done:]
        return removed_containers(log, self._tables)

    def _refused_by_schemas(self) -> list[Refused]:
        """Get what schemas put out in this transaction and nobody has written again since."""
        if not self._schema_effects:
            return []
        tables, values = self._stored_changes()
        return [
            item
            for effect in self._schema_effects
            for item in effect.refused
            if (
                item[0] not in values
                if len(item) == 2
                else item[2] not in tables.get(item[0], {}).get(item[1], {})
            )
        ]
