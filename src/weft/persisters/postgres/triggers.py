"""The triggers that tell of changes: one for each table, and a function that does nothing but notify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weft.persisters.postgres.notifications import CHANNEL
from weft.persisters.sql.dialect import RefusedError, Statement
from weft.persisters.sql.names import quote, split_table

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
    WITH RECURSIVE found(oid) AS (
        SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN unnest($2::text[], $3::text[]) AS wanted(schema, name)
        ON n.nspname = wanted.schema AND c.relname = wanted.name
        UNION
        SELECT i.inhrelid FROM pg_inherits i JOIN found f ON i.inhparent = f.oid
    )
    SELECT n.nspname::text, c.relname::text, c.relkind IN ('r', 'p') AND NOT EXISTS(
        SELECT 1 FROM pg_trigger t WHERE t.tgname = $1 AND t.tgrelid = c.oid),
        has_table_privilege(c.oid, 'TRIGGER')
    FROM found f JOIN pg_class c ON c.oid = f.oid JOIN pg_namespace n ON n.oid = c.relnamespace
"""


@dataclass(frozen=True, slots=True)
class Triggers:
    """What there is to hear of.

    Attributes:
        tables: The tables and their partitions, each with its schema, as notifications name them.
        made: Whether any trigger was missing.
        refused: Partitions for which none may be made, each with the reason.
    """

    tables: frozenset[str]
    made: bool
    refused: Mapping[str, str]


def trigger_plan(tables: Mapping[str, str]) -> Plan[Triggers]:
    """Make what is missing.

    What is there is not touched: that takes rights which a program may not have. It may lack them for
    partitions alone, which then are heard of only through their parent.

    Args:
        tables: Those to hear of, each with the name of its row id column.
    """
    ((schema, function),) = yield Statement(_FUNCTION_IS_THERE, (CHANNEL,))
    # Row id columns by schema and table.
    wanted = {
        (named or schema, table): tables[name] for name in tables for named, table in [split_table(name)]
    }
    found = yield Statement(
        _TABLES, (CHANNEL, [place[0] for place in wanted], [place[1] for place in wanted])
    )
    there = {(place[0], place[1]) for place in found}
    refused: dict[str, str] = {}
    without: list[tuple[str, str]] = []
    for schema_, table, lacks, may in found:
        if lacks and not may and (schema_, table) not in wanted:
            # Not tried: that would wait for a lock, with all who write behind it, at each look.
            refused[f"{schema_}.{table}"] = f"permission denied for table {table}"
        elif lacks:
            without.append((schema_, table))
    absent = [place for place in wanted if place not in there]
    if (without or absent) and not function:
        yield Statement(_FUNCTION)
    for place in absent:
        yield Statement(f"CREATE TABLE {_sql(place)}({quote(wanted[place])} text PRIMARY KEY)")
    tried = len(refused)
    for place in [*without, *absent]:
        sql = (
            f"CREATE TRIGGER {CHANNEL} AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE"
            f" ON {_sql(place)} FOR EACH STATEMENT EXECUTE FUNCTION {quote(schema)}.{CHANNEL}()"
        )
        try:
            yield Statement(sql, lenient=place not in wanted)
        except RefusedError as error:
            refused[".".join(place)] = str(error)
    names = frozenset(".".join(place) for place in there | set(absent))
    return Triggers(names, len(without) + len(absent) > len(refused) - tried, refused)


def _sql(place: tuple[str, str]) -> str:
    return ".".join(map(quote, place))
