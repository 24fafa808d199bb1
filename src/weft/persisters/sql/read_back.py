"""Reading rows again that were just written, where the database may have changed them.

That is where a table has triggers, defaults or columns that are computed. Read at the end of the transaction,
and not by ``RETURNING``: that shows nothing of what triggers do after a row is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from weft.persisters.sql.config import TableLoad
from weft.persisters.sql.dialect import RefusedError
from weft.persisters.sql.load import id_text, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weft.persisters.sql.config import TablesConfig
    from weft.persisters.sql.dialect import Plan
    from weft.persisters.sql.table_order import TableWork
    from weft.persisters.sql.table_writer import LeftOut, TableWriter

__all__ = ["NOT_KEPT", "Read", "read_back"]

NOT_KEPT = "the database did not keep it, as a trigger of the table has it"

Read: TypeAlias = "dict[str, dict[str, dict[str, object]]]"
"""Rows as they were read, by table id and row id; values under ``""``. NULL is ``None`` in them."""

_AT_ONCE = 500


def read_back(
    writer: TableWriter, config: TablesConfig, works: Sequence[TableWork]
) -> Plan[tuple[Read, LeftOut]]:
    """Read what was written to such tables, as far as they are loaded to the same table of the Store.

    Returns:
        What was read; and the rows that a trigger has not let in though nothing was refused, by table name
        and row id, with the reason.
    """
    found: Read = {}
    not_kept: LeftOut = {}
    for work in works:
        load = _load_of(writer, config, work)
        info = writer.schema.get(writer.dialect.fold(work.save.table_name))
        if info is None or ("table", work.save.table_name) in writer.refused:
            continue
        folded_id = writer.dialect.fold(work.save.row_id_column_name)
        changed = bool(info.has_triggers or info.computed or info.defaults - {folded_id})
        checked = info.keeps_out and work.save.condition in {None, "true"}
        if not checked and (load is None or not changed):
            continue
        # A trigger can keep a row from being deleted, too.
        ids = [*work.written(), *(work.deleted if info.has_triggers else ())]
        reading = load or TableLoad(work.table_id, work.save.row_id_column_name)
        there: set[str] = set()
        try:
            for start in range(0, len(ids), _AT_ONCE):
                rows, _ = yield from read_rows(
                    writer.dialect, info, reading, ids[start : start + _AT_ONCE], lenient=True
                )
                there |= rows.keys()
                if load is not None:
                    found.setdefault(work.table_id, {}).update(_written(writer, work.save.table_name, rows))
            if checked:
                yield from _find_not_kept(writer, work, there, not_kept)
        except RefusedError:
            continue
    return found, not_kept


def _find_not_kept(writer: TableWriter, work: TableWork, there: set[str], not_kept: LeftOut) -> Plan[None]:
    """Find rows that are not in the table after they were written, because it does not take them.

    Not those that a trigger has moved or deleted once they were in, as where a table keeps the newest rows
    alone: the database has had them.
    """
    emptied = {id_text(row_id) for row_id in work.emptied}
    for columns, rows in work.groups:
        for row in rows:
            text = id_text(row[0])
            if text in there or text in emptied or ("row", work.save.table_name, text) in writer.refused:
                continue
            if not (yield from writer.takes(work.save, columns, row)):
                not_kept[work.save.table_name, text] = NOT_KEPT


def _written(writer: TableWriter, name: str, rows: dict[str, dict[str, object]]) -> Iterator[Any]:
    """Leave out what was not written: there the Store has what the database is still to have."""
    for row_id, row in rows.items():
        if ("row", name, row_id) not in writer.refused:
            yield (
                row_id,
                {
                    cell_id: cell
                    for cell_id, cell in row.items()
                    if ("cell", name, cell_id) not in writer.left_out
                    and ("cell", name, row_id, cell_id) not in writer.left_out
                },
            )


def _load_of(writer: TableWriter, config: TablesConfig, work: TableWork) -> TableLoad | None:
    fold = writer.dialect.fold
    if not work.table_id:
        return TableLoad("") if config.values.load else None
    for name, load in config.loads().items():
        if (
            fold(name) == fold(work.save.table_name)
            and load.table_id == work.table_id
            and fold(load.row_id_column_name) == fold(work.save.row_id_column_name)
        ):
            return load
    return None
