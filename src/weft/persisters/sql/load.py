"""Reading tables into content, as a plan: statements out, rows in, no connection in sight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.errors import StorageError
from weft.persisters.sql.config import VALUES_ID
from weft.persisters.sql.dialect import Column, Statement, TableInfo
from weft.persisters.sql.names import quote, with_table_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weft.persisters.sql.config import TablesConfig
    from weft.persisters.sql.dialect import Dialect, Plan

__all__ = ["VALUES_ROW_ID", "id_text", "load_plan", "read_schema"]

VALUES_ROW_ID = "_"

RawTables = dict[str, dict[str, dict[str, object]]]


def read_schema(dialect: Dialect, tables: Iterable[str]) -> Plan[dict[str, TableInfo]]:
    """Learn which of the tables there are, with their columns. Folded name to table."""
    found: dict[str, TableInfo] = {}
    names = sorted({dialect.fold(name) for name in tables})
    if not names:
        return found
    for statement in dialect.schema(names):
        for table, column, type_, unique, required in (yield statement):
            info = found.setdefault(dialect.fold(table), TableInfo(table))
            if type_ is not None:
                info.columns[dialect.fold(column)] = Column(column, type_.upper())
            elif not unique:
                info.computed.add(dialect.fold(column))
            if unique:
                info.unique.add(dialect.fold(column))
            if required:
                info.required.add(dialect.fold(column))
    return found


def load_plan(dialect: Dialect, config: TablesConfig) -> Plan[tuple[RawTables, dict[str, object]] | None]:
    """Read everything that is configured; ``None`` where there is nothing."""
    loads = config.loads()
    values = config.values
    schema = yield from read_schema(dialect, config.tables_loaded())
    tables: RawTables = {}
    for name, load in loads.items():
        info = schema.get(dialect.fold(name))
        if info is None:
            continue
        rows = yield from _read(dialect, config, info, load.row_id_column_name, load.condition)
        if rows:
            tables.setdefault(load.table_id, {}).update(rows)
    loaded_values: dict[str, object] = {}
    info = schema.get(dialect.fold(values.table_name)) if values.load else None
    if info is not None:
        rows = yield from _read(dialect, config, info, VALUES_ID, "true")
        loaded_values = rows.get(VALUES_ROW_ID, {})
        if values.load is not True:
            wanted = set(values.load or ())
            loaded_values = {key: value for key, value in loaded_values.items() if key in wanted}
    if not tables and not loaded_values:
        return None
    return tables, loaded_values


def _read(
    dialect: Dialect, config: TablesConfig, info: TableInfo, id_column: str, condition: str
) -> Plan[dict[str, dict[str, object]]]:
    folded_id = dialect.fold(id_column)
    if folded_id not in info.columns:
        raise StorageError(f"table {info.name!r} has no column {id_column!r} for the row ids")
    columns = [column for folded, column in info.columns.items() if folded != folded_id]
    if not columns:
        return {}
    names = [column.name for column in columns]
    listed = ",".join(
        dialect.read(quote(column.name), column.type) for column in (info.columns[folded_id], *columns)
    )
    where = "" if condition == "true" else f" WHERE ({with_table_name(condition, info.name)})"
    found = yield Statement(f"SELECT {listed} FROM {quote(info.name)}{where}")
    decoders = [(at, decode) for at, column in enumerate(columns) if (decode := dialect.decoder(column.type))]
    rows: dict[str, dict[str, object]] = {}
    for row_id, *cells in found:
        if row_id is None:
            continue
        for at, decode in decoders:
            if cells[at] is not None:
                cells[at] = decode(cells[at])
        row: dict[str, object] = dict(zip(names, cells, strict=True))
        if config.nulls == "absent":
            row = {name: cell for name, cell in row.items() if cell is not None}
        if row:
            rows[row_id if type(row_id) is str else id_text(row_id)] = row
    return rows


def id_text(row_id: object) -> str:
    """Write a row id that is no text as JavaScript would."""
    return str(int(row_id)) if isinstance(row_id, float) and row_id.is_integer() else str(row_id)
