"""What somebody typed, as a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.errors import DataError, InvalidJsonError
from weft.jsoncodec import loads
from weft.notebook.page import kind_of
from weft.values import UNDEFINED, json_equal

if TYPE_CHECKING:
    from weft.store import CellSchema, Store
    from weft.values import Cell, Undefined

__all__ = ["edit_cell"]

_KINDS = {"string": "text", "number": "number", "boolean": "truth", "array": "json", "object": "json"}


def edit_cell(store: Store, table_id: str, row_id: str, cell_id: str, text: str) -> None:
    """Set a cell of a row that is there to what somebody typed.

    It is read as the schema says, or else as the kind of cell that is there: text as it is, all else as in
    JSON. Where neither says anything it is text unless it can be read as JSON. Nothing at all deletes the
    cell, unless it may be text.

    Raises:
        DataError: It is nothing of that kind, the schema refuses it, or the row is gone. Nothing was changed.
    """
    if not store.has_row(table_id, row_id):
        raise DataError("the row was deleted meanwhile")
    rule = store.get_tables_schema().get(table_id, {}).get(cell_id, {})
    cell = _cell_of(text, _kinds(rule, store.get_cell(table_id, row_id, cell_id)))
    if cell is UNDEFINED:
        if rule.get("required"):
            raise DataError("the schema requires this cell")
        store.del_cell(table_id, row_id, cell_id)
        return
    store.set_cell(table_id, row_id, cell_id, cell)
    # A Store that ignores what is invalid says nothing.
    if not json_equal(store.get_cell(table_id, row_id, cell_id), cell):
        raise DataError("the Store did not take it")


def _kinds(rule: CellSchema, present: Cell) -> set[str] | None:
    """Give the kinds that a cell may be of; ``None`` for any."""
    if "enum" in rule:
        return {kind_of(choice) for choice in rule["enum"]}
    if "type" in rule:
        types = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
        return {_KINDS[name] for name in types}
    return None if present is None else {kind_of(present)}


def _cell_of(text: str, kinds: set[str] | None) -> Cell | Undefined:
    may_be_text = kinds is not None and "text" in kinds
    if not text.strip() and not may_be_text:
        return UNDEFINED
    try:
        cell: Cell = loads(text)
    except InvalidJsonError:
        cell = text
    if isinstance(cell, str) and (kinds is None or may_be_text):
        return text
    kind = kind_of(cell)
    if kinds is None or kind in kinds or (kind == "null" and not may_be_text):
        return cell
    if may_be_text:
        return text
    names = {"number": "a number", "truth": "true or false", "json": "a list or an object in JSON"}
    raise DataError(f"this must be {' or '.join(names[kind] for kind in sorted(kinds))}")
