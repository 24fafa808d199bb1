"""The three forms on files, with what TinyBase wrote; live objects: tests/interop/test_durable_objects.py."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pytest

from support.durable_objects import FORMS, document_of, fill, stored_in
from support.vectors import vectors
from weft.documents.mergeable import MergeableDocument, from_json, to_json
from weft.errors import StorageError
from weft.mergeable import MergeableStore
from weft.persisters import DurableObjectPersister, SqliteJsonPersister
from weft.store import Store
from weft.testing.persisters import KillSuite, until

if TYPE_CHECKING:
    from pathlib import Path

    from weft.changes import Content
    from weft.persisters import Persister

ALL = pytest.mark.parametrize("name", FORMS)
MODES = pytest.mark.parametrize("mode", ["kv", "json", "fragmented"])


def store_of(document: MergeableDocument) -> MergeableStore:
    store = MergeableStore()
    store.set_mergeable_content(document.get_content())
    return store


@ALL
async def test_what_tinybase_stored_is_loaded_with_its_hashes(tmp_path: Path, name: str) -> None:
    options, _ = FORMS[name]
    fill(tmp_path / "object.sqlite", name, "final")
    store = MergeableStore()
    async with DurableObjectPersister(store, tmp_path / "object.sqlite", **options) as persister:
        await persister.load()
    tables, values = store.get_mergeable_content()
    if "kv" in name:
        final = {key.removeprefix("tb_"): stamp for key, stamp in vectors("durable-objects")[name]["final"]}
        assert (tables[1:], values[1:]) == (final["t"][1:], final["v"][1:])
    assert store.get_cell("pets", "fido", "color") == "black"
    assert store.get_cell("pets", "fido", "obj") == {"a": [1]}
    assert store.get_cell("server", "r", "by") == "server"
    assert not store.has_row("pets", "gone")
    assert tables[0]["pets"][0]["gone"][0]["x"][2] == 3566885276  # what was deleted is there


@ALL
async def test_what_is_saved_is_what_tinybase_stores(tmp_path: Path, name: str) -> None:
    options, _ = FORMS[name]
    path = tmp_path / "object.sqlite"
    async with DurableObjectPersister(store_of(document_of(name)), path, **options) as persister:
        await persister.save()
    fill(tmp_path / "theirs.sqlite", name, "full")
    ours, theirs = stored_in(path), stored_in(tmp_path / "theirs.sqlite")
    if (
        "kv" in name
    ):  # those vectors are of a later moment: DDL and keys are the same, and what did not change
        (ddl, rows), (their_ddl, their_rows) = ours["_cf_KV"], theirs["_cf_KV"]
        assert ddl == their_ddl
        assert {key for key, _ in rows} == {key for key, _ in their_rows if "server" not in key}
    elif "frag" in name:
        assert ours == {table: held for table, held in theirs.items() if table != "_cf_KV"}
    else:
        (table,) = ours
        assert ours[table][0].replace(" ", "") == theirs[table][0].replace(" ", "")
        assert from_json(ours[table][1][0][1]) == from_json(theirs[table][1][0][1])


@MODES
async def test_stores_come_back_and_edits_are_saved_by_themselves(tmp_path: Path, mode: Any) -> None:
    path = tmp_path / "object.sqlite"
    store, other = MergeableStore(), MergeableStore()
    errors: list[Exception] = []
    options: Any = {"auto_load_interval_seconds": 0.01, "on_error": errors.append}
    async with (
        DurableObjectPersister(store, path, mode, **options) as one,
        DurableObjectPersister(other, path, mode, **options) as two,
    ):
        await one.start_auto_persisting(
            ({"pets": {"fido": {"n": 1, "é犬": [{"a": None}], "x": 1e21}}}, {"v": ""})
        )
        await two.start_auto_persisting()
        assert other.get_content() == store.get_content()
        for number in range(20):
            store.set_cell("pets", "fido", "n", number)
            other.set_cell("pets", f"r{number}", "n", number)
            other.del_cell("pets", "fido", "x")
            store.set_value(f"v{number % 3}", number)
            await asyncio.sleep(0.001)
        await until(
            lambda: (
                one.is_at_rest()
                and two.is_at_rest()
                and store.get_mergeable_content_hashes() == other.get_mergeable_content_hashes()
            )
        )
    assert all("locked" in str(error) for error in errors)
    loaded = MergeableStore()
    async with DurableObjectPersister(loaded, path, mode) as persister:
        await persister.load()
    assert loaded.get_mergeable_content() == store.get_mergeable_content()
    assert loaded.get_row_count("pets") == 21


@MODES
async def test_an_edit_writes_what_it_changed(tmp_path: Path, mode: Any) -> None:
    path = tmp_path / "object.sqlite"
    store = MergeableStore()
    async with DurableObjectPersister(store, path, mode) as persister:
        store.set_table("t", {str(row): {"a": row, "b": row} for row in range(100)})
        await persister.start_auto_save()
        before = {repr(row) for _, rows in stored_in(path).values() for row in rows}
        store.set_cell("t", "50", "a", "x")
        await until(persister.is_at_rest)
        after = {repr(row) for _, rows in stored_in(path).values() for row in rows}
    assert len(after - before) == {"kv": 4, "json": 1, "fragmented": 3}[mode]


@MODES
async def test_nothing_that_others_wrote_is_lost(tmp_path: Path, mode: Any) -> None:
    path = tmp_path / "object.sqlite"
    stores = [MergeableStore().set_cell("t", "r", cell, 1) for cell in "abc"]
    for store in stores:
        async with DurableObjectPersister(store, path, mode) as persister:
            await persister.start_auto_save()
    loaded = MergeableStore()
    async with DurableObjectPersister(loaded, path, mode) as persister:
        await persister.load()
    assert loaded.get_row("t", "r") == {"a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize("mode", ["kv", "fragmented"])
async def test_keys_and_tables_of_others_stay(tmp_path: Path, mode: Any) -> None:
    path = tmp_path / "object.sqlite"
    prefixes = ["", "a", "tb_", "My-é", "t"]
    for prefix in prefixes:
        store = MergeableStore().set_cell("t", "r", "c", prefix)
        async with DurableObjectPersister(store, path, mode, prefix=prefix) as persister:
            await persister.save()
    for prefix in prefixes:
        store = MergeableStore()
        async with DurableObjectPersister(store, path, mode, prefix=prefix) as persister:
            await persister.load()
        assert store.get_tables() == {"t": {"r": {"c": prefix}}}


async def test_rows_for_each_cell_as_tinybase_wrote_before_9_are_read_and_go(tmp_path: Path) -> None:
    path = tmp_path / "object.sqlite"
    before, store = store_of(document_of("frag/a")), MergeableStore()
    async with DurableObjectPersister(before, path, "fragmented") as persister:
        await persister.save()
    sql = "SELECT table_id, row_id, value_data FROM tinybase_tables WHERE row_id IS NOT NULL"
    with closing(sqlite3.connect(path)) as connection, connection:
        for table_id, row_id, data in connection.execute(sql).fetchall():
            connection.execute("UPDATE tinybase_tables SET value_data='[0]' WHERE row_id=?", (row_id,))
            for cell_id, (cell, hlc, hash_) in from_json(data)[0].items():
                row = (table_id, row_id, cell_id, to_json([cell]), hlc, hash_)
                connection.execute("INSERT INTO tinybase_tables VALUES('t',?,?,?,?,?,?)", row)
    async with DurableObjectPersister(store, path, "fragmented") as persister:
        await persister.load()
        assert store.get_mergeable_content() == before.get_mergeable_content()
        await persister.save()
    assert [row for row in stored_in(path)["tinybase_tables"][1] if row[3] is not None] == []


@MODES
async def test_what_is_damaged_is_an_error_and_a_save_repairs_it(tmp_path: Path, mode: Any) -> None:
    path = tmp_path / "object.sqlite"
    store = MergeableStore().set_cell("t", "r", "c", 1)
    async with DurableObjectPersister(store, path, mode) as persister:
        await persister.save()
    damage = {
        "kv": "UPDATE _cf_KV SET value=x'ff0f6f'",
        "json": "UPDATE tinybase SET store='[{'",
        "fragmented": "UPDATE tinybase_tables SET value_data='[{]'",
    }
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(damage[mode])
    for other in (MergeableStore(), store):
        async with DurableObjectPersister(other, path, mode) as persister:
            with pytest.raises(StorageError, match=r"stamp|JSON"):
                await persister.load()
            if other is store:
                await persister.save()
                await persister.load()
    assert store.get_tables() == {"t": {"r": {"c": 1}}}
    path.write_bytes(b"x" * 5000)
    async with DurableObjectPersister(store, path, mode) as persister:
        with pytest.raises(StorageError, match="not a database"):
            await persister.load()


@pytest.mark.parametrize("mode", ["kv", "fragmented"])
async def test_hashes_that_are_not_those_of_the_content_are_put_right(tmp_path: Path, mode: Any) -> None:
    """TinyBase's key-value form leaves out what was deleted elsewhere before it came; the hashes have it."""
    path = tmp_path / "object.sqlite"
    store, loaded = (
        MergeableStore().set_row("t", "r", {"a": 1, "b": 2}).del_cell("t", "r", "b"),
        MergeableStore(),
    )
    async with DurableObjectPersister(store, path, mode) as persister:
        await persister.save()
    with closing(sqlite3.connect(path)) as connection, connection:
        if mode == "kv":
            connection.execute('DELETE FROM _cf_KV WHERE key=\'t"t","r","b"\'')
        else:
            connection.execute(
                "UPDATE tinybase_tables SET value_data=json_remove(value_data,'$[0].b') WHERE row_id='r'"
            )
    async with DurableObjectPersister(loaded, path, mode) as persister:
        await persister.start_auto_persisting()
        await until(persister.is_at_rest)
        await persister.stop_auto_persisting()
    again = MergeableStore()
    async with DurableObjectPersister(again, path, mode) as persister:
        persister.expects_use = False
        content: Any = await persister.read()
    assert content == loaded.get_mergeable_content()
    assert loaded.get_mergeable_content_hashes() != store.get_mergeable_content_hashes()


