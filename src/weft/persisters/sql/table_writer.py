"""Writing rows into tables: columns that are missing, upserts, deletions, and what cannot be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from weft.errors import StorageError
from weft.persisters.sql.dialect import Column, Statement, TableInfo
from weft.persisters.sql.load import read_schema
from weft.persisters.sql.names import check_name, quote, with_table_name
from weft.values import Undefined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from weft.persisters.sql.config import TableSave
    from weft.persisters.sql.dialect import Dialect, Plan

__all__ = ["LeftOut", "TableWriter"]

LeftOut: TypeAlias = dict[tuple[str, ...], str]
"""What a save has not written, to a sentence that says so and why: ``"cell"`` or ``"row"``, table and ids."""

R = TypeVar("R")


class TableWriter:
    """The statements of one save: what it knows of the database, and what it left out.

    Its methods are plans, parts of the one that is run in one transaction.

    Args:
        dialect: The kind of database.
        strict: Whether a row that the database refuses is an error; otherwise it is left out.
    """

    def __init__(self, dialect: Dialect, *, strict: bool) -> None:
        self.dialect = dialect
        self.strict = strict
        self.schema: dict[str, TableInfo] = {}
        self.left_out: LeftOut = {}

    def prepare(self, tables: Iterable[str]) -> Plan[None]:
        """Learn which of the tables there are; before everything else."""
        self.schema = yield from read_schema(self.dialect, tables)

    def info(self, save: TableSave) -> TableInfo | None:
        """A table as the database has it; ``None`` where it has none.

        Raises:
            StorageError: It has no column for the row ids.
        """
        info = self.schema.get(self.dialect.fold(save.table_name))
        if info is not None and self.dialect.fold(save.row_id_column_name) not in info.columns:
            raise StorageError(
                f"table {info.name!r} has no column {save.row_id_column_name!r} for the row ids"
            )
        return info

    def columns(
        self, save: TableSave, cell_ids: Iterable[str], kinds: Mapping[str, str]
    ) -> Plan[dict[str, Column]]:
        """Make what is missing, and tell which column each cell goes to; a cell may have none."""
        dialect, info = self.dialect, self.info(save)
        made: list[Column] = []
        if info is None:
            reason = check_name(save.table_name, max_bytes=dialect.max_name_bytes) or dialect.refusal(
                save.table_name, table=True
            )
            if reason is not None:
                raise StorageError(f"table {save.table_name!r}: {reason}")
        known = {} if info is None else dict(info.columns)
        folded_id = dialect.fold(save.row_id_column_name)
        chosen: dict[str, Column] = {}
        owners: dict[str, str] = {}
        for cell_id in cell_ids:
            folded = dialect.fold(cell_id)
            reason = check_name(cell_id, max_bytes=dialect.max_name_bytes)
            column = known.get(folded)
            if save.columns is not None and cell_id not in save.columns:
                reason = "it is not among the columns allowed"
            elif folded == folded_id:
                reason = "the column of the row ids has this name"
            elif info is not None and folded in info.computed:
                reason = "the database computes it"
            elif folded in owners or (column is not None and column.name != cell_id):
                other = owners.get(folded) or column.name  # type: ignore[union-attr]
                reason = f"the database takes its name for that of {other!r}"
            elif reason is None and column is None:
                reason = dialect.refusal(cell_id, table=False)
                if reason is None and len(known) + 1 >= dialect.max_columns:
                    reason = f"a table can have {dialect.max_columns} columns"
            if reason is not None:
                self.left_out.setdefault(
                    ("cell", save.table_name, cell_id),
                    f"cell {cell_id!r} is not saved in table {save.table_name!r}: {reason}",
                )
                continue
            if column is None:
                column = known[folded] = Column(cell_id, dialect.new_column(kinds.get(cell_id)))
                made.append(column)
            owners[folded] = cell_id
            chosen[cell_id] = column
        definitions = [f"{quote(column.name)} {column.type}".rstrip() for column in made]
        if info is None:
            id_definition = f"{quote(save.row_id_column_name)} {dialect.id_type} PRIMARY KEY".replace(
                "  ", " "
            )
            info = TableInfo(save.table_name, {folded_id: Column(save.row_id_column_name, "")}, {folded_id})
            self.schema[dialect.fold(save.table_name)] = info
            yield Statement(
                f"CREATE TABLE {quote(save.table_name)}({','.join([id_definition, *definitions])})"
            )
        else:
            for definition in definitions:
                yield Statement(f"ALTER TABLE {quote(info.name)} ADD {definition}")
        info.columns.update({dialect.fold(column.name): column for column in made})
        return chosen

    def upsert(
        self, save: TableSave, columns: Sequence[Column], rows: Sequence[tuple[str, Sequence[Any]]]
    ) -> Plan[None]:
        """Write cells of rows; ``Undefined`` and ``None`` become NULL."""
        info = self.info(save)
        if info is None or not rows:
            return
        folded_id = self.dialect.fold(save.row_id_column_name)
        encoders = [self.dialect.encoder(column.type) for column in columns]
        params = [(row_id, *_encoded(cells, encoders)) for row_id, cells in rows]
        table, mark = quote(info.name), self.dialect.mark
        id_column = info.columns[folded_id]
        id_name, id_mark = quote(id_column.name), mark(1, id_column.type)
        names = [quote(column.name) for column in columns]
        marks = [mark(number + 2, column.type) for number, column in enumerate(columns)]
        where = self.where(save, info)
        insert = f"INSERT INTO {table}({','.join([id_name, *names])}) VALUES({','.join([id_mark, *marks])})"
        given = {folded_id, *(self.dialect.fold(column.name) for column in columns)}
        if folded_id in info.unique and info.required <= given:
            sets = ",".join(f"{name}=excluded.{name}" for name in names)
            tail = f" DO UPDATE SET {sets}{' WHERE ' + where if where else ''}" if names else " DO NOTHING"
            refused = yield Statement(f"{insert} ON CONFLICT({id_name}){tail}", params, True, True)
            # A row that is there may be refused as a new one only, for what these columns lack.
            params = [params[number] for number, _ in refused]
        # A table of somebody else's: its row ids need not be unique, and nothing is added to it. Or a new row
        # must have more than these columns: an upsert without them is refused even where the row is there.
        exists = f"SELECT 1 FROM {table} WHERE {id_name}={id_mark} LIMIT 1"
        sets = ",".join(
            f"{quote(column.name)}={mark(number + 1, column.type)}" for number, column in enumerate(columns)
        )
        same = f"{id_name}={mark(len(names) + 1, id_column.type)}{' AND ' + where if where else ''}"
        for row in params:
            if not (yield Statement(exists, row[:1], lenient=True)):
                self.refuse(save, row[:1], (yield Statement(insert, [row], True, True)))
            elif names:
                update = f"UPDATE {table} SET {sets} WHERE {same}"
                self.refuse(save, row[:1], (yield Statement(update, [(*row[1:], row[0])], True, True)))

    def refuse(
        self, save: TableSave, row_ids: Sequence[Any], refused: Sequence[Sequence[Any]], what: str = "saved"
    ) -> None:
        """Tell of rows that the database refused.

        Raises:
            StorageError: The save is to be strict.
        """
        for number, reason in refused:
            sentence = f"row {row_ids[number]!r} of table {save.table_name!r} is not {what}: {reason}"
            if self.strict:
                raise StorageError(sentence)
            self.left_out["row", save.table_name, str(row_ids[number])] = sentence

    def where(self, save: TableSave, info: TableInfo) -> str:
        """The condition in parentheses; empty where all rows are meant."""
        if save.condition is None or save.condition == "true":
            return ""
        return f"({with_table_name(save.condition, info.name)})"

    def delete(self, save: TableSave, row_ids: Sequence[Any] | None, *, if_empty: bool = False) -> Plan[None]:
        """Delete rows, or all; or those of them that have nothing but NULL."""
        info = self.info(save)
        if info is None or (row_ids is not None and not row_ids):
            return
        folded_id = self.dialect.fold(save.row_id_column_name)
        tests = [where] if (where := self.where(save, info)) else []
        if row_ids is not None:
            id_column = info.columns[folded_id]
            tests.insert(0, f"{quote(id_column.name)}={self.dialect.mark(1, id_column.type)}")
        if if_empty:
            tests += [
                f"{quote(column.name)} IS NULL"
                for folded, column in info.columns.items()
                if folded != folded_id
            ]
        tail = f" WHERE {' AND '.join(tests)}" if tests else ""
        sql = f"DELETE FROM {quote(info.name)}{tail}"
        if row_ids is None:
            yield Statement(sql)
        else:
            refused = yield Statement(sql, [(row_id,) for row_id in row_ids], many=True, lenient=True)
            self.refuse(save, row_ids, refused, "deleted")

    def savable(self, save: TableSave, rows: Mapping[str, R]) -> Mapping[str, R]:
        """Leave out rows that the database cannot hold, so that they stop no others."""
        info = self.info(save)
        folded_id = self.dialect.fold(save.row_id_column_name)
        refused = self.dialect.refused_rows(rows, "" if info is None else info.columns[folded_id].type)
        for row_id, reason in refused.items():
            self.left_out["row", save.table_name, row_id] = (
                f"row {row_id!r} of table {save.table_name!r} is not saved: {reason}"
            )
        return {row_id: row for row_id, row in rows.items() if row_id not in refused} if refused else rows

    def savable_cells(
        self, save: TableSave, rows: Mapping[str, Mapping[str, Any]], chosen: Mapping[str, Column]
    ) -> Mapping[str, Mapping[str, Any]]:
        """Leave out cells that their columns cannot hold, likewise."""
        checks = [
            (cell_id, check)
            for cell_id, column in chosen.items()
            if (check := self.dialect.cell_refusal(column.type)) is not None
        ]
        if not checks:
            return rows
        kept = dict(rows)
        for row_id, row in rows.items():
            for cell_id, check in checks:
                cell = row.get(cell_id)
                if isinstance(cell, str) and (reason := check(cell)) is not None:
                    kept[row_id] = {other: kept[row_id][other] for other in kept[row_id] if other != cell_id}
                    where = f"cell {cell_id!r} of row {row_id!r} of table {save.table_name!r}"
                    self.left_out["cell", save.table_name, row_id, cell_id] = (
                        f"{where} is not saved: {reason}"
                    )
        return kept


def _encoded(cells: Sequence[Any], encoders: Sequence[Callable[[Any], Any] | None]) -> list[Any]:
    return [
        None
        if cell is None or isinstance(cell, Undefined)
        else str(cell)
        if encode is None and isinstance(cell, str)
        else cell
        if encode is None
        else encode(cell)
        for cell, encode in zip(cells, encoders, strict=True)
    ]
