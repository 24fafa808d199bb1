"""The triggers that tell of changes: one for each table, and a function that does nothing but notify."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.persisters.postgres.notifications import CHANNEL
from weft.persisters.sql.dialect import Statement
from weft.persisters.sql.names import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weft.persisters.sql.dialect import Plan

__all__ = ["trigger_plan"]

_FUNCTION = f"""
    CREATE FUNCTION {CHANNEL}() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_notify(''{CHANNEL}'', TG_TABLE_SCHEMA || ''.'' || TG_TABLE_NAME); RETURN NULL; END'
"""
_FUNCTION_IS_THERE = """
    SELECT current_schema()::text, EXISTS(SELECT 1 FROM pg_proc
        WHERE proname = $1 AND pronamespace = current_schema()::regnamespace AND pronargs = 0)
"""
_TABLES_WITHOUT = """
    SELECT relname::text, relkind IN ('r', 'p') AND NOT EXISTS(
        SELECT 1 FROM pg_trigger WHERE tgname = $1 AND tgrelid = c.oid)
    FROM pg_class c WHERE relnamespace = current_schema()::regnamespace AND relname = ANY($2::text[])
"""


def trigger_plan(
    tables: Mapping[str, str],
) -> Plan[tuple[str, bool]]:
    """Make what is missing; the schema, and whether anything was.

    What is there is not touched: that takes rights which a program may not have.
    """
    ((schema, function),) = yield Statement(_FUNCTION_IS_THERE, (CHANNEL,))
    there: dict[str, bool] = dict((yield Statement(_TABLES_WITHOUT, (CHANNEL, list(tables)))))  # type: ignore[arg-type]
    missing = [table for table in tables if there.get(table, True)]
    if missing and not function:
        yield Statement(_FUNCTION)
    for table in missing:
        name = quote(table)
        if table not in there:
            yield Statement(f"CREATE TABLE {name}({quote(tables[table])} text PRIMARY KEY)")
        yield Statement(
            f"CREATE TRIGGER {CHANNEL} AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {name}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {CHANNEL}()"
        )
    return schema, bool(missing)