async def test_what_is_ahead_of_the_clock_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "object.sqlite"
    store = MergeableStore(get_now=lambda: 4_000_000_000_000).set_cell("t", "r", "c", 1)
    async with DurableObjectPersister(store, path) as persister:
        await persister.save()
    late = MergeableStore()
    async with DurableObjectPersister(late, path) as persister:
        with pytest.raises(StorageError, match=r"object\.sqlite: what is stored .* five minutes ahead"):
            await persister.load()
    assert late.get_content() == ({}, {})


@MODES
async def test_a_file_that_another_program_has_open_is_read_and_not_written(
    tmp_path: Path, mode: Any
) -> None:
    path = tmp_path / "object.sqlite"
    store = MergeableStore().set_cell("t", "r", "c", 1)
    async with DurableObjectPersister(store, path, mode) as persister:
        await persister.save()
        with closing(sqlite3.connect(path)) as awake:
            awake.execute("PRAGMA journal_mode=WAL")
            awake.execute("SELECT 1 FROM sqlite_schema").fetchall()
            before = stored_in(path)
            store.set_cell("t", "r", "c", 2)
            with pytest.raises(StorageError, match="its object is awake, or another program has it open"):
                await persister.save()
            assert stored_in(path) == before
            other = MergeableStore()
            async with DurableObjectPersister(other, path, mode) as reader:
                await reader.load()
            assert other.get_cell("t", "r", "c") == 1
        await persister.save()
        assert stored_in(path) != before


