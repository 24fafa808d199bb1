"""What all databases have in common: whose writes are news, how a watch looks, and how a plan runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from weft.persisters._core.polling import Polling
from weft.persisters.sql.database import Database, RunningPlan
from weft.persisters.sql.dialect import Statement
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft.persisters.sql.dialect import Plan

R = TypeVar("R")


def counted() -> Plan[int]:
    rows = yield Statement("SELECT 1")
    more = yield Statement("SELECT 2", (2,))
    return len(rows) + len(more)


def nothing() -> Plan[str]:
    yield from ()
    return "done"


def test_a_plan_is_given_the_rows_of_each_statement_and_has_a_result() -> None:
    running = RunningPlan(counted())
    ran: list[Statement] = []
    while (statement := running.next_statement()) is not None:
        ran.append(statement)
        running.rows = [("row",)] * len(ran)
    assert ran == [Statement("SELECT 1"), Statement("SELECT 2", (2,))]
    assert running.result == 3


def test_a_plan_may_have_no_statement_and_may_fail() -> None:
    running = RunningPlan(nothing())
    assert running.next_statement() is None
    assert running.result == "done"

    def failing() -> Plan[None]:
        yield Statement("SELECT 1")
        raise LookupError

    failed = RunningPlan(failing())
    assert failed.next_statement() == Statement("SELECT 1")
    failed.rows = []
    with pytest.raises(LookupError):
        failed.next_statement()
    assert not hasattr(failed, "result")


class Counter(Database):
    """A database that is a number of commits."""

    queue = None

    def __init__(self) -> None:
        self.commits = 0

    async def _run(
        self, plan: Callable[[], Plan[R]], checked: Callable[[], Plan[R]] | None
    ) -> tuple[R, object, object]:
        running, before = RunningPlan(plan()), self.commits
        while running.next_statement() is not None:
            rows: list[Sequence[Any]] = []
            running.rows = rows
        self.commits += checked is not None
        return running.result, before, self.commits

    async def _look(self) -> object:
        return self.commits

    async def close(self) -> None: ...


async def test_ones_own_writes_are_no_news_and_hide_no_others() -> None:
    database = Counter()
    assert await database.read(counted) == 0
    assert not await database.changed()
    assert await database.write(nothing) == "done"
    assert not await database.changed()
    database.commits += 1
    assert await database.changed()
    await database.write(nothing)
    assert await database.changed()
    await database.read(nothing)
    assert not await database.changed()


async def test_where_a_database_cannot_tell_a_watch_is_its_polling() -> None:
    looks, told, errors = list[None](), list[None](), list[Exception]()

    async def look() -> None:
        looks.append(None)

    polling = await Counter().watch(Polling(0.001, look, errors.append), lambda: told.append(None))
    await until(lambda: len(looks) > 2)
    await polling.stop()
    assert told == errors == []
