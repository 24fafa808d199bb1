"""Identifiers and conditions in SQL text: the only place where text of others enters a statement.

Everything else travels as parameters. TinyBase splits names at dots into schema and table; here a name is
one name, whatever is in it.
"""

from __future__ import annotations

from typing import Final

__all__ = ["TABLE_NAME", "check_name", "quote", "with_table_name"]

TABLE_NAME: Final = "$tableName"
"""What a condition says for the table it is about (TinyBase's word)."""


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


def with_table_name(condition: str, table: str) -> str:
    """Put a table's quoted name into a condition, which is SQL of the program's own and trusted."""
    return condition.replace(TABLE_NAME, quote(table))