@MODES
async def test_a_file_that_was_removed_or_replaced_gets_what_it_lacks(tmp_path: Path, mode: Any) -> None:
    path, other_path = tmp_path / "object.sqlite", tmp_path / "other.sqlite"
    async with DurableObjectPersister(MergeableStore().set_value("b", 2), other_path, mode) as persister:
        await persister.save()
    store = MergeableStore().set_value("a", 1)
    async with DurableObjectPersister(store, path, mode) as persister:
        await persister.start_auto_save()
        path.unlink()
        store.set_value("c", 3)
        await until(persister.is_at_rest)
        other_path.replace(path)
        store.set_value("d", 4)
        await until(persister.is_at_rest)
    loaded = MergeableStore()
    async with DurableObjectPersister(loaded, path, mode) as persister:
        await persister.load()
    assert loaded.get_values() == store.get_values() == {"a": 1, "b": 2, "c": 3, "d": 4}


class OnAnObject(KillSuite):
    mode: ClassVar[Literal["kv", "json", "fragmented"]]
    damage: ClassVar[str]
    merges = True
    kills = 6

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "object.sqlite"

    def make_store(self, content: Content | None = None) -> MergeableStore:
        store = MergeableStore()
        return store if content is None else store.set_content(content)

    def make(self, store: Store, **options: Any) -> Persister:
        return DurableObjectPersister(store, self.path, self.mode, auto_load_interval_seconds=0.01, **options)

    async def read_raw(self) -> Content | None:
        return await self.loaded_content() if self.path.exists() else None

    async def write_raw(self, content: Content) -> None:
        try:
            await self.fill_place(content)
        except StorageError:  # what is damaged cannot be loaded
            async with self.make(self.make_store(content)) as persister:
                await persister.save()

    async def write_bad(self) -> None:
        await self.fill_place()
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(self.damage)

    def child_source(self) -> str:
        return (
            "from weft.mergeable import MergeableStore as Store\n"
            "from weft.persisters import DurableObjectPersister\n"
            f"def make(store): return DurableObjectPersister(store, {str(self.path)!r}, {self.mode!r})\n"
        )


