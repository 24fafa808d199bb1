"""In which order the rows of a table are written and deleted whose rows refer to each other.

Not every database has keys that wait for the end of the transaction, and not every key is one. In an order
that knows nothing of them, trying again what was refused would cost the square of the rows.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from weft.persisters.sql.dialect import RefusedError, Statement
from weft.persisters.sql.load import id_text
from weft.persisters.sql.names import quote

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from weft.persisters.sql.dialect import Column, Dialect, ForeignKey, Plan, TableInfo

__all__ = ["Groups", "children_first", "own_keys", "parents_first"]

Groups: TypeAlias = "list[tuple[list[Column], list[tuple[Any, Sequence[Any]]]]]"
"""Rows to write, each an id and cells, by the columns that they have cells for."""

_AT_ONCE = 500  # parameters of a statement; SQLite before 3.32 took 999


def own_keys(keys: Iterable[ForeignKey], table: str) -> list[ForeignKey]:
    """Give the keys by which rows of a table, its name folded, refer to others of its rows."""
    return [key for key in keys if key.child == key.parent == table and all(map(all, key.columns))]


def parents_first(dialect: Dialect, keys: Sequence[ForeignKey], row_id_column: str, groups: Groups) -> Groups:
    """Sort rows so that none comes before the one it refers to; those in a circle come last.

    Args:
        dialect: The kind of database.
        keys: The keys of the table that refer to itself.
        row_id_column: The column of the row ids.
        groups: The rows. They are given in as few groups as is easy to find.
    """
    fold = dialect.fold
    rows: list[tuple[int, Mapping[str, Any]]] = []
    for number, (columns, group) in enumerate(groups):
        names = [fold(column.name) for column in columns]
        rows += [
            (number, {**dict(zip(names, cells, strict=True)), fold(row_id_column): row_id})
            for row_id, cells in group
        ]
    order = _sort([number for number, _ in rows], _edges(dialect, keys, [row for _, row in rows]))
    flat = [row for _, group in groups for row in group]
    ordered: Groups = []
    last = -1
    for at in order:
        number = rows[at][0]
        if number != last:
            ordered.append((groups[number][0], []))
            last = number
        ordered[-1][1].append(flat[at])
    return ordered


def children_first(
    dialect: Dialect, keys: Sequence[ForeignKey], row_id_column: str, info: TableInfo, row_ids: Sequence[Any]
) -> Plan[Sequence[Any]]:
    """Sort the ids of rows to delete so that none comes before one that refers to it, as they are there."""
    if len(row_ids) < 2:
        return row_ids
    id_column = info.columns[dialect.fold(row_id_column)]
    wanted = {dialect.fold(name) for key in keys for pair in key.columns for name in pair}
    columns = [id_column, *(column for folded, column in info.columns.items() if folded in wanted)]
    names = [dialect.fold(column.name) for column in columns]
    listed = ",".join(dialect.read(quote(column.name), column.type) for column in columns)
    there: dict[str, Mapping[str, Any]] = {}
    try:
        for start in range(0, len(row_ids), _AT_ONCE):
            ids = row_ids[start : start + _AT_ONCE]
            marks = ",".join(dialect.mark(number + 1, id_column.type) for number in range(len(ids)))
            sql = f"SELECT {listed} FROM {info.sql} WHERE {quote(id_column.name)} IN ({marks})"
            for found in (yield Statement(sql, ids, lenient=True)):
                there[id_text(found[0])] = dict(zip(names, found, strict=True))
    except RefusedError:
        return row_ids  # it is not to be read: whatever order there is
    rows = [there.get(id_text(row_id), {}) for row_id in row_ids]
    return [row_ids[at] for at in reversed(_sort([0] * len(rows), _edges(dialect, keys, rows)))]


def _edges(
    dialect: Dialect, keys: Sequence[ForeignKey], rows: Sequence[Mapping[str, Any]]
) -> list[tuple[int, int]]:
    """Find who refers to whom: the numbers of parent and child."""
    edges: list[tuple[int, int]] = []
    for key in keys:
        children = [dialect.fold(child) for child, _ in key.columns]
        parents = [dialect.fold(parent) for _, parent in key.columns]
        owners = {to: at for at, row in enumerate(rows) if (to := _values(row, parents)) is not None}
        for at, row in enumerate(rows):
            to = _values(row, children)
            parent = None if to is None else owners.get(to)
            if parent is not None and parent != at:
                edges.append((parent, at))
    return edges


def _values(row: Mapping[str, Any], names: Sequence[str]) -> Hashable:
    """What a row has in columns, a number like its text; ``None`` where it has NULL, or it is not known."""
    if any(row.get(name) is None for name in names):
        return None
    return tuple(id_text(row[name]) for name in names)


def _sort(groups: Sequence[int], edges: Iterable[tuple[int, int]]) -> list[int]:
    """Sort numbers so that none comes before its parents, and as many of one group together as can be."""
    children: dict[int, list[int]] = {}
    waiting = [0] * len(groups)
    for parent, child in edges:
        children.setdefault(parent, []).append(child)
        waiting[child] += 1
    free: dict[int, deque[int]] = {group: deque() for group in groups}
    for at, count in enumerate(waiting):
        if not count:
            free[groups[at]].append(at)
    order: list[int] = []
    while any(free.values()):
        for queue in free.values():
            while queue:
                order.append(at := queue.popleft())
                for child in children.get(at, ()):
                    waiting[child] -= 1
                    if not waiting[child]:
                        free[groups[child]].append(child)
    return [*order, *(at for at, count in enumerate(waiting) if count)]
