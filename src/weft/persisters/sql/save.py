"""Writing content and changes into tables, as a plan: statements out, rows in.

Saving a change costs what the change costs: one upsert for each row of it, and one look at the columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weft.errors import StorageError
from weft.persisters.sql.broken_keys import broken_keys
from weft.persisters.sql.config import TableSave
from weft.persisters.sql.dialect import OTHER_FORM, RefusedError, Statement
from weft.persisters.sql.load import VALUES_ROW_ID, id_text
from weft.persisters.sql.names import quote
from weft.persisters.sql.read_back import Read, read_back
from weft.persisters.sql.table_order import TableWork, write_tables
from weft.persisters.sql.table_writer import SEVERAL_ROWS, LeftOut, TableWriter
from weft.values import Undefined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set

    from weft.persisters._core.unsaved import NotLoaded, StoredChanges, StoredContent
    from weft.persisters.sql.config import TablesConfig
    from weft.persisters.sql.dialect import Dialect, Plan

    Works = Callable[[TableWriter, list[TableWork]], Plan[None]]

__all__ = ["Saved", "save_changes_plan", "save_content_plan"]


@dataclass(slots=True)
class Saved:
    """What became of a save.

    Attributes:
        left_out: What was not written, as no table can hold it.
        refused: What the database refused.
        read: What the database made of what was written, where it may have changed it.
        others_changed: Whether rows were deleted on which others depend that the database changed as well.
    """

    left_out: LeftOut = field(default_factory=dict)
    refused: LeftOut = field(default_factory=dict)
    read: Read = field(default_factory=dict)
    others_changed: bool = False


def _save_rows(
    writer: TableWriter,
    work: TableWork,
    rows: Mapping[str, Mapping[str, Any]],
    kinds: Mapping[str, str],
    spared: Mapping[str, Set[str]],
    spared_rows: Set[str],
) -> Plan[None]:
    """Make a table hold these rows and no others, but for what is to be spared."""
    save = work.save
    rows = writer.savable(save, rows)
    info = writer.info(save)
    everything = save.condition is None or save.condition == "true"
    if not rows and (info is None or not spared_rows):
        work.delete_all = True
        work.drop = info is not None and save.delete_empty_table and everything
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
                drop = f"ALTER TABLE {info.sql} DROP COLUMN {quote(column.name)}"
                yield Statement(drop, lenient=True)
                del info.columns[writer.dialect.fold(column.name)]
        unused = [column for column in unused if column.name in full]
    # A column that no row uses is emptied, as the rows are to be what the Store has.
    emptied = {column.name: column for column in unused}
    columns = {**chosen, **emptied}
    there: dict[str, Any] = {}
    several: set[str] = set()
    for row_id in (yield from writer.row_ids(save, info)):
        if there.setdefault(id_text(row_id), row_id) is not row_id:
            several.add(id_text(row_id))
    for row_id in sorted(several & rows.keys()):
        writer.refuse(save, row_id, SEVERAL_ROWS)
    known = rows.keys() | spared_rows | several
    work.deleted = [row_id for text, row_id in there.items() if text not in known]
    all_ids = tuple(columns)
    groups: dict[tuple[str, ...], list[tuple[Any, Sequence[Any]]]] = {all_ids: []}
    whole = groups[all_ids]
    for row_id, row in writer.savable_cells(save, rows, chosen).items():
        if row_id in several:
            continue
        ids, group = all_ids, whole
        if row_id in spared:
            ids = tuple(cell_id for cell_id in ids if cell_id in row or cell_id not in spared[row_id])
            group = groups.setdefault(ids, [])
        group.append((there.get(row_id, row_id), [row.get(cell_id) for cell_id in ids]))
    work.groups = [([columns[cell_id] for cell_id in ids], group) for ids, group in groups.items()]


def _save_changes(
    writer: TableWriter,
    work: TableWork,
    rows: Mapping[str, Mapping[str, Any] | Undefined],
    kinds: Mapping[str, str],
) -> Plan[None]:
    """Write changed cells, delete deleted rows, and leave everything else alone."""
    save = work.save
    rows = writer.savable(save, rows)
    stored = yield from writer.stored_ids(save, rows)
    others = yield from writer.ids_of_others(save, list(rows))
    for row_id in sorted(others):
        if not isinstance(rows[row_id], Undefined):  # otherwise it is gone, and the other stays
            writer.refuse(save, row_id, OTHER_FORM)
    if writer.refused or others:
        rows = {
            row_id: row
            for row_id, row in rows.items()
            if row_id not in others and ("row", save.table_name, row_id) not in writer.refused
        }
    work.deleted = [stored.get(row_id, row_id) for row_id, row in rows.items() if isinstance(row, Undefined)]
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
    groups: dict[tuple[str, ...], list[tuple[Any, Sequence[Any]]]] = {}
    emptied: list[Any] = []
    for row_id, row in writer.savable_cells(save, written, chosen).items():
        ids = tuple(cell_id for cell_id in row if cell_id in chosen)
        if not ids:
            continue
        stored_id = stored.get(row_id, row_id)
        groups.setdefault(ids, []).append((stored_id, [row[cell_id] for cell_id in ids]))
        if all(isinstance(cell, Undefined) for cell in row.values()):
            emptied.append(stored_id)
    work.groups = [([chosen[cell_id] for cell_id in ids], group) for ids, group in groups.items()]
    work.emptied = emptied


def _values_save(config: TablesConfig) -> TableSave:
    whole = config.values.save is True
    return TableSave(config.values.table_name, delete_empty_columns=whole, delete_empty_table=whole)


def save_content_plan(
    dialect: Dialect,
    config: TablesConfig,
    kinds: Mapping[str, Mapping[str, str]],
    content: StoredContent,
    not_loaded: NotLoaded,
    *,
    checked: bool = False,
) -> Plan[Saved]:
    """Make the tables hold the content, and nothing else where conditions do not say otherwise.

    Args:
        dialect: The kind of database.
        config: What goes where.
        kinds: Types of cells by table and cell id, as the Store's schema says; values under ``""``.
        content: The content.
        not_loaded: What the database has and the Store could not take; it stays there.
        checked: Whether to look for what the database would refuse where the transaction is committed.
    """

    def works(writer: TableWriter, done: list[TableWork]) -> Plan[None]:
        yield from writer.prepare(config.tables_saved())
        for table_id, save in config.saves().items():
            work = TableWork(table_id, save)
            plan = _save_rows(
                writer,
                work,
                content[0].get(table_id, {}),
                kinds.get(table_id, {}),
                not_loaded.cells.get(table_id, {}),
                not_loaded.rows.get(table_id, set()),
            )
            yield from _add(writer, work, plan, done)
        if config.values.save:
            values: Mapping[str, Any] = content[1]
            work = TableWork("", _values_save(config))
            if config.values.save is True:
                rows = {VALUES_ROW_ID: values} if values else {}
                spared = {VALUES_ROW_ID: not_loaded.values} if not_loaded.values else {}
                plan = _save_rows(writer, work, rows, kinds.get("", {}), spared, spared.keys())
            else:
                wanted = dict.fromkeys(
                    id_ for id_ in config.values.save if id_ in values or id_ not in not_loaded.values
                )
                row = {value_id: values.get(value_id, Undefined.UNDEFINED) for value_id in wanted}
                plan = _save_changes(writer, work, {VALUES_ROW_ID: row}, kinds.get("", {}))
            yield from _add(writer, work, plan, done)

    return (yield from _save(dialect, config, works, checked))


def save_changes_plan(
    dialect: Dialect,
    config: TablesConfig,
    kinds: Mapping[str, Mapping[str, str]],
    changes: StoredChanges,
    *,
    checked: bool = False,
) -> Plan[Saved]:
    """Write changes; arguments as for :func:`save_content_plan`."""
    saves = {table_id: save for table_id, save in config.saves().items() if table_id in changes[0]}
    values = changes[1]
    if config.values.save is not True:
        wanted = set(config.values.save or ())
        values = {value_id: value for value_id, value in values.items() if value_id in wanted}
    names = [save.table_name for save in saves.values()]

    def works(writer: TableWriter, done: list[TableWork]) -> Plan[None]:
        yield from writer.prepare([*names, config.values.table_name] if values else names)
        for table_id, save in saves.items():
            rows = changes[0][table_id]
            if isinstance(rows, Undefined):
                done.append(TableWork(table_id, save, delete_all=True))
            else:
                work = TableWork(table_id, save)
                plan = _save_changes(writer, work, rows, kinds.get(table_id, {}))
                yield from _add(writer, work, plan, done)
        if values:
            work = TableWork("", _values_save(config))
            plan = _save_changes(writer, work, {VALUES_ROW_ID: values}, kinds.get("", {}))
            yield from _add(writer, work, plan, done)

    return (yield from _save(dialect, config, works, checked))


def _add(writer: TableWriter, work: TableWork, plan: Plan[None], done: list[TableWork]) -> Plan[None]:
    try:
        yield from plan
    except (StorageError, RefusedError) as error:
        writer.refuse_table(work.save, error)
    else:
        done.append(work)


def _save(dialect: Dialect, config: TablesConfig, works: Works, checked: bool) -> Plan[Saved]:
    broken: dict[tuple[str, str], str] = {}
    shut: dict[str, str] = {}  # tables that cannot be written as a whole, to the reason
    while True:
        writer = TableWriter(dialect)
        done: list[TableWork] = []
        if checked:
            yield Statement("SAVEPOINT weft_save") if dialect.at_once is None else dialect.at_once
        yield from works(writer, done)
        if not checked and any(key.deferrable for key in writer.keys):
            yield dialect.defer
        if checked and dialect.at_once is None:
            for work in done:
                if (reason := shut.get(work.save.table_name)) is not None:
                    writer.refuse_table(work.save, StorageError(reason))
            yield from _without_broken(writer, done, broken)
        read = yield from _write(writer, config, done)
        if checked and dialect.at_once is None:
            found = yield from broken_keys(writer, done)
            if found:
                if found.keys() <= broken.keys():  # left out already, under another form of its id
                    rows = "; ".join(f"row {id_!r} of table {name!r}" for name, id_ in found)
                    reason = f"the keys of the database refuse what cannot be left out: {rows}"
                    if {name for name, _ in found} <= shut.keys():
                        raise StorageError(reason)
                    shut |= {name: f"table {name!r} is not saved: {reason}" for name, _ in found}
                broken |= found
                yield Statement("ROLLBACK TO weft_save")
                yield Statement("RELEASE weft_save")
                continue
            yield Statement("RELEASE weft_save")
        acts = {key.parent for key in writer.keys if key.acts}
        others = any(
            (work.deleted or work.delete_all) and dialect.fold(work.save.table_name) in acts for work in done
        )
        return Saved(writer.left_out, writer.refused, read, others)


def _write(writer: TableWriter, config: TablesConfig, works: Sequence[TableWork]) -> Plan[Read]:
    """Write all of it; what a trigger does not let in is left out, with all that it did instead."""
    if not any(info.keeps_out for info in writer.schema.values()):
        yield from write_tables(writer, works)
        return (yield from read_back(writer, config, works))[0]
    while True:
        schema, refused = dict(writer.schema), dict(writer.refused)
        yield Statement("SAVEPOINT weft_write")
        yield from write_tables(writer, works)
        read, not_kept = yield from read_back(writer, config, works)
        if not_kept:
            yield Statement("ROLLBACK TO weft_write")
        yield Statement("RELEASE weft_write")
        if not not_kept:
            return read
        writer.schema, writer.refused = schema, refused
        for work in works:
            _leave_out(writer, work, not_kept)


def _without_broken(
    writer: TableWriter, works: Sequence[TableWork], broken: Mapping[tuple[str, str], str]
) -> Plan[None]:
    """Leave out what would break a foreign key at the end."""
    for work in works:
        if work.delete_all:
            info = writer.info(work.save)
            work.deleted = [] if info is None else (yield from writer.row_ids(work.save, info))
            work.delete_all = False
        _leave_out(writer, work, broken)


def _leave_out(writer: TableWriter, work: TableWork, refused: Mapping[Any, str]) -> None:
    """Take rows, by table name and row id, out of what is to be done; the writer notes why."""
    name = work.save.table_name

    def is_refused(row_id: Any) -> bool:
        return (name, id_text(row_id)) in refused

    for row_id in filter(is_refused, work.deleted):
        writer.refuse(work.save, row_id, refused[name, id_text(row_id)], "deleted")
    for row_id in filter(is_refused, work.written()):
        writer.refuse(work.save, row_id, refused[name, id_text(row_id)])
    work.deleted = [row_id for row_id in work.deleted if not is_refused(row_id)]
    work.emptied = [row_id for row_id in work.emptied if not is_refused(row_id)]
    work.groups = [
        (columns, [row for row in rows if not is_refused(row[0])]) for columns, rows in work.groups
    ]
