"""Writing content and changes into tables, as a plan: statements out, rows in.

Saving a change costs what the change costs: one upsert for each row of it, and one look at the columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.persisters.sql.config import TableSave
from weft.persisters.sql.dialect import Statement
from weft.persisters.sql.load import VALUES_ROW_ID, id_text
from weft.persisters.sql.names import quote
from weft.persisters.sql.table_writer import LeftOut, TableWriter
from weft.values import Undefined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

    from weft.persisters._core.unsaved import NotLoaded, StoredChanges, StoredContent
    from weft.persisters.sql.config import TablesConfig
    from weft.persisters.sql.dialect import Dialect, Plan

__all__ = ["save_changes_plan", "save_content_plan"]


def _save_rows(
    writer: TableWriter,
    save: TableSave,
    rows: Mapping[str, Mapping[str, Any]],
    kinds: Mapping[str, str],
    spared: Mapping[str, Set[str]],
    spared_rows: Set[str],
) -> Plan[None]:
    """Make a table hold these rows and no others, but for what is to be spared."""
    rows = writer.savable(save, rows)
    info = writer.info(save)
    everything = save.condition is None or save.condition == "true"
    if not rows and (info is None or not spared_rows):
        if info is not None and save.delete_empty_table and everything:
            yield Statement(f"DROP TABLE {quote(info.name)}")
            del writer.schema[writer.dialect.fold(save.table_name)]
        else:
            yield from writer.delete(save, None)
        return
    cell_ids = list(dict.fromkeys(cell_id for row in rows.values() for cell_id in row))
    chosen = yield from writer.columns(save, cell_ids, kinds)
    info = writer.schema[writer.dialect.fold(save.table_name)]
    folded_id = writer.dialect.fold(save.row_id_column_name)
    used = {writer.dialect.fold(column.name) for column in chosen.values()}
    unused = [
        column
        for folded, column in info.columns.items()
        if folded not in used
        and folded != folded_id
        and (save.columns is None or column.name in save.columns)
    ]
    if save.delete_empty_columns and everything:
        full = {cell_id for cell_ids in spared.values() for cell_id in cell_ids}
        for column in unused:
            if column.name not in full:
                yield Statement(f"ALTER TABLE {quote(info.name)} DROP COLUMN {quote(column.name)}")
                del info.columns[writer.dialect.fold(column.name)]
        unused = [column for column in unused if column.name in full]
    # A column that no row uses is emptied, as the rows are to be what the Store has.
    emptied = {column.name: column for column in unused}
    columns = {**chosen, **emptied}
    id_name = writer.dialect.read(quote(info.columns[folded_id].name), info.columns[folded_id].type)
    where = writer.where(save, info)
    there = yield Statement(f"SELECT {id_name} FROM {quote(info.name)}{' WHERE ' + where if where else ''}")
    known = rows.keys() | spared_rows
    yield from writer.delete(save, [row[0] for row in there if id_text(row[0]) not in known])
    all_ids = tuple(columns)
    whole: list[tuple[str, Sequence[Any]]] = []
    groups = {all_ids: whole}
    for row_id, row in writer.savable_cells(save, rows, chosen).items():
        ids, group = all_ids, whole
        if row_id in spared:
            ids = tuple(cell_id for cell_id in ids if cell_id in row or cell_id not in spared[row_id])
            group = groups.setdefault(ids, [])
        group.append((row_id, [row.get(cell_id) for cell_id in ids]))
    for ids, group in groups.items():
        yield from writer.upsert(save, [columns[cell_id] for cell_id in ids], group)


def _save_changes(
    writer: TableWriter,
    save: TableSave,
    rows: Mapping[str, Mapping[str, Any] | Undefined],
    kinds: Mapping[str, str],
) -> Plan[None]:
    """Write changed cells, delete deleted rows, and leave everything else alone."""
    rows = writer.savable(save, rows)
    yield from writer.delete(save, [row_id for row_id, row in rows.items() if isinstance(row, Undefined)])
    written = {row_id: row for row_id, row in rows.items() if not isinstance(row, Undefined)}
    info = writer.info(save)
    set_ids = dict.fromkeys(
        cell_id
        for row in written.values()
        for cell_id, cell in row.items()
        if not isinstance(cell, Undefined)
        or (info is not None and writer.dialect.fold(cell_id) in info.columns)
    )
    if not set_ids:
        return
    chosen = yield from writer.columns(save, set_ids, kinds)
    groups: dict[tuple[str, ...], list[tuple[str, Sequence[Any]]]] = {}
    emptied: list[str] = []
    for row_id, row in writer.savable_cells(save, written, chosen).items():
        ids = tuple(cell_id for cell_id in row if cell_id in chosen)
        if not ids:
            continue
        groups.setdefault(ids, []).append((row_id, [row[cell_id] for cell_id in ids]))
        if all(isinstance(cell, Undefined) for cell in row.values()):
            emptied.append(row_id)
    for ids, group in groups.items():
        yield from writer.upsert(save, [chosen[cell_id] for cell_id in ids], group)
    yield from writer.delete(save, emptied, if_empty=True)


def _values_save(config: TablesConfig) -> TableSave:
    whole = config.values.save is True
    return TableSave(config.values.table_name, delete_empty_columns=whole, delete_empty_table=whole)


def save_content_plan(
    dialect: Dialect,
    config: TablesConfig,
    kinds: Mapping[str, Mapping[str, str]],
    content: StoredContent,
    refused: NotLoaded,
) -> Plan[LeftOut]:
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
    writer = TableWriter(dialect, strict=True)
    yield from writer.prepare(config.tables_saved())
    for table_id, save in config.saves().items():
        yield from _save_rows(
            writer,
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
            yield from _save_rows(writer, save, rows, kinds.get("", {}), spared, spared.keys())
        else:
            wanted = dict.fromkeys(
                id_ for id_ in config.values.save if id_ in values or id_ not in refused.values
            )
            row = {value_id: values.get(value_id, Undefined.UNDEFINED) for value_id in wanted}
            yield from _save_changes(writer, save, {VALUES_ROW_ID: row}, kinds.get("", {}))
    return writer.left_out


def save_changes_plan(
    dialect: Dialect, config: TablesConfig, kinds: Mapping[str, Mapping[str, str]], changes: StoredChanges
) -> Plan[LeftOut]:
    """Write changes; arguments and result as for :func:`save_content_plan`."""
    writer = TableWriter(dialect, strict=False)
    saves = {table_id: save for table_id, save in config.saves().items() if table_id in changes[0]}
    values = changes[1]
    if config.values.save is not True:
        wanted = set(config.values.save or ())
        values = {value_id: value for value_id, value in values.items() if value_id in wanted}
    names = [save.table_name for save in saves.values()]
    yield from writer.prepare([*names, config.values.table_name] if values else names)
    for table_id, save in saves.items():
        rows = changes[0][table_id]
        if isinstance(rows, Undefined):
            yield from writer.delete(save, None)
        else:
            yield from _save_changes(writer, save, rows, kinds.get(table_id, {}))
    if values:
        yield from _save_changes(writer, _values_save(config), {VALUES_ROW_ID: values}, kinds.get("", {}))
    return writer.left_out
