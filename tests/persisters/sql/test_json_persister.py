"""The JSON persister on a database: when it reads the cell, and when it need not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.persisters.sql.json_cell import JsonCell
from weft.persisters.sql.json_persister import JsonPersister
from weft.persisters.sqlite.database import SqliteDatabase
from weft.persisters.sqlite.dialect import SqliteDialect
from weft.store import Store
from weft.testing.persisters import MORE, PETS

if TYPE_CHECKING:
    from pathlib import Path


def make(store: Store, path: Path, ran: list[str], **options: Any) -> JsonPersister:
    database = SqliteDatabase(path, lambda sql, params: ran.append(sql))
    return JsonPersister(store, database, SqliteDialect(), JsonCell("kept"), poll_seconds=3600, **options)


async def test_it_looks_at_the_cell_only_where_something_was_written(tmp_path: Path) -> None:
    path, ran, others = tmp_path / "store.db", list[str](), list[str]()
    async with (
        make(Store(), path, ran) as persister,
        make(Store().set_content(PETS), path, others) as other,
    ):
        await other.save()
        await persister.load()
        assert persister.get_store().get_content() == PETS
        ran.clear()
        version = await persister.probe()
        assert ran == []
        other.get_store().set_content(MORE)
        await other.save()
        assert await persister.probe() != version
        assert any("FROM" in sql and "kept" in sql for sql in ran)


async def test_it_lets_go_of_its_database_and_takes_turns_on_it(tmp_path: Path) -> None:
    ran: list[str] = []
    persister = make(Store(), tmp_path / "store.db", ran)
    await persister.load()
    await persister.close()
    (tmp_path / "store.db").unlink()
    assert ran
