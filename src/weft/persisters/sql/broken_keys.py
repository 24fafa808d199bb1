"""Finding what breaks a foreign key that waits for the end of the transaction, before that end.

SQLite refuses such a transaction as a whole, and does not say what for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.persisters.sql.dialect import RefusedError, Statement
from weft.persisters.sql.load import id_text
from weft.persisters.sql.names import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weft.persisters.sql.dialect import ForeignKey, Plan
    from weft.persisters.sql.table_order import TableWork
    from weft.persisters.sql.table_writer import TableWriter

__all__ = ["broken_keys"]

_AT_ONCE = 500  # parameters of a statement; SQLite before 3.32 took 999
_REASON = "FOREIGN KEY constraint failed"


def broken_keys(writer: TableWriter, works: Sequence[TableWork]) -> Plan[dict[tuple[str, str], str]]:
    """Find the rows written that have no parent, and those deleted that left children behind.

    Returns:
        Table name and row id, to the reason.
    """
    broken: dict[tuple[str, str], str] = {}
    for work in works:
        name, id_column = work.save.table_name, work.save.row_id_column_name
        folded = writer.dialect.fold(name)
        for key in writer.keys:
            try:
                if key.child == folded:
                    for ids in _parts(work.written()):
                        for row_id in (yield from _orphans(key, f"c.{quote(id_column)}", ids)):
                            broken[name, id_text(row_id)] = _REASON
                if key.parent == folded and (gone := [*work.deleted, *work.emptied]):
                    deleted = {id_text(row_id) for row_id in gone}
                    to_row_id = [
                        column
                        for column, parent in key.columns
                        if writer.dialect.fold(parent) == writer.dialect.fold(id_column)
                    ]
                    if len(key.columns) == 1 and to_row_id:
                        for ids in _parts(gone):
                            left = yield from _orphans(key, f"c.{quote(to_row_id[0])}", ids)
                            broken |= {(name, id_text(row_id)): _REASON for row_id in left}
                    elif (yield from _orphans(key, "1", None)):
                        # Which of them it was cannot be told by the row ids: none goes.
                        broken |= {(name, row_id): _REASON for row_id in deleted}
            except RefusedError:
                continue  # the other table is not there, or not to be read
    return broken


def _orphans(key: ForeignKey, expression: str, ids: Sequence[Any] | None) -> Plan[list[Any]]:
    refers = " AND ".join(f"c.{quote(column)} IS NOT NULL" for column, _ in key.columns)
    same = " AND ".join(f"p.{quote(parent)}=c.{quote(column)}" for column, parent in key.columns)
    chosen = "" if ids is None else f"{expression} IN ({','.join('?' * len(ids))}) AND "
    sql = (
        f"SELECT {expression} FROM {key.child_sql} c WHERE {chosen}{refers}"
        f" AND NOT EXISTS(SELECT 1 FROM {key.parent_sql} p WHERE {same})"
    )
    return [row[0] for row in (yield Statement(sql, ids or (), lenient=True))]


def _parts(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
