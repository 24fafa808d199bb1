"""PostgreSQL's side of a plan: types, names, and what the catalogue says.

TinyBase (10.0.1) makes columns of type ``text`` that hold each cell as JSON text, row ids apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from weft.jsoncodec import dumps, number_text, parse
from weft.persisters.postgres.notifications import CHANNEL
from weft.persisters.sql.dialect import OTHER_FORM, Dialect, Statement
from weft.persisters.sql.load import id_text
from weft.values import EncodedCell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["PostgresDialect"]

_JSON = frozenset({"JSON", "JSONB"})
# REAL is not among them: half as long as Python's numbers, 1.1 would come as 1.10000002384.
_NUMBERS = frozenset({"SMALLINT", "INTEGER", "BIGINT", "DOUBLE PRECISION"})
# What PostgreSQL takes for an id, and of that the one form in which it gives it back.
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*"), re.compile(r"0|-?[1-9][0-9]*")
_UUID = re.compile(r"[{0-9a-fA-F}-]{32,}"), re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FORMS = {"SMALLINT": _INTEGER, "INTEGER": _INTEGER, "BIGINT": _INTEGER, "UUID": _UUID}
# A NUL of JSON text, and not a backslash and what follows it.
_JSON_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

_SCHEMA = """
    SELECT c.relname, a.attname,
        CASE a.attgenerated WHEN '' THEN format_type(a.atttypid, a.atttypmod) END,
        a.attgenerated = '' AND EXISTS(
        SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indpred IS NULL
        AND i.indexprs IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum),
        a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', a.atthasdef OR a.attidentity <> '',
        format_type(a.atttypid, NULL) = 'citext' OR EXISTS(
        SELECT 1 FROM pg_collation o WHERE o.oid = a.attcollation AND NOT o.collisdeterministic),
        EXISTS(SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname <> $3)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'f') AND c.relnamespace = (
        SELECT n.oid FROM pg_namespace n WHERE n.nspname = coalesce($2::text, current_schema()::text))
    AND a.attnum > 0 AND NOT a.attisdropped AND c.relname = ANY($1::text[])
    ORDER BY a.attnum
"""

# Foreign keys have triggers too. Our own trigger, which changes nothing, is none of those asked for. Of the
# bits of tgtype (pg_trigger.h) 1 is FOR EACH ROW, 2 BEFORE and 64 INSTEAD OF: those can keep a row out.
_RELATIONS = """
    SELECT c.relname, k.oid::text, p.relname, k.confdeltype::text, a.attname, b.attname, k.condeferrable
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
    CROSS JOIN LATERAL unnest(k.conkey, k.confkey) pair(of, to_)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = pair.of
    JOIN pg_attribute b ON b.attrelid = p.oid AND b.attnum = pair.to_
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = coalesce($3::text, current_schema()::text)
    WHERE k.contype = 'f' AND k.conparentid = 0 AND p.relnamespace = c.relnamespace
    AND (c.relname = ANY($1::text[]) OR p.relname = ANY($1::text[]))
    UNION ALL
    SELECT c.relname, NULL, NULL, NULL, NULL, NULL, EXISTS(SELECT 1 FROM pg_trigger t
        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 1 = 1 AND t.tgtype & 66 <> 0)
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = coalesce($3::text, current_schema()::text)
    WHERE c.relname = ANY($1::text[])
    AND EXISTS(SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
    AND t.tgname <> $2)
