"""The triggers that tell of changes: one for each table, and a function that does nothing but notify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weft.persisters.postgres.notifications import CHANNEL
from weft.persisters.sql.dialect import Statement
from weft.persisters.sql.names import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weft.persisters.sql.dialect import Plan

__all__ = ["Triggers", "trigger_plan"]

_FUNCTION = f"""
    CREATE FUNCTION {CHANNEL}() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_notify(''{CHANNEL}'', TG_TABLE_SCHEMA || ''.'' || TG_TABLE_NAME); RETURN NULL; END'
"""
_FUNCTION_IS_THERE = """
    SELECT current_schema()::text, EXISTS(SELECT 1 FROM pg_proc
        WHERE proname = $1 AND pronamespace = current_schema()::regnamespace AND pronargs = 0)
"""
# With the partitions and other tables that inherit from them: a statement trigger tells only of statements
# that name its own table.
_TABLES = """
    WITH RECURSIVE found(oid, top) AS (
        SELECT c.oid, TRUE FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY($2::text[])
        UNION
        SELECT i.inhrelid, FALSE FROM pg_inherits i JOIN found f ON i.inhparent = f.oid
    )
    SELECT n.nspname::text, c.relname::text, bool_or(f.top), c.relkind IN ('r', 'p') AND NOT EXISTS(
        SELECT 1 FROM pg_trigger t WHERE t.tgname = $1 AND t.tgrelid = c.oid)
    FROM found f JOIN pg_class c ON c.oid = f.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    GROUP BY c.oid, n.nspname, c.relname, c.relkind
"""


@dataclass(frozen=True, slots=True)
class Triggers:
    """What there is to hear of.

    Attributes:
        tables: The tables and their partitions, each with its schema, as notifications name them.
        made: Whether any trigger was missing.
    """

    tables: frozenset[str]
    made: bool


def trigger_plan(tables: Mapping[str, str]) -> Plan[Triggers]:
    """Make what is missing.

    What is there is not touched: that takes rights which a program may not have.

    Args:
        tables: Those to hear of, each with the name of its row id column.
    """
    ((schema, function),) = yield Statement(_FUNCTION_IS_THERE, (CHANNEL,))
    found = yield Statement(_TABLES, (CHANNEL, list(tables)))
    there = {table for _, table, top, _ in found if top}
    without = [(schema_, table) for schema_, table, _, missing in found if missing]
    absent = [(schema, table) for table in tables if table not in there]
    if (without or absent) and not function:
        yield Statement(_FUNCTION)
    for _, table in absent:
        yield Statement(f"CREATE TABLE {quote(table)}({quote(tables[table])} text PRIMARY KEY)")
    for schema_, table in [*without, *absent]:
        yield Statement(
            f"CREATE TRIGGER {CHANNEL} AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE"
            f" ON {quote(schema_)}.{quote(table)} FOR EACH STATEMENT EXECUTE FUNCTION {CHANNEL}()"
        )
    names = {f"{schema_}.{table}" for schema_, table, *_ in found} | {
        f"{schema}.{table}" for _, table in absent
    }
    return Triggers(frozenset(names), bool(without or absent))
