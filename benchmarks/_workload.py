"""The workload that both sides share: one table, ten cells a row; interop/lib/workload.mjs is the other half.

Ids are made beforehand, so that neither side is charged for building strings.
"""

from __future__ import annotations

__all__ = [
    "CELLS",
    "CELLS_PER_ROW",
    "CELL_IDS",
    "SCHEMA",
    "SPREAD",
    "SPREAD_IDS",
    "TABLE",
    "row_ids",
    "shuffled",
    "spread",
    "tables",
]

CELLS = 100_000
CELLS_PER_ROW = 10
TABLE = "t"
CELL_IDS = [f"c{i}" for i in range(CELLS_PER_ROW)]
SPREAD = 4
SPREAD_IDS = [f"{TABLE}{i}" for i in range(SPREAD)]
SCHEMA = {TABLE: {cell: {"type": "number"} for cell in CELL_IDS}}


def row_ids(cells: int, prefix: str = "r", per_row: int = CELLS_PER_ROW) -> list[str]:
    return [f"{prefix}{i}" for i in range(cells // per_row)]


def tables(
    cells: int, prefix: str = "r", per_row: int = CELLS_PER_ROW
) -> dict[str, dict[str, dict[str, int]]]:
    rows = enumerate(row_ids(cells, prefix, per_row))
    ids = CELL_IDS[:per_row]
    return {TABLE: {row: {cell: i * per_row + j for j, cell in enumerate(ids)} for i, row in rows}}


def spread(cells: int) -> dict[str, dict[str, dict[str, int]]]:
    """The same cells in several tables.

    TinyBase writes a table into SQLite by one statement, and SQLite takes 32,766 parameters for it.
    """
    return {table: tables(cells // SPREAD)[TABLE] for table in SPREAD_IDS}


def shuffled(count: int) -> list[int]:
    """A fixed shuffle (Lehmer's generator), the same on both sides."""
    order = list(range(count))
    state = 42
    for i in range(count - 1, 0, -1):
        state = state * 16807 % 2147483647
        j = state % (i + 1)
        order[i], order[j] = order[j], order[i]
    return order
