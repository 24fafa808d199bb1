"""Reading tables into content, as a plan: statements out, rows in, no connection in sight."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weft.errors import StorageError
from weft.persisters.sql.config import VALUES_ID, TableLoad
from weft.persisters.sql.dialect import Column, RefusedError, Statement, TableInfo
from weft.persisters.sql.names import quote, split_table, with_table_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence, Set

    from weft.persisters.sql.config import TablesConfig
    from weft.persisters.sql.dialect import Dialect, Plan

__all__ = ["VALUES_ROW_ID", "Loaded", "by_schema", "id_text", "load_plan", "read_rows", "read_schema"]

VALUES_ROW_ID = "_"

RawTables = dict[str, dict[str, dict[str, object]]]


def by_schema(dialect: Dialect, tables: Iterable[str]) -> dict[str, dict[str, str]]:
    """Group tables by their schemas: schema to folded name there to folded name as the program has it."""
    schemas: dict[str, dict[str, str]] = {}
    for name in sorted({dialect.fold(name) for name in tables}):
        schema, table = split_table(name)
        schemas.setdefault(schema, {})[table] = name
    return schemas


def read_schema(
    dialect: Dialect, tables: Iterable[str], *, lenient: bool = False
) -> Plan[dict[str, TableInfo]]:
    """Learn which of the tables there are, with their columns. Folded name to table.

    Args:
        dialect: The kind of database.
        tables: The tables.
        lenient: Whether a schema that cannot be read is one without tables.
    """
    found: dict[str, TableInfo] = {}
    for schema, names in by_schema(dialect, tables).items():
        try:
            yield from _read_schema(dialect, schema, names, found, lenient)
        except RefusedError:
            continue
    return found


def _read_schema(
    dialect: Dialect, schema: str, names: Mapping[str, str], found: dict[str, TableInfo], lenient: bool
) -> Plan[None]:
    for statement in dialect.schema(list(names), schema):
        rows = yield statement._replace(lenient=lenient)
        for table, column, type_, unique, required, default, collated, related in rows:
            key = names[dialect.fold(table)]
            if (info := found.get(key)) is None:
                name = f"{schema}.{table}" if schema else table
                sql = f"{quote(schema)}.{quote(table)}" if schema else quote(table)
                info = found[key] = TableInfo(name, sql, schema=schema, related=bool(related))
            if type_ is not None:
                info.columns[dialect.fold(column)] = Column(column, type_.upper())
            elif not unique:
                info.computed.add(dialect.fold(column))
            if unique:
                info.unique.add(dialect.fold(column))
            if required:
                info.required.add(dialect.fold(column))
            if default:
                info.defaults.add(dialect.fold(column))
            if collated:
                info.collated.add(dialect.fold(column))


@dataclass(slots=True)
class Loaded:
    """What a load has read.

    Attributes:
        content: The content; ``None`` where the tables hold nothing.
        left_out: What of them is not in it, to a sentence that says so and why.
    """

    content: tuple[RawTables, dict[str, object]] | None
    left_out: dict[tuple[str, ...], str] = field(default_factory=dict)


def load_plan(dialect: Dialect, config: TablesConfig) -> Plan[Loaded]:
    """Read everything that is configured."""
    loads = config.loads()
    values = config.values
    schema = yield from read_schema(dialect, config.tables_loaded())
    tables: RawTables = {}
    left_out: dict[tuple[str, ...], str] = {}
    for name, load in loads.items():
        info = schema.get(dialect.fold(name))
        if info is None:
            continue
        rows, several = yield from read_rows(dialect, info, load)
        _tell_several(info, several, left_out)
        if rows:
            kept = tables.setdefault(load.table_id, {})
            for row_id in kept.keys() & rows.keys() if kept else ():
                left_out["row", name, row_id] = (
                    f"row {row_id!r} of table {info.name!r} hides another of table {load.table_id!r} of the "
                    "Store, which has this id in another table of the database"
                )
            kept.update(_without_nulls(rows, config))
    tables = {table_id: rows for table_id, rows in tables.items() if rows}
    loaded_values: dict[str, object] = {}
    info = schema.get(dialect.fold(values.table_name)) if values.load else None
    if info is not None:
        rows, several = yield from read_rows(dialect, info, TableLoad("", VALUES_ID))
        _tell_several(info, several & {VALUES_ROW_ID}, left_out)
        loaded_values = _without_nulls(rows, config).get(VALUES_ROW_ID, {})
        if values.load is not True:
            wanted = set(values.load or ())
            loaded_values = {key: value for key, value in loaded_values.items() if key in wanted}
    empty = not tables and not loaded_values and not left_out
    return Loaded(None if empty else (tables, loaded_values), left_out)


def _tell_several(info: TableInfo, several: Set[str], left_out: dict[tuple[str, ...], str]) -> None:
    for row_id in sorted(several):
        left_out["row", info.name, row_id] = (
            f"row {row_id!r} of table {info.name!r} is not loaded: several rows of the database have this "
            "id, and none of them is touched; give the table a column that alone names a row"
        )


def _without_nulls(rows: dict[str, dict[str, object]], config: TablesConfig) -> dict[str, dict[str, object]]:
    if config.nulls != "absent":
        return rows
    full = (
        (row_id, {name: cell for name, cell in row.items() if cell is not None})
        for row_id, row in rows.items()
    )
    return {row_id: row for row_id, row in full if row}


def read_rows(
    dialect: Dialect,
    info: TableInfo,
    load: TableLoad,
    row_ids: Sequence[Any] | None = None,
    *,
    lenient: bool = False,
) -> Plan[tuple[dict[str, dict[str, object]], Set[str]]]:
    """Read a table, or some of its rows.

    Returns:
        Rows by their ids, and the ids that several rows have, which are not among them.
    """
    folded_id = dialect.fold(load.row_id_column_name)
    if folded_id not in info.columns:
        raise StorageError(f"table {info.name!r} has no column {load.row_id_column_name!r} for the row ids")
    id_column = info.columns[folded_id]
    columns = [column for folded, column in info.columns.items() if folded != folded_id]
    if not columns:
        return {}, frozenset()
    names = [column.name for column in columns]
    listed = ",".join(dialect.read(quote(column.name), column.type) for column in (id_column, *columns))
    tests = [] if load.condition == "true" else [f"({with_table_name(load.condition, info.sql)})"]
    if row_ids is not None:
        marks = ",".join(dialect.mark(number + 1, id_column.type) for number in range(len(row_ids)))
        tests.append(f"{quote(id_column.name)} IN ({marks})")
    where = f" WHERE {' AND '.join(tests)}" if tests else ""
    found = yield Statement(f"SELECT {listed} FROM {info.sql}{where}", row_ids or (), lenient=lenient)
    decoders = [(at, decode) for at, column in enumerate(columns) if (decode := dialect.decoder(column.type))]
    rows: dict[str, dict[str, object]] = {}
    several: set[str] = set()
    for row_id, *cells in found:
        if row_id is None:
            continue
        for at, decode in decoders:
            if cells[at] is not None:
                cells[at] = decode(cells[at])
        text = row_id if type(row_id) is str else id_text(row_id)
        if text in rows:
            several.add(text)
        rows[text] = dict(zip(names, cells, strict=True))
    for text in several:
        del rows[text]
    return rows, several


def id_text(row_id: object) -> str:
    """Write a row id that is no text as JavaScript would."""
    return str(int(row_id)) if isinstance(row_id, float) and row_id.is_integer() else str(row_id)
