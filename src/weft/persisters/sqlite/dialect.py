"""SQLite's side of a plan: types, names, and what the schema says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from weft.jsoncodec import dumps, parse
from weft.persisters.sql.dialect import OTHER_FORM, Dialect, Statement
from weft.persisters.sql.load import id_text
from weft.persisters.sql.names import quote
from weft.values import EncodedCell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from weft.persisters.sql.dialect import Column, Plan, TableInfo

__all__ = ["SqliteDialect"]

_ROW_ID_NAMES = frozenset({"rowid", "oid", "_rowid_"})
# https://sqlite.org/datatype3.html: which declared types keep text (3.1), and what the others convert (3).
_KEEPS_TEXT = re.compile(r"^(?!.*INT).*(?:CHAR|CLOB|TEXT|BLOB)")
_NUMBER = re.compile(r"[ \t-\r]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t-\r]*")
_ONE_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
# What follows the columns of a table: WITHOUT ROWID, STRICT, comments.
_STRICT = re.compile(r"\bSTRICT\b[^()'\"]*$", re.IGNORECASE)
_UPPER_TO_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


class SqliteDialect(Dialect):
    """SQLite 3.35 and later.

    Columns without a type, which TinyBase makes, take any cell as it is; booleans come back from them as 1
    and 0. A column declared ``BOOLEAN`` gives booleans, one declared ``JSON`` holds JSON text.
    """

    max_columns = 2000  # SQLITE_MAX_COLUMN
    id_type = ""
    defer = Statement("PRAGMA defer_foreign_keys=ON")

    def mark(self, number: int, column_type: str = "") -> str:
        """Plain marks: numbered ones with sequences are deprecated in Python 3.12."""
        return "?"

    def read(self, quoted: str, column_type: str) -> str:
        """An expression has no declared type: a connection made with ``detect_types`` would convert by it."""
        return f"+{quoted}" if column_type else quoted

    def fold(self, name: str) -> str:
        """Names that differ only in the case of ASCII letters are one."""
        return name.translate(_UPPER_TO_LOWER)

    def refusal(self, name: str, *, table: bool) -> str | None:
        """Names that SQLite keeps for itself."""
        folded = self.fold(name)
        if table and folded.startswith("sqlite_"):
            return "SQLite keeps names that begin with sqlite_ for itself"
        if not table and folded in _ROW_ID_NAMES:
            return "SQLite's own row ids have this name"
        return None

    def refused_rows(self, row_ids: Iterable[str], column_type: str) -> Mapping[str, str]:
        """A column that makes numbers of text takes several texts for one id."""
        if not column_type or _KEEPS_TEXT.search(column_type):
            return {}
        return {
            row_id: OTHER_FORM
            for row_id in row_ids
            if _ONE_INTEGER.fullmatch(row_id) is None
            and _NUMBER.fullmatch(row_id)
            and id_text(float(row_id)) != row_id
        }

    def stored_ids(
        self, info: TableInfo, id_column: Column, row_ids: Iterable[str]
    ) -> Plan[dict[str, list[Any]]]:
        """Numbers in a column without a type, which may hold ``7`` and ``'7'`` and calls them different."""
        stored: dict[str, list[Any]] = {}
        if id_column.type and "BLOB" not in id_column.type:
            return stored
        name = quote(id_column.name)
        # Numbers come before all text: an index says at once that there is none.
        if not (yield Statement(f"SELECT 1 FROM {info.sql} WHERE {name}<'' LIMIT 1", lenient=True)):
            return stored
        sql = f"SELECT {name} FROM {info.sql} WHERE {name}=? OR {name}=CAST(? AS NUMERIC)"
        for row_id in row_ids:
            if _NUMBER.fullmatch(row_id):
                rows = yield Statement(sql, (row_id, row_id), lenient=True)
                found = [row[0] for row in rows if id_text(row[0]) == row_id]
                if any(not isinstance(there, str) for there in found):
                    stored[row_id] = found
        return stored

    def schema(self, tables: Sequence[str], schema: str = "") -> list[Statement]:
        """Tables and views, of the main database or of one that is attached."""
        place, of = _place(schema)
        wanted = f"s.type IN ('table','view') AND lower(s.name) IN ({','.join('?' * len(tables))})"
        return [
            Statement(
                # By CASE and not by AND, of which SQLite would work out both sides.
                "SELECT s.name,c.name,CASE c.hidden WHEN 0 THEN c.type END,CASE c.pk WHEN 1"
                f" THEN (SELECT max(o.pk) FROM pragma_table_info(s.name{of}) o)=1 ELSE 0 END,"
                'c."notnull" AND c.dflt_value IS NULL,c.dflt_value IS NOT NULL,'
                "s.sql LIKE '%COLLATE%',1"
                f" FROM {place} s,pragma_table_xinfo(s.name{of}) c WHERE {wanted}",
                tables,
            ),
            Statement(
                f"SELECT s.name,(SELECT i.name FROM pragma_index_info(l.name{of}) i),NULL,1,0,0,0,1"
                f" FROM {place} s,pragma_index_list(s.name{of}) l"
                f" WHERE {wanted} AND l.\"unique\" AND NOT l.partial AND l.origin<>'pk'"
                f" AND (SELECT count(*) FROM pragma_index_info(l.name{of}))=1"
                f" AND (SELECT i.cid FROM pragma_index_info(l.name{of}) i)>=0",
                tables,
            ),
        ]

    def relations(self, tables: Sequence[str], schema: str = "") -> Statement:
        """Foreign keys, where they are on, and triggers."""
        place, of = _place(schema)
        marks = ",".join("?" * len(tables))
        return Statement(
            'SELECT s.name,f.id,f."table",f.on_delete,f."from",coalesce(f."to",(SELECT k.name FROM'
            f' pragma_table_info(f."table"{of}) k WHERE k.pk=f.seq+1)),1'
            f" FROM {place} s,pragma_foreign_key_list(s.name{of}) f"
            " WHERE (SELECT foreign_keys FROM pragma_foreign_keys) AND s.type='table'"
            f' AND (lower(s.name) IN ({marks}) OR lower(f."table") IN ({marks}))'
            f" UNION ALL SELECT tbl_name,NULL,NULL,NULL,NULL,NULL,1 FROM {place}"
            f" WHERE type='trigger' AND lower(tbl_name) IN ({marks})",
            [*tables, *tables, *tables],
        )

    def is_strict(self, info: TableInfo) -> Plan[bool]:
        """Read it off the table's text: SQLite before 3.37 has no ``pragma_table_list``, which says it."""
        table = info.name.removeprefix(f"{info.schema}.") if info.schema else info.name
        place, _ = _place(info.schema)
        rows = yield Statement(
            f"SELECT sql FROM {place} WHERE type='table' AND name=?", (table,), lenient=True
        )
        return bool(rows) and _STRICT.search(rows[0][0] or "") is not None

    def new_column(self, kind: str | None, *, strict: bool = False) -> str:
        """Booleans of the schema keep their type; all else is untyped, as TinyBase makes it."""
        if strict:
            return "ANY"
        return "BOOLEAN" if kind == "boolean" else ""

    def encoder(self, column_type: str) -> Callable[[Any], Any] | None:
        """Write JSON text into JSON columns."""
        return _json_text if column_type == "JSON" else None

    def decoder(self, column_type: str) -> Callable[[Any], Any] | None:
        """Read booleans and JSON where the column says so."""
        if column_type.startswith("BOOL"):
            return _boolean
        return _from_json if column_type == "JSON" else None


def _place(schema: str) -> tuple[str, str]:
    """Where the schema of a database is, and the further argument of pragmas that it takes."""
    if not schema:
        return "sqlite_schema", ""
    return f"{quote(schema)}.sqlite_schema", ",'{}'".format(schema.replace("'", "''"))


def _json_text(cell: Any) -> str:
    return str(cell)[1:] if isinstance(cell, EncodedCell) else dumps(cell)


def _from_json(value: Any) -> Any:
    """Read a JSON column; SQLite makes numbers of JSON text that is one, and anybody may write anything."""
    if not isinstance(value, str):
        return value
    try:
        return parse(value)
    except (ValueError, RecursionError):
        return value


def _boolean(value: Any) -> Any:
    return bool(value) if value in {0, 1} and not isinstance(value, bytes) else value
