from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from weft.errors import StorageError
from weft.persisters.sql.dialect import Statement
from weft.persisters.sqlite.database import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from weft.persisters.sql.dialect import Plan

Rows = list["Sequence[Any]"]


def plan(*statements: str) -> Callable[[], Plan[Rows]]:
    def made() -> Plan[Rows]:
        rows: Rows = []
        for statement in statements:
            rows = yield Statement(statement)
        return rows

    return made


COUNT = "SELECT count(*) FROM t"


class Ground:
    """A database, and another connection to its file."""

    def __init__(self, path: Path) -> None:
        self.other = sqlite3.connect(path, isolation_level=None)
        self.other.execute("CREATE TABLE t(a UNIQUE)")
        self.ran: list[str] = []
        self.db = SqliteDatabase(path, lambda sql, params: self.ran.append(sql))


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    ground = Ground(tmp_path / "store.db")
    yield ground
    await ground.db.close()
    ground.other.close()


async def test_a_plan_that_fails_leaves_nothing_and_its_statements_are_told(ground: Ground) -> None:
    with pytest.raises(StorageError, match=r"store\.db: UNIQUE"):
        await ground.db.write(plan("INSERT INTO t VALUES(1)", "INSERT INTO t VALUES(1)"))
    assert ground.ran == ["INSERT INTO t VALUES(1)"] * 2
    assert await ground.db.read(plan(COUNT)) == [(0,)]
    assert ground.other.execute(COUNT).fetchone() == (0,)


async def test_what_the_plan_itself_raises_rolls_back_too(ground: Ground) -> None:
    def failing() -> Plan[None]:
        yield Statement("INSERT INTO t VALUES(1)")
        raise LookupError

    with pytest.raises(LookupError):
        await ground.db.write(failing)
    assert ground.other.execute(COUNT).fetchone() == (0,)
    assert await ground.db.write(plan("INSERT INTO t VALUES(1)")) == []


async def test_others_writes_are_news_and_ones_own_are_not(ground: Ground) -> None:
    await ground.db.read(plan(COUNT))
    assert not await ground.db.changed()
    await ground.db.write(plan("INSERT INTO t VALUES(1)"))
    assert not await ground.db.changed()
    ground.other.execute("INSERT INTO t VALUES(2)")
    assert await ground.db.changed()
    # A write of one's own in between hides nothing.
    await ground.db.write(plan("INSERT INTO t VALUES(3)"))
    assert await ground.db.changed()
    await ground.db.read(plan(COUNT))
    assert not await ground.db.changed()


async def test_a_read_sees_one_state(ground: Ground) -> None:
    ground.other.execute("PRAGMA journal_mode=WAL")

    def twice() -> Plan[list[Any]]:
        first = yield Statement(COUNT)
        with closing(sqlite3.connect(ground.db._driver.name, isolation_level=None)) as third:
            third.execute("INSERT INTO t VALUES(1)")
        second = yield Statement(COUNT)
        return [*first, *second]

    assert await ground.db.read(twice) == [(0,), (0,)]
    assert await ground.db.changed()


async def test_a_connection_given_stays_open_and_is_the_queue(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "store.db", check_same_thread=False)) as connection:
        database = SqliteDatabase(connection, None)
        assert database.queue is connection
        await database.write(plan("CREATE TABLE t(a)"))
        await database.close()
        assert connection.execute(COUNT).fetchone() == (0,)
    own = SqliteDatabase(tmp_path / "store.db", None)
    assert own.queue is None
    await own.close()
