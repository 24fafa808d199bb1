"""The log of a transaction, and what is computed from it.

A transaction appends one small tuple per event and computes everything else from the log when
somebody asks: net changes, changed ids, the way back. The first field is the kind:

======  ================================================  ==========================================
kind    fields                                            event
======  ================================================  ==========================================
CELL    table_id, row_id, cell_id, old, new               one cell; ``UNDEFINED`` where deleted
ADDED   table_id, row_id, cell_id                         one cell that was not there
VALUE   value_id, old, new                                one keyed value
ROW     table_id, row_id, 1, cell_ids                     row made, holding these so far
ROW     table_id, row_id, -1, cells                       row deleted with these; none: emptied before
TABLE   table_id, 1, None, None, None                     table made, empty so far
TABLE   table_id, -1, rows, counts, pool                  table deleted with these; none: emptied before
COLUMN  table_id, cell_id, 1 | -1                         first row with, or last row without the cell
ORDER   mapping, keys                                     order of keys before the first deletion
POOL    pool, undo, row_id                                a row id was taken from or put into the pool
SCHEMA  attribute, old                                    a schema was replaced
DEFAULT table_id, row_id, cell_ids                        cells that a schema is about to add to a row
DEFAULT None, None, value_ids                             values that a schema is about to add
======  ================================================  ==========================================

ADDED is an entry of its own because a tuple of text alone costs the garbage collector nothing.

A deleted container leaves the Store as the object it was, and nothing changes it any more, so one
entry stands for all its cells.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from weft.values import UNDEFINED, is_same

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weft.changes import StoredTables
    from weft.values import Stored, Undefined

__all__ = [
    "ADDED",
    "CELL",
    "COLUMN",
    "DEFAULT",
    "ORDER",
    "POOL",
    "ROW",
    "SCHEMA",
    "TABLE",
    "VALUE",
    "Entry",
    "IdChanges",
    "Net",
    "OldAndNew",
    "Touched",
    "TouchedValues",
    "net_cells",
    "net_values",
    "removed_containers",
    "touch",
]

CELL: Final = 0
VALUE: Final = 1
ROW: Final = 2
TABLE: Final = 3
COLUMN: Final = 4
ORDER: Final = 5
POOL: Final = 6
SCHEMA: Final = 7
ADDED: Final = 8
DEFAULT: Final = 9

Entry: TypeAlias = tuple[Any, ...]
Touched: TypeAlias = "dict[str, dict[str, dict[str, Stored | Undefined]]]"
TouchedValues: TypeAlias = "dict[str, Stored | Undefined]"
OldAndNew: TypeAlias = "tuple[Stored | Undefined, Stored | Undefined]"
Net: TypeAlias = "dict[str, dict[str, dict[str, OldAndNew]]]"


def touch(entries: Iterable[Entry], touched: Touched, values: TouchedValues) -> None:
    """Add each cell and value written, with what it was before the first write, in order."""
    last_table = last_row = None
    cells: dict[str, Stored | Undefined] = {}
    for entry in entries:
        kind = entry[0]
        if kind == ADDED:
            _, table_id, row_id, cell_id = entry
            if row_id is not last_row or table_id is not last_table:
                cells = touched.setdefault(table_id, {}).setdefault(row_id, {})
                last_table = table_id
                last_row = row_id
            if cell_id not in cells:
                cells[cell_id] = UNDEFINED
        elif kind == CELL:
            _, table_id, row_id, cell_id, old, _ = entry
            if row_id is not last_row or table_id is not last_table:
                cells = touched.setdefault(table_id, {}).setdefault(row_id, {})
                last_table = table_id
                last_row = row_id
            if cell_id not in cells:
                cells[cell_id] = old
        elif kind == ROW:
            _, table_id, row_id, sign, content = entry
            if content:
                cells = touched.setdefault(table_id, {}).setdefault(row_id, {})
                last_table = table_id
                last_row = row_id
                if sign < 0:
                    for cell_id, old in content.items():
                        cells.setdefault(cell_id, old)
                elif cells:
                    for cell_id in content:
                        cells.setdefault(cell_id, UNDEFINED)
                else:
                    cells.update(dict.fromkeys(content, UNDEFINED))
        elif kind == VALUE:
            values.setdefault(entry[1], entry[2])
        elif kind == TABLE and entry[3]:
            _, table_id, _, rows, _, _ = entry
            last_table = last_row = None
            table = touched.setdefault(table_id, {})
            for row_id, content in rows.items():
                cells = table.setdefault(row_id, {})
                for cell_id, old in content.items():
                    cells.setdefault(cell_id, old)


def net_cells(touched: Touched, tables: StoredTables) -> Net:
    """Pair old and new of each touched cell that is not what it was; empty levels are left out."""
    net: Net = {}
    no_table: dict[str, dict[str, Stored]] = {}
    no_row: dict[str, Stored] = {}
    for table_id, rows in touched.items():
        table = tables.get(table_id, no_table)
        net_rows = {}
        for row_id, cells in rows.items():
            row = table.get(row_id, no_row)
            changed = {}
            for cell_id, old in cells.items():
                new = row.get(cell_id, UNDEFINED)
                if old is UNDEFINED or new is UNDEFINED:
                    if old is not new:
                        changed[cell_id] = (old, new)
                elif not is_same(new, old):
                    changed[cell_id] = (old, new)
            if changed:
                net_rows[row_id] = changed
        if net_rows:
            net[table_id] = net_rows
    return net


def net_values(touched: TouchedValues, values: dict[str, Stored]) -> dict[str, OldAndNew]:
    """Pair old and new of each touched value that is not what it was."""
    net = {}
    for value_id, old in touched.items():
        new = values.get(value_id, UNDEFINED)
        if not is_same(new, old):
            net[value_id] = (old, new)
    return net


def removed_containers(
    entries: Iterable[Entry], tables: StoredTables
) -> tuple[set[str], set[tuple[str, str]]]:
    """Find the tables and rows deleted as containers, and absent now."""
    table_ids = set()
    row_ids = set()
    for entry in entries:
        kind = entry[0]
        if kind == ROW and entry[3] < 0 and entry[4]:
            row_ids.add((entry[1], entry[2]))
        elif kind == TABLE and entry[3]:
            table_id = entry[1]
            table_ids.add(table_id)
            row_ids.update([(table_id, row_id) for row_id in entry[3]])
    return (
        {table_id for table_id in table_ids if table_id not in tables},
        {place for place in row_ids if place[1] not in tables.get(place[0], ())},
    )


def _count(ids: dict[str, int], id_: str, sign: int) -> None:
    """Note that an id came or went; coming and going cancel out."""
    if ids.get(id_) == -sign:
        del ids[id_]
    else:
        ids[id_] = sign


class IdChanges:
    """Which ids came (1) and went (-1) in a transaction, in TinyBase's order.

    Attributes:
        tables: By table id.
        columns: By table id and cell id: cell ids used anywhere in the table.
        row_counts: By table id: by how many the rows grew; 0 where they grew and shrank.
        rows: By table id and row id.
        values: By value id.
    """

    __slots__ = ("_end", "_log", "columns", "row_counts", "rows", "tables", "values")

    def __init__(self, log: list[Entry]) -> None:
        self._log = log
        self._end = len(log)  # mutators add to it
        self.tables: dict[str, int] = {}
        self.columns: dict[str, dict[str, int]] = {}
        self.row_counts: dict[str, int] = {}
        self.rows: dict[str, dict[str, int]] = {}
        self.values: dict[str, int] = {}
        for entry in log:
            kind = entry[0]
            if kind == ROW:
                self._row(entry[1], entry[2], entry[3])
            elif kind == COLUMN:
                _, table_id, cell_id, sign = entry
                _count(self.columns.setdefault(table_id, {}), cell_id, sign)
            elif kind == TABLE:
                _, table_id, sign, rows, _, _ = entry
                if rows:
                    self._table_gone(table_id, rows)
                _count(self.tables, table_id, sign)
            elif kind == VALUE:
                _, value_id, old, new = entry
                if old is UNDEFINED:
                    _count(self.values, value_id, 1)
                elif new is UNDEFINED:
                    _count(self.values, value_id, -1)

    def cells(self) -> dict[str, dict[str, dict[str, int]]]:
        """Compute which cells came and went: by table, row and cell id."""
        changed: dict[str, dict[str, dict[str, int]]] = {}
        for entry in islice(self._log, self._end):
            kind = entry[0]
            if kind == ADDED:
                _, table_id, row_id, cell_id = entry
                _count(changed.setdefault(table_id, {}).setdefault(row_id, {}), cell_id, 1)
            elif kind == CELL:
                _, table_id, row_id, cell_id, _, new = entry
                if new is UNDEFINED:
                    _count(changed.setdefault(table_id, {}).setdefault(row_id, {}), cell_id, -1)
            elif kind == ROW:
                _, table_id, row_id, sign, content = entry
                ids = changed.setdefault(table_id, {}).setdefault(row_id, {})
                for cell_id in content:
                    _count(ids, cell_id, sign)
            elif kind == TABLE:
                table = changed.setdefault(entry[1], {})
                for row_id, content in (entry[3] or {}).items():
                    ids = table.setdefault(row_id, {})
                    for cell_id in content:
                        _count(ids, cell_id, -1)
        return changed

    def _row(self, table_id: str, row_id: str, sign: int) -> None:
        _count(self.rows.setdefault(table_id, {}), row_id, sign)
        self.row_counts[table_id] = self.row_counts.get(table_id, 0) + sign

    def _table_gone(self, table_id: str, rows: dict[str, dict[str, Stored]]) -> None:
        last: dict[str, None] = {}  # a cell id goes with the last row that has it
        for row_id, cells in rows.items():
            for cell_id in cells:
                last.pop(cell_id, None)
                last[cell_id] = None
            self._row(table_id, row_id, -1)
        columns = self.columns.setdefault(table_id, {})
        for cell_id in last:
            _count(columns, cell_id, -1)
