"""Writing content and changes into tables, as a plan: statements out, rows in.

Saving a change costs what the change costs: one upsert for each row of it, and one look at the columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from weft.errors import StorageError
from weft.persisters._sqlconfig import TableSave
from weft.persisters._sqldialect import Column, Statement, TableInfo
from weft.persisters._sqlload import VALUES_ROW_ID, id_text, read_schema
from weft.persisters._sqlnames import check_name, quote, with_table_name
from weft.values import Undefined

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence, Set

    from weft.persisters._dirty import Refused, StoredChanges, StoredContent
    from weft.persisters._sqlconfig import TablesConfig
    from weft.persisters._sqldialect import Dialect

__all__ = ["LeftOut", "save_changes_plan", "save_content_plan"]

LeftOut: TypeAlias = dict[tuple[str, ...], str]
"""What a save has not written, to a sentence that says so and why: ``"cell"`` or ``"row"``, table and ids."""

R = TypeVar("R")

Kinds = "Mapping[str, Mapping[str, str]]"
Steps = "Generator[Statement, list[Sequence[Any]], None]"


class _Saver:
    """One save: what it knows of the database, and what it left out."""

    def __init__(
        self, dialect: Dialect, config: TablesConfig, kinds: Mapping[str, Mapping[str, str]]
    ) -> None:
        self.dialect = dialect
        self.config = config
        self.kinds = kinds
        self.schema: dict[str, TableInfo] = {}
        self.left_out: LeftOut = {}

    def prepare(self, tables: Iterable[str]) -> Generator[Statement, list[Sequence[Any]], None]:
        self.schema = yield from read_schema(self.dialect, tables)

    def info(self, save: TableSave) -> TableInfo | None:
        info = self.schema.get(self.dialect.fold(save.table_name))
        if info is not None and self.dialect.fold(save.row_id_column_name) not in info.columns:
            raise StorageError(
                f"table {info.name!r} has no column {save.row_id_column_name!r} for the row ids"
            )
        return info

    def columns(
        self, save: TableSave, cell_ids: Iterable[str], kinds: Mapping[str, str]
    ) -> Generator[Statement, list[Sequence[Any]], dict[str, Column]]:
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
    ) -> Generator[Statement, list[Sequence[Any]], None]:
        """Write cells of rows; ``Undefined`` and ``None`` become NULL."""
        info = self.info(save)
        if info is None or not rows:
            return
        encoders = [self.dialect.encoder(column.type) for column in columns]
        params = [(row_id, *_encoded(cells, encoders)) for row_id, cells in rows]
        table, mark = quote(info.name), self.dialect.mark
        id_column = info.columns[self.dialect.fold(save.row_id_column_name)]
        id_name, id_mark = quote(id_column.name), mark(1, id_column.type)
        names = [quote(column.name) for column in columns]
        marks = [mark(number + 2, column.type) for number, column in enumerate(columns)]
        where = self.where(save, info)
        insert = f"INSERT INTO {table}({','.join([id_name, *names])}) VALUES({','.join([id_mark, *marks])})"
        if self.dialect.fold(save.row_id_column_name) in info.unique:
            sets = ",".join(f"{name}=excluded.{name}" for name in names)
            tail = f" DO UPDATE SET {sets}{' WHERE ' + where if where else ''}" if names else " DO NOTHING"
            yield Statement(f"{insert} ON CONFLICT({id_name}){tail}", params, many=True)
            return
        # A table of somebody else's, whose row ids need not be unique: nothing is added to it.
        exists = f"SELECT 1 FROM {table} WHERE {id_name}={id_mark} LIMIT 1"
        for row in params:
            if not (yield Statement(exists, row[:1])):
                yield Statement(insert, row)
            elif names:
                sets = ",".join(
                    f"{quote(column.name)}={mark(number + 1, column.type)}"
                    for number, column in enumerate(columns)
                )
                last = mark(len(names) + 1, id_column.type)
                same = f"{id_name}={last}{' AND ' + where if where else ''}"
                yield Statement(f"UPDATE {table} SET {sets} WHERE {same}", (*row[1:], row[0]))

    def where(self, save: TableSave, info: TableInfo) -> str:
        if save.condition is None or save.condition == "true":
            return ""
        return f"({with_table_name(save.condition, info.name)})"

    def delete(
        self, save: TableSave, row_ids: Sequence[Any] | None, *, if_empty: bool = False
    ) -> Generator[Statement, list[Sequence[Any]], None]:
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
            yield Statement(sql, [(row_id,) for row_id in row_ids], many=True)

    def savable(self, save: TableSave, rows: Mapping[str, R]) -> Mapping[str, R]:
        """Leave out rows that the database cannot hold, so that they stop no others."""
        refused = self.dialect.refused_rows(rows)
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

    def content(
        self,
        save: TableSave,
        rows: Mapping[str, Mapping[str, Any]],
        kinds: Mapping[str, str],
        spared: Mapping[str, Set[str]],
        spared_rows: Set[str],
    ) -> Generator[Statement, list[Sequence[Any]], None]:
        """Make a table hold these rows and no others, but for what is to be spared."""
        rows = self.savable(save, rows)
        info = self.info(save)
        everything = save.condition is None or save.condition == "true"
        if not rows and (info is None or not spared_rows):
            if info is not None and save.delete_empty_table and everything:
                yield Statement(f"DROP TABLE {quote(info.name)}")
                del self.schema[self.dialect.fold(save.table_name)]
            else:
                yield from self.delete(save, None)
            return
        cell_ids = list(dict.fromkeys(cell_id for row in rows.values() for cell_id in row))
        chosen = yield from self.columns(save, cell_ids, kinds)
        info = self.schema[self.dialect.fold(save.table_name)]
        folded_id = self.dialect.fold(save.row_id_column_name)
        used = {self.dialect.fold(column.name) for column in chosen.values()}
        unused = [c for folded, c in info.columns.items() if folded not in used and folded != folded_id]
        allowed = None if save.columns is None else set(save.columns)
        if save.delete_empty_columns and everything:
            full = {cell_id for cell_ids in spared.values() for cell_id in cell_ids}
            for column in unused:
                if column.name not in full:
                    yield Statement(f"ALTER TABLE {quote(info.name)} DROP COLUMN {quote(column.name)}")
                    del info.columns[self.dialect.fold(column.name)]
            unused = [column for column in unused if column.name in full]
        # A column that no row uses is emptied, as the rows are to be what the Store has.
        emptied = {c.name: c for c in unused if allowed is None or c.name in allowed}
        columns = {**chosen, **emptied}
        id_name = self.dialect.read(quote(info.columns[folded_id].name), info.columns[folded_id].type)
        where = self.where(save, info)
        there = yield Statement(
            f"SELECT {id_name} FROM {quote(info.name)}{' WHERE ' + where if where else ''}"
        )
        known = rows.keys() | spared_rows
        yield from self.delete(save, [row[0] for row in there if id_text(row[0]) not in known])
        all_ids = tuple(columns)
        whole: list[tuple[str, Sequence[Any]]] = []
        groups = {all_ids: whole}
        for row_id, row in self.savable_cells(save, rows, chosen).items():
            ids, group = all_ids, whole
            if row_id in spared:
                ids = tuple(cell_id for cell_id in ids if cell_id in row or cell_id not in spared[row_id])
                group = groups.setdefault(ids, [])
            group.append((row_id, [row.get(cell_id) for cell_id in ids]))
        for ids, group in groups.items():
            yield from self.upsert(save, [columns[cell_id] for cell_id in ids], group)

    def changes(
        self, save: TableSave, rows: Mapping[str, Mapping[str, Any] | Undefined], kinds: Mapping[str, str]
    ) -> Generator[Statement, list[Sequence[Any]], None]:
        """Write changed cells, delete deleted rows, and leave everything else alone."""
        rows = self.savable(save, rows)
        yield from self.delete(save, [row_id for row_id, row in rows.items() if isinstance(row, Undefined)])
        written = {row_id: row for row_id, row in rows.items() if not isinstance(row, Undefined)}
        info = self.info(save)
        set_ids = dict.fromkeys(
            cell_id
            for row in written.values()
            for cell_id, cell in row.items()
            if not isinstance(cell, Undefined)
            or (info is not None and self.dialect.fold(cell_id) in info.columns)
        )
        if not set_ids:
            return
        chosen = yield from self.columns(save, set_ids, kinds)
        groups: dict[tuple[str, ...], list[tuple[str, Sequence[Any]]]] = {}
        emptied: list[str] = []
        for row_id, row in self.savable_cells(save, written, chosen).items():
            ids = tuple(cell_id for cell_id in row if cell_id in chosen)
            if not ids:
                continue
            groups.setdefault(ids, []).append((row_id, [row[cell_id] for cell_id in ids]))
            if all(isinstance(cell, Undefined) for cell in row.values()):
                emptied.append(row_id)
        for ids, group in groups.items():
            yield from self.upsert(save, [chosen[cell_id] for cell_id in ids], group)
        yield from self.delete(save, emptied, if_empty=True)


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


def _values_save(config: TablesConfig) -> TableSave:
    whole = config.values.save is True
    return TableSave(config.values.table_name, delete_empty_columns=whole, delete_empty_table=whole)


def _names(config: TablesConfig) -> list[str]:
    names = [save.table_name for save in config.saves().values()]
    return [*names, config.values.table_name] if config.values.save else names


def save_content_plan(
    dialect: Dialect,
    config: TablesConfig,
    kinds: Mapping[str, Mapping[str, str]],
    content: StoredContent,
    refused: Refused,
) -> Generator[Statement, list[Sequence[Any]], LeftOut]:
    """Make the tables hold the content, and nothing else where conditions do not say otherwise.

    Args:
        dialect: The kind of database.
        config: What goes where.
        kinds: Types of cells by table and cell id, as the Store's schema says; values under ``""``.
        content: The content.
        refused: What the database has and the Store could not take; it stays there.

    Returns:
        What was left out.
    """
    saver = _Saver(dialect, config, kinds)
    yield from saver.prepare(_names(config))
    for table_id, save in config.saves().items():
        yield from saver.content(
            save,
            content[0].get(table_id, {}),
            kinds.get(table_id, {}),
            refused.cells.get(table_id, {}),
            refused.rows.get(table_id, set()),
        )
    if config.values.save:
        values: Mapping[str, Any] = content[1]
        save = _values_save(config)
        if config.values.save is True:
            rows = {VALUES_ROW_ID: values} if values else {}
            spared = {VALUES_ROW_ID: refused.values} if refused.values else {}
            yield from saver.content(save, rows, kinds.get("", {}), spared, spared.keys())
        else:
            wanted = dict.fromkeys(
                id_ for id_ in config.values.save if id_ in values or id_ not in refused.values
            )
            row = {value_id: values.get(value_id, Undefined.UNDEFINED) for value_id in wanted}
            yield from saver.changes(save, {VALUES_ROW_ID: row}, kinds.get("", {}))
    return saver.left_out


def save_changes_plan(
    dialect: Dialect, config: TablesConfig, kinds: Mapping[str, Mapping[str, str]], changes: StoredChanges
) -> Generator[Statement, list[Sequence[Any]], LeftOut]:
    """Write changes; arguments and result as for :func:`save_content_plan`."""
    saver = _Saver(dialect, config, kinds)
    saves = {table_id: save for table_id, save in config.saves().items() if table_id in changes[0]}
    values = changes[1]
    if config.values.save is not True:
        wanted = set(config.values.save or ())
        values = {value_id: value for value_id, value in values.items() if value_id in wanted}
    names = [save.table_name for save in saves.values()]
    yield from saver.prepare([*names, config.values.table_name] if values else names)
    for table_id, save in saves.items():
        rows = changes[0][table_id]
        if isinstance(rows, Undefined):
            yield from saver.delete(save, None)
        else:
            yield from saver.changes(save, rows, kinds.get(table_id, {}))
    if values:
        yield from saver.changes(_values_save(config), {VALUES_ROW_ID: values}, kinds.get("", {}))
    return saver.left_out