class TestKeyValues(OnAnObject):
    mode = "kv"
    damage = "UPDATE _cf_KV SET value=x'ff0f6f'"


class TestJsonText(OnAnObject):
    mode = "json"
    damage = "UPDATE tinybase SET store='[{'"


class TestFragments(OnAnObject):
    mode = "fragmented"
    damage = "UPDATE tinybase_tables SET value_data='[{]', hash=1"


async def test_the_json_form_is_that_of_any_sqlite_database(tmp_path: Path) -> None:
    path = tmp_path / "object.sqlite"
    store, other = MergeableStore().set_cell("t", "r", "c", 1), MergeableStore()
    async with SqliteJsonPersister(store, path) as persister:
        await persister.save()
    async with DurableObjectPersister(other, path, "json") as persister:
        await persister.load()
    assert other.get_mergeable_content() == store.get_mergeable_content()


async def test_initial_content_is_for_files_that_hold_nothing(tmp_path: Path) -> None:
    path = tmp_path / "object.sqlite"
    for number in (1, 2):
        store = MergeableStore()
        async with DurableObjectPersister(store, path) as persister:
            await persister.start_auto_persisting(({}, {"first": number}))
        assert store.get_values() == {"first": 1}


def test_what_cannot_be_kept_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="MergeableStore"):
        DurableObjectPersister(Store(), tmp_path / "f")
    with pytest.raises(ValueError, match="mode"):
        DurableObjectPersister(MergeableStore(), tmp_path / "f", "tabular")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="path"):
        DurableObjectPersister(MergeableStore(), 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="prefix"):
        DurableObjectPersister(MergeableStore(), tmp_path / "f", prefix=5)  # type: ignore[arg-type]
