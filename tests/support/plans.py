"""Running plans of the database persisters on Python's own SQLite, with no persister in sight."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from weft.persisters.sql.dialect import Statement

__all__ = ["connected", "run_plan"]

R = TypeVar("R")


def connected(*statements: str) -> sqlite3.Connection:
    """A database in memory in which these statements have run."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    for statement in statements:
        db.execute(statement)
    return db


def run_plan(
    db: sqlite3.Connection,
    plan: Generator[Statement, list[Sequence[Any]], R],
    ran: list[Statement] | None = None,
) -> R:
    """Run the statements of a plan, giving it their rows; its result."""
    rows: list[Any] | None = None
    while True:
        try:
            statement = next(plan) if rows is None else plan.send(rows)
        except StopIteration as end:
            result: R = end.value
            return result
        if ran is not None:
            ran.append(statement)
        run = db.executemany if statement.many else db.execute
        rows = run(statement.sql, statement.params).fetchall()