"""


class PostgresDialect(Dialect):
    """PostgreSQL 12 and later, in the connection's current schema.

    Args:
        text: Whether columns of type ``text`` hold each cell as JSON text, as TinyBase's do, or text as it
            is. Of other types, ``varchar`` and its kin hold text, ``json`` and ``jsonb`` any cell,
            ``boolean`` and numbers what they say, and all others the text PostgreSQL writes for them.
    """

    max_name_bytes = 63
    max_columns = 1600
    id_type = "text"
    defer = Statement("SET CONSTRAINTS ALL DEFERRED")
    at_once = Statement("SET CONSTRAINTS ALL IMMEDIATE")

    def __init__(self, text: Literal["json", "plain"] = "json") -> None:
        self._text = text

    def mark(self, number: int, column_type: str = "") -> str:
        """Parameters are text, and PostgreSQL reads them as what the column is."""
        if column_type in {"", "TEXT"} or column_type.startswith("CHARACTER"):
            return f"${number}"  # a cast to ``character(3)`` would cut text off without a word
        kind = "bit varying" if column_type.startswith("BIT") else column_type.lower()  # likewise
        return f"${number}::text::{kind}"

    def row_id(self, row_id: Any) -> Any:
        """Text, as all parameters are: asyncpg takes no number for it."""
        return id_text(row_id)

    def read(self, quoted: str, column_type: str) -> str:
        """What Python has no number or boolean for is read as text."""
        native = column_type in {"", "TEXT", "BOOLEAN"} or column_type in _NUMBERS
        return quoted if native else f"{quoted}::text"

    def fold(self, name: str) -> str:
        """Quoted names differ in every character."""
        return name

    def refusal(self, name: str, *, table: bool) -> str | None:
        """System columns cannot be made."""
        if not table and name in {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}:
            return "PostgreSQL's own column has this name"
        return None

    def refused_rows(self, row_ids: Iterable[str], column_type: str) -> Mapping[str, str]:
        """Text cannot hold a NUL; and columns of integers and UUIDs take several texts for one id."""
        refused = {row_id: "NUL in its id" for row_id in row_ids if "\0" in row_id}
        if column_type in _FORMS:
            taken, given = _FORMS[column_type]
            refused |= {
                row_id: OTHER_FORM
                for row_id in row_ids
                if given.fullmatch(row_id) is None and taken.fullmatch(row_id)
            }
        return refused

    def cell_refusal(self, column_type: str) -> Callable[[str], str | None] | None:
        """JSON text has NUL as an escape, which ``jsonb`` alone refuses; other text cannot have it."""
        if column_type == "JSONB":
            return _nul_in_json
        return None if self._holds_json(column_type) else _nul_in_text

    def _holds_json(self, column_type: str) -> bool:
        return column_type in _JSON or (column_type in {"", "TEXT"} and self._text == "json")

    def schema(self, tables: Sequence[str], schema: str = "") -> list[Statement]:
        """Tables and views."""
        return [Statement(_SCHEMA, (list(tables), schema or None, CHANNEL))]

    def relations(self, tables: Sequence[str], schema: str = "") -> Statement:
        """Foreign keys and triggers."""
        return Statement(_RELATIONS, (list(tables), CHANNEL, schema or None))

    def new_column(self, kind: str | None, *, strict: bool = False) -> str:
        """As TinyBase makes them."""
        return "TEXT"

    def encoder(self, column_type: str) -> Callable[[Any], Any] | None:
        """Write a cell as text that the column can read."""
        if column_type in _JSON:
            return _json_value
        return _json_text if self._holds_json(column_type) else _plain_text

    def decoder(self, column_type: str) -> Callable[[Any], Any] | None:
        """Read JSON text, and numbers of any size."""
        if self._holds_json(column_type):
            return _from_json
        return _number if column_type.startswith(("NUMERIC", "REAL")) else None


def _nul_in_text(text: str) -> str | None:
    return "it contains NUL" if "\0" in text else None


def _nul_in_json(text: str) -> str | None:
    inner = isinstance(text, EncodedCell) and _JSON_NUL.search(text) is not None
    return "it contains NUL" if inner or "\0" in text else None


def _json_text(cell: Any) -> str:
    # A list or object keeps its stored form, a string, in TinyBase's columns.
    return dumps(str(cell)) if isinstance(cell, EncodedCell) else dumps(cell)


def _json_value(cell: Any) -> str:
    return str(cell)[1:] if isinstance(cell, EncodedCell) else dumps(cell)


def _plain_text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return cell if isinstance(cell, str) else number_text(cell)


def _from_json(value: Any) -> Any:
    try:
        return parse(value)
    except (ValueError, RecursionError):
        return value  # of a program that writes text as it is


def _number(value: str) -> Any:
    try:
        return parse(value)
    except ValueError:
        return value
