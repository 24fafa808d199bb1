"""Keeping the whole content as JSON text in one cell of a database: TinyBase's JSON mode.

TinyBase 10.0.1: one row, whose id is ``_``, in a table of two columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weft._support.arguments import wrong_kind
from weft.errors import StorageError
from weft.persisters._text.json_text import stored_text, version_of
from weft.persisters._text.persister import ANY, ConflictError
from weft.persisters.sql.dialect import Statement
from weft.persisters.sql.load import read_schema
from weft.persisters.sql.names import quote, quote_table

if TYPE_CHECKING:
    from weft.persisters.sql.dialect import Dialect, Plan

__all__ = ["JsonCell", "fetch_plan", "put_plan"]

_ROW_ID = "_"


@dataclass(frozen=True, slots=True)
class JsonCell:
    """Where the text is.

    Attributes:
        store_table_name: The table.
        store_id_column_name: Column of the row id.
        store_column_name: Column of the text.
    """

    store_table_name: str = "tinybase"
    store_id_column_name: str = "_id"
    store_column_name: str = "store"

    def __post_init__(self) -> None:
        quote_table(self.store_table_name)
        quote(self.store_id_column_name)
        quote(self.store_column_name)

    @classmethod
    def of(cls, cell: str | JsonCell | None) -> JsonCell:
        """The cell that is meant: one, just the name of its table, or TinyBase's."""
        if isinstance(cell, JsonCell):
            return cell
        if cell is not None and not isinstance(cell, str):
            raise wrong_kind("a weft.persisters.JsonCell, or the name of its table,", cell)
        return cls() if cell is None else cls(cell)

    @property
    def columns(self) -> tuple[str, str]:
        """The names of its columns."""
        return self.store_id_column_name, self.store_column_name


def fetch_plan(dialect: Dialect, cell: JsonCell) -> Plan[tuple[bytes | None, bytes | None]]:
    """Read the text and its version."""
    schema = yield from read_schema(dialect, [cell.store_table_name])
    info = schema.get(dialect.fold(cell.store_table_name))
    if info is None:
        return None, None
    if dialect.fold(cell.store_id_column_name) not in info.columns:
        raise StorageError(f"table {info.name!r} has no column {cell.store_id_column_name!r}")
    if dialect.fold(cell.store_column_name) not in info.columns:
        return None, None  # who watches a table that is not there makes it with its row ids alone
    column = info.columns[dialect.fold(cell.store_column_name)]
    rows = yield Statement(
        f"SELECT {dialect.read(quote(column.name), column.type)} FROM {info.sql}"
        f" WHERE {quote(cell.store_id_column_name)}={dialect.mark(1)}",
        (_ROW_ID,),
    )
    if not rows or rows[0][0] is None:
        return None, None
    data = stored_text(rows[0][0], f"table {info.name!r}")
    return data, version_of(data)


def put_plan(dialect: Dialect, cell: JsonCell, data: bytes, expected: object) -> Plan[bytes | None]:
    """Replace the text, if it still has the expected version.

    Raises:
        ConflictError: It has another.
    """
    if expected is not ANY:
        _, version = yield from fetch_plan(dialect, cell)
        if version != expected:
            raise ConflictError(f"another wrote the table {cell.store_table_name!r}")
    schema = yield from read_schema(dialect, [cell.store_table_name])
    table = quote_table(cell.store_table_name)
    id_name, name = quote(cell.store_id_column_name), quote(cell.store_column_name)
    kind = dialect.id_type
    info = schema.get(dialect.fold(cell.store_table_name))
    if info is not None and dialect.fold(cell.store_column_name) not in info.columns:
        strict = yield from dialect.is_strict(info)
        column = dialect.new_column(None, strict=True) if strict else kind
        yield Statement(f"ALTER TABLE {table} ADD {name} {column}".rstrip())
    if info is None:
        yield Statement(
            f"CREATE TABLE {table}({id_name} {kind} PRIMARY KEY,{name} {kind})".replace("  ", " ")
        )
    text = data.decode()
    exists = yield Statement(f"SELECT 1 FROM {table} WHERE {id_name}={dialect.mark(1)}", (_ROW_ID,))
    if exists:
        yield Statement(
            f"UPDATE {table} SET {name}={dialect.mark(1)} WHERE {id_name}={dialect.mark(2)}", (text, _ROW_ID)
        )
    else:
        yield Statement(
            f"INSERT INTO {table}({id_name},{name}) VALUES({dialect.mark(1)},{dialect.mark(2)})",
            (_ROW_ID, text),
        )
    return version_of(data)
