"""Writing rows into tables: columns that are missing, upserts, deletions, and what cannot be written."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from weft.errors import StorageError
from weft.persisters.sql.dialect import Column, ForeignKey, RefusedError, Statement, TableInfo
from weft.persisters.sql.load import by_schema, id_text, read_schema
from weft.persisters.sql.names import (
    check_name,
    check_table,
    quote,
    quote_table,
    split_table,
    with_table_name,
)
from weft.persisters.sql.row_order import children_first, own_keys
from weft.values import Undefined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from weft.persisters.sql.config import TableSave
    from weft.persisters.sql.dialect import Dialect, Plan

__all__ = ["SEVERAL_ROWS", "LeftOut", "RefusedRow", "TableWriter"]

LeftOut: TypeAlias = dict[tuple[str, ...], str]
"""What a save has not written, to a sentence that says so and why: ``"cell"``, ``"row"`` or ``"table"``,
table and ids."""

RefusedRow: TypeAlias = "tuple[Any, Sequence[Any], str]"
"""The id of a row that the database refused, its cells, and the reason."""

SEVERAL_ROWS = "several rows of the database have this id, and none of them is touched"

_AT_ONCE = 500  # parameters of a statement; SQLite before 3.32 took 999

R = TypeVar("R")

# SQLite's words, and PostgreSQL's letters: cascade, set null, set default.
_ACTIONS = frozenset({"CASCADE", "SET NULL", "SET DEFAULT", "C", "N", "D"})


class TableWriter:
    """The statements of one save: what it knows of the database, and what it left out.

    Its methods are plans, parts of the one that is run in one transaction.

    Args:
        dialect: The kind of database.

    Attributes:
        dialect: Likewise.
        schema: Folded name to table.
        keys: The foreign keys of and to these tables.
        left_out: What is not written as it cannot be.
        refused: What is not written as the database refused it, likewise.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.schema: dict[str, TableInfo] = {}
        self.keys: list[ForeignKey] = []
        self.left_out: LeftOut = {}
        self.refused: LeftOut = {}

    def prepare(self, tables: Iterable[str]) -> Plan[None]:
        """Learn which of the tables there are, and what writing to them sets off; before everything else."""
        dialect, names = self.dialect, list(tables)
        self.schema = yield from read_schema(dialect, names, lenient=True)
        self.keys = []
        for schema, names_there in by_schema(dialect, names).items():
            if any(name in self.schema and self.schema[name].related for name in names_there.values()):
                rows = yield dialect.relations(list(names_there), schema)
                self._note_relations(schema, names_there, rows)

    def _note_relations(self, schema: str, names: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        keys: dict[tuple[str, object], ForeignKey] = {}

        def named(table: str) -> tuple[str, str]:
            sql = f"{quote(schema)}.{quote(table)}" if schema else quote(table)
            return names.get(self.dialect.fold(table), sql), sql

        for table, key, parent, on_delete, column, parent_column, deferrable in rows:
            child, child_sql = named(table)
            if key is None:
                self.schema[child].has_triggers = True
                self.schema[child].keeps_out = bool(deferrable)
                continue
            acts = str(on_delete).upper() in _ACTIONS
            known = keys.setdefault(
                (table, key),
                ForeignKey(child, named(parent)[0], child_sql, named(parent)[1], acts, bool(deferrable)),
            )
            known.columns.append((column, parent_column))
        self.keys += keys.values()

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
        """Make what is missing, and tell which column each cell goes to; a cell may have none.

        Raises:
            StorageError: The table cannot be made, or has no column for the row ids.
            RefusedError: The database does not let it be made, or a column.
        """
        dialect, info = self.dialect, self.info(save)
        made: list[Column] = []
        strict: bool | None = None if info is not None else False
        if info is None:
            reason = check_table(save.table_name, max_bytes=dialect.max_name_bytes) or dialect.refusal(
                split_table(save.table_name)[1], table=True
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
                if strict is None:
                    strict = yield from dialect.is_strict(info)  # type: ignore[arg-type]
                new_type = dialect.new_column(kinds.get(cell_id), strict=strict)
                column = known[folded] = Column(cell_id, new_type)
                made.append(column)
            owners[folded] = cell_id
            chosen[cell_id] = column
        definitions = [f"{quote(column.name)} {column.type}".rstrip() for column in made]
        if info is None:
            id_definition = f"{quote(save.row_id_column_name)} {dialect.id_type} PRIMARY KEY".replace(
                "  ", " "
            )
            columns = {folded_id: Column(save.row_id_column_name, "")}
            info = TableInfo(save.table_name, quote_table(save.table_name), columns, {folded_id})
            yield Statement(
                f"CREATE TABLE {info.sql}({','.join([id_definition, *definitions])})",
                lenient=True,
            )
            self.schema[dialect.fold(save.table_name)] = info
        else:
            for definition in definitions:
                yield Statement(f"ALTER TABLE {info.sql} ADD {definition}", lenient=True)
        info.columns.update({dialect.fold(column.name): column for column in made})
        return chosen

    def upsert(
        self, save: TableSave, columns: Sequence[Column], rows: Sequence[tuple[Any, Sequence[Any]]]
    ) -> Plan[list[RefusedRow]]:
        """Write cells of rows; ``Undefined`` and ``None`` become NULL. Returns those that were refused.

        Raises:
            RefusedError: The database refused all of it.
        """
        info = self.info(save)
        if info is None or not rows:
            return []
        folded_id = self.dialect.fold(save.row_id_column_name)
        encoders = [self.dialect.encoder(column.type) for column in columns]
        params = [(row_id, *_encoded(cells, encoders)) for row_id, cells in rows]
        given: Sequence[int] = range(len(rows))  # the numbers of these
        table, mark = info.sql, self.dialect.mark
        id_column = info.columns[folded_id]
        id_name = quote(id_column.name)
        names = [quote(column.name) for column in columns]
        where = self.where(save, info)
        insert = self._insert(info, id_column, columns)
        written = {folded_id, *(self.dialect.fold(column.name) for column in columns)}
        if folded_id in info.unique and info.required <= written:
            sets = ",".join(f"{name}=excluded.{name}" for name in names)
            tail = f" DO UPDATE SET {sets}{' WHERE ' + where if where else ''}" if names else " DO NOTHING"
            # A row that is there may be refused as a new one only, for what these columns lack.
            given = [
                number
                for number, _ in (
                    yield Statement(
                        f"{insert} ON CONFLICT({id_name}){tail}", params, True, True, info.has_triggers
                    )
                )
            ]
        # A table of somebody else's: its row ids need not be unique, and nothing is added to it. Or a new row
        # must have more than these columns: an upsert without them is refused even where the row is there.
        sets = ",".join(
            f"{quote(column.name)}={mark(number + 1, column.type)}" for number, column in enumerate(columns)
        )
        same = f"{id_name}={mark(len(names) + 1, id_column.type)}{' AND ' + where if where else ''}"
        refused: list[RefusedRow] = []
        for number in given:
            row = params[number]
            try:
                there = yield from self._count(info, id_column, row[0])
            except RefusedError as error:
                if not error.row:
                    raise
                refused.append((*rows[number], str(error)))
                continue
            failed: list[Sequence[Any]] = []
            if there > 1:
                failed = [(0, SEVERAL_ROWS)]
            elif not there:
                failed = yield Statement(insert, [row], True, True, info.has_triggers)
            elif names:
                update = f"UPDATE {table} SET {sets} WHERE {same}"
                failed = yield Statement(update, [(*row[1:], row[0])], True, True, info.has_triggers)
            refused += [(*rows[number], reason) for _, reason in failed]
        return refused

    def takes(self, save: TableSave, columns: Sequence[Column], row: tuple[Any, Sequence[Any]]) -> Plan[bool]:
        """Whether a row that was written is there, or would be inserted if it were written alone.

        A trigger may leave out a row without refusing it: ``RAISE(IGNORE)`` in SQLite, and in PostgreSQL one
        before the row that returns NULL.
        """
        info = self.schema[self.dialect.fold(save.table_name)]
        id_column = info.columns[self.dialect.fold(save.row_id_column_name)]
        row_id, cells = row
        if (yield from self._count(info, id_column, row_id)):
            return True
        encoders = [self.dialect.encoder(column.type) for column in columns]
        yield Statement("SAVEPOINT weft_takes")
        try:
            insert = f"{self._insert(info, id_column, columns)} RETURNING 1"
            taken = bool((yield Statement(insert, (row_id, *_encoded(cells, encoders)), lenient=True)))
        except RefusedError as error:
            taken = error.row  # by what is there now; SQLite before 3.35 has no RETURNING
        yield Statement("ROLLBACK TO weft_takes")
        yield Statement("RELEASE weft_takes")
        return taken

    def _insert(self, info: TableInfo, id_column: Column, columns: Sequence[Column]) -> str:
        all_columns = (id_column, *columns)
        names = ",".join(quote(column.name) for column in all_columns)
        marks = ",".join(
            self.dialect.mark(number, column.type) for number, column in enumerate(all_columns, 1)
        )
        return f"INSERT INTO {info.sql}({names}) VALUES({marks})"

    def _count(self, info: TableInfo, id_column: Column, row_id: Any) -> Plan[int]:
        """Count the rows of an id, up to two."""
        where = f"{quote(id_column.name)}={self.dialect.mark(1, id_column.type)}"
        sql = f"SELECT 1 FROM {info.sql} WHERE {where} LIMIT 2"
        return len((yield Statement(sql, (row_id,), lenient=True)))

    def refuse(self, save: TableSave, row_id: Any, reason: str, what: str = "saved") -> None:
        """Note a row that the database refused."""
        self.refused["row", save.table_name, id_text(row_id)] = (
            f"row {id_text(row_id)!r} of table {save.table_name!r} is not {what}: {reason}"
        )

    def refuse_table(self, save: TableSave, error: Exception) -> None:
        """Note that nothing more can be written to a table."""
        sentence = (
            str(error)
            if isinstance(error, StorageError)
            else f"table {save.table_name!r} is not saved: {error}"
        )
        self.refused["table", save.table_name] = sentence

    def where(self, save: TableSave, info: TableInfo) -> str:
        """The condition in parentheses; empty where all rows are meant."""
        if save.condition is None or save.condition == "true":
            return ""
        return f"({with_table_name(save.condition, info.sql)})"

    def delete(
        self, save: TableSave, row_ids: Sequence[Any], *, if_empty: bool = False
    ) -> Plan[list[RefusedRow]]:
        """Delete rows; or those of them that have nothing but NULL. Returns those that were refused.

        Raises:
            RefusedError: The database refused all of it.
        """
        info = self.info(save)
        if info is None or not row_ids:
            return []
        folded_id = self.dialect.fold(save.row_id_column_name)
        id_column = info.columns[folded_id]
        refused: list[RefusedRow] = []
        if folded_id not in info.unique:
            single: list[Any] = []
            for row_id in row_ids:
                if (yield from self._count(info, id_column, row_id)) > 1:
                    refused.append((row_id, (), SEVERAL_ROWS))
                else:
                    single.append(row_id)
            row_ids = single
        tests = [f"{quote(id_column.name)}={self.dialect.mark(1, id_column.type)}"]
        tests += [where] if (where := self.where(save, info)) else []
        if if_empty:
            tests += [
                f"{quote(column.name)} IS NULL"
                for folded, column in info.columns.items()
                if folded != folded_id
            ]
        sql = f"DELETE FROM {info.sql} WHERE {' AND '.join(tests)}"
        failed = yield Statement(sql, [(row_id,) for row_id in row_ids], True, True, info.has_triggers)
        return [*refused, *((row_ids[number], (), reason) for number, reason in failed)]

    def delete_all(self, save: TableSave) -> Plan[list[RefusedRow]]:
        """Delete all rows that the condition allows; as :meth:`delete` where not all can go.

        Rows that have their id in common were never loaded, and stay.
        """
        info = self.info(save)
        if info is None:
            return []
        if self.dialect.fold(save.row_id_column_name) in info.unique:
            where = self.where(save, info)
            sql = f"DELETE FROM {info.sql}{' WHERE ' + where if where else ''}"
            try:
                yield Statement(sql, lenient=True)
            except RefusedError as error:
                if not error.row:
                    raise
            else:
                return []
        there = yield from self.row_ids(save, info)
        counts = Counter(map(id_text, there))
        ids: Sequence[Any] = [row_id for row_id in there if counts[id_text(row_id)] == 1]
        if keys := own_keys(self.keys, self.dialect.fold(save.table_name)):
            ids = yield from children_first(self.dialect, keys, save.row_id_column_name, info, ids)
        return (yield from self.delete(save, ids))

    def row_ids(self, save: TableSave, info: TableInfo) -> Plan[list[Any]]:
        """Read the ids of all rows that the condition allows."""
        id_column = info.columns[self.dialect.fold(save.row_id_column_name)]
        where = self.where(save, info)
        sql = (
            f"SELECT {self.dialect.read(quote(id_column.name), id_column.type)} FROM {info.sql}"
            f"{' WHERE ' + where if where else ''}"
        )
        rows = yield Statement(sql, lenient=True)
        return [self.dialect.row_id(row[0]) for row in rows if row[0] is not None]

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

    def stored_ids(self, save: TableSave, row_ids: Iterable[str]) -> Plan[dict[str, Any]]:
        """Find row ids that the table has in another form than text; those of several rows are refused."""
        info = self.info(save)
        if info is None:
            return {}
        id_column = info.columns[self.dialect.fold(save.row_id_column_name)]
        stored = yield from self.dialect.stored_ids(info, id_column, row_ids)
        for row_id, forms in stored.items():
            if len(forms) > 1:
                self.refuse(save, row_id, SEVERAL_ROWS)
        return {row_id: forms[0] for row_id, forms in stored.items()}

    def ids_of_others(self, save: TableSave, row_ids: Sequence[str]) -> Plan[set[str]]:
        """Find row ids that are not there, and that the column takes for the id of a row that is."""
        info = self.info(save)
        folded_id = self.dialect.fold(save.row_id_column_name)
        others: set[str] = set()
        if info is None or folded_id not in info.collated:
            return others
        id_column = info.columns[folded_id]
        name = quote(id_column.name)
        for start in range(0, len(row_ids), _AT_ONCE):
            part = row_ids[start : start + _AT_ONCE]
            marks = ",".join(self.dialect.mark(number + 1, id_column.type) for number in range(len(part)))
            listed = self.dialect.read(name, id_column.type)
            sql = f"SELECT {listed} FROM {info.sql} WHERE {name} IN ({marks})"
            there = {id_text(row[0]) for row in (yield Statement(sql, part, lenient=True))}
            for row_id in part if there else ():
                if row_id not in there and (yield from self._count(info, id_column, row_id)):
                    others.add(row_id)
        return others

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
