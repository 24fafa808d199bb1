"""Identifiers and conditions in SQL text: the only place where text of others enters a statement.

Everything else travels as parameters. A name is one name, whatever is in it; but that of a table may have its
schema before it, ``app.pets``, as in TinyBase, and then a part that has a dot in it stands in double quotes.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "TABLE_NAME",
    "check_name",
    "check_table",
    "quote",
    "quote_table",
    "split_table",
    "with_table_name",
]

TABLE_NAME: Final = "$tableName"
"""What a condition says for the table it is about (TinyBase's word)."""

_PART = r'"(?:[^"]|"")+"|[^".][^.]*'
_TABLE = re.compile(rf"(?:({_PART})\.)?({_PART})", re.DOTALL)


def check_name(name: str, *, max_bytes: int | None = None) -> str | None:
    """Say why a name cannot be an identifier, or ``None`` where it can.

    Args:
        name: The name.
        max_bytes: PostgreSQL cuts longer names off, so that two become one.
    """
    if not name:
        return "a name in a database cannot be empty"
    if "\0" in name:
        return "a name in a database cannot contain NUL"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "a name in a database cannot contain lone surrogates"
    if max_bytes is not None and size > max_bytes:
        return f"a name in this database can be {max_bytes} bytes long, not {size}"
    return None


def quote(name: str) -> str:
    """Quote one identifier (SQL:2016, ``<delimited identifier>``); dots mean nothing in it.

    Raises:
        ValueError: It cannot be one; see :func:`check_name`.
    """
    reason = check_name(name)
    if reason is not None:
        raise ValueError(f"{name!r}: {reason}")
    return '"' + name.replace('"', '""') + '"'


def split_table(name: str) -> tuple[str, str]:
    """Split a table's name into its schema, empty where none is said, and the table.

    Raises:
        ValueError: It is neither ``table`` nor ``schema.table``.
    """
    match = _TABLE.fullmatch(name)
    if match is None:
        reason = check_name(name) or (
            'a table is named as table or schema.table; a part with a dot in it, or with " before it, stands'
            ' in double quotes: "a.b"'
        )
        raise ValueError(f"{name!r}: {reason}")
    schema, table = match.groups()
    return _unquoted(schema or ""), _unquoted(table)


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def check_table(name: str, *, max_bytes: int | None = None) -> str | None:
    """Say why a name cannot be that of a table, or ``None`` where it can; see :func:`check_name`."""
    try:
        schema, table = split_table(name)
    except ValueError as error:
        return str(error)
    reason = check_name(table, max_bytes=max_bytes)
    return reason or (check_name(schema, max_bytes=max_bytes) if schema else None)


def quote_table(name: str) -> str:
    """Quote a table's name by its parts."""
    schema, table = split_table(name)
    return f"{quote(schema)}.{quote(table)}" if schema else quote(table)


def with_table_name(condition: str, quoted_table: str) -> str:
    """Put a table's quoted name into a condition, which is SQL of the program's own and trusted."""
    return condition.replace(TABLE_NAME, quoted_table)
