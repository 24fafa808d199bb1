"""In which order the tables of one save are written, so that foreign keys refuse as little as can be.

Rows are written parents first, also within one table. Rows are deleted before that, children first; but where
deleting a row would change or delete rows of other tables, it is deleted after all has been written, as those
may have been given another parent. What is refused all the same is tried again at the end, until nothing more
goes in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from weft.errors import StorageError
from weft.persisters.sql.dialect import RefusedError, Statement
from weft.persisters.sql.row_order import children_first, own_keys, parents_first
from weft.persisters.sql.table_writer import SEVERAL_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weft.persisters.sql.config import TableSave
    from weft.persisters.sql.dialect import Column, ForeignKey, Plan
    from weft.persisters.sql.row_order import Groups
    from weft.persisters.sql.table_writer import RefusedRow, TableWriter

__all__ = ["TableWork", "write_tables"]


@dataclass(slots=True)
class TableWork:
    """What is to be done in one table.

    Attributes:
        table_id: The table of the Store; empty for the values.
        save: How it is saved.
        deleted: The ids of rows to delete.
        delete_all: Whether all rows are to be deleted instead.
        groups: Rows to write, by the columns that they have cells for.
        emptied: The ids of rows to delete if they have nothing but NULL then.
        drop: Whether the table is to be dropped then.
    """

    table_id: str
    save: TableSave
    deleted: Sequence[Any] = ()
    delete_all: bool = False
    groups: Groups = field(default_factory=list)
    emptied: Sequence[Any] = ()
    drop: bool = False

    def written(self) -> list[Any]:
        """The ids of the rows to write."""
        return [row_id for _, rows in self.groups for row_id, _ in rows]


class _Attempt(NamedTuple):
    """A row that was refused; one to delete has no columns."""

    work: TableWork
    columns: list[Column] | None
    row: RefusedRow


def write_tables(writer: TableWriter, works: Sequence[TableWork]) -> Plan[None]:
    """Do all of it. What is refused is noted by the writer; what is refused of one table stops no other."""
    ordered = _parents_first(writer, works)
    last_to_delete = {key.parent for key in writer.keys if key.acts}
    late = [work for work in ordered if writer.dialect.fold(work.save.table_name) in last_to_delete]
    refused: list[_Attempt] = []
    for work in works:
        yield from _sort_rows(writer, work)
    for work in reversed(ordered):
        if work not in late:
            yield from _delete(writer, work, refused)
    for work in ordered:
        yield from _upsert(writer, work, refused)
    for work in reversed(late):
        yield from _delete(writer, work, refused)
    yield from _try_again(writer, refused)
    for work in reversed(ordered):
        yield from _clear(writer, work)


def _sort_rows(writer: TableWriter, work: TableWork) -> Plan[None]:
    name, id_column = writer.dialect.fold(work.save.table_name), work.save.row_id_column_name
    if keys := own_keys(writer.keys, name):
        work.groups = parents_first(writer.dialect, keys, id_column, work.groups)
        if (info := writer.info(work.save)) is not None:
            work.deleted = yield from children_first(writer.dialect, keys, id_column, info, work.deleted)


def _is_open(writer: TableWriter, work: TableWork) -> bool:
    return ("table", work.save.table_name) not in writer.refused


def _delete(writer: TableWriter, work: TableWork, refused: list[_Attempt]) -> Plan[None]:
    if not _is_open(writer, work):
        return
    try:
        if work.delete_all:
            rows = yield from writer.delete_all(work.save)
        else:
            rows = yield from writer.delete(work.save, work.deleted)
    except (RefusedError, StorageError) as error:
        writer.refuse_table(work.save, error)
        return
    refused += [_Attempt(work, None, row) for row in rows]


def _upsert(writer: TableWriter, work: TableWork, refused: list[_Attempt]) -> Plan[None]:
    for columns, rows in work.groups:
        if not _is_open(writer, work):
            return
        try:
            again = yield from writer.upsert(work.save, columns, rows)
        except (RefusedError, StorageError) as error:
            writer.refuse_table(work.save, error)
            return
        refused += [_Attempt(work, columns, row) for row in again]


def _try_again(writer: TableWriter, refused: list[_Attempt]) -> Plan[None]:
    count = 0
    while refused and len(refused) != count:
        count = len(refused)
        # The other way round each time: a chain of rows that was in the wrong order is then in the right one.
        attempts, refused = refused[::-1], []
        for attempt in attempts:
            work, columns, (row_id, cells, reason) = attempt
            if not _is_open(writer, work):
                continue
            if reason == SEVERAL_ROWS:
                refused.append(attempt)
            elif columns is None:
                yield from _delete(writer, TableWork(work.table_id, work.save, [row_id]), refused)
            else:
                again = TableWork(work.table_id, work.save, groups=[(columns, [(row_id, cells)])])
                yield from _upsert(writer, again, refused)
    for work, columns, (row_id, _, reason) in refused:
        writer.refuse(work.save, row_id, reason, "deleted" if columns is None else "saved")


def _clear(writer: TableWriter, work: TableWork) -> Plan[None]:
    info = writer.schema.get(writer.dialect.fold(work.save.table_name))
    if info is None or not _is_open(writer, work):
        return
    try:
        yield from writer.delete(work.save, work.emptied, if_empty=True)
        if work.drop and not (yield Statement(f"SELECT 1 FROM {info.sql} LIMIT 1", lenient=True)):
            yield Statement(f"DROP TABLE {info.sql}", lenient=True)
            del writer.schema[writer.dialect.fold(work.save.table_name)]
    except RefusedError as error:
        writer.refuse_table(work.save, error)


def _parents_first(writer: TableWriter, works: Iterable[TableWork]) -> list[TableWork]:
    """Sort by foreign keys; tables that refer to each other stay as they are."""
    waiting = list(works)
    fold = writer.dialect.fold
    ordered: list[TableWork] = []
    while waiting:
        names = {fold(work.save.table_name) for work in waiting}
        bound = {key.child for key in writer.keys if _orders(key, names)}
        free = [work for work in waiting if fold(work.save.table_name) not in bound] or waiting[:1]
        ordered += free
        waiting = [work for work in waiting if work not in free]
    return ordered


def _orders(key: ForeignKey, names: set[str]) -> bool:
    return key.child != key.parent and key.parent in names
