"""A schema set on a Store that is mirrored or auto-saving takes nothing from documents, places and peers."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from support.mirrors import KINDS, Kind, exchange, make_peer
from weft import UNDEFINED, Store
from weft.errors import MirrorError, StorageError
from weft.mirrors.yjs import create_doc
from weft.persisters import CustomPersister, FilePersister, SqliteTablesPersister, TablesConfig, YjsPersister
from weft.store import create_middleware
from weft.testing.persisters import until

if TYPE_CHECKING:
    from pathlib import Path

TABLES: dict[str, Any] = {
    "pets": {
        "fido": {"species": "dog", "price": "12"},  # a price of the wrong type
        "tom": {"species": "cat", "price": 5},
        "rex": {"price": 3},  # lacks what the schema requires
    },
    "notes": {"n1": {"text": "call"}},  # a table that the schema does not have
}
VALUES: dict[str, Any] = {"open": "yes", "rate": 2}
SCHEMA: Any = {
    "pets": {
        "species": {"type": "string", "required": True},
        "price": {"type": "number"},
        "legs": {"type": "number", "default": 4},
    }
}
VALUES_SCHEMA: Any = {"open": {"type": "boolean"}, "rate": {"type": "number"}}

KEPT = {"pets": {"fido": {"species": "dog", "legs": 4}, "tom": {"species": "cat", "price": 5, "legs": 4}}}
REFUSED = [
    ("pets", "fido", "price", "12"),
    ("pets", "rex", "price", 3),
    ("notes", "n1", "text", "call"),
    ("open", "yes"),
]


def everywhere_else() -> tuple[dict[str, Any], dict[str, Any]]:
    """What stands in other places afterwards: all that was there, and the defaults."""
    tables = {
        table_id: {row_id: dict(row) for row_id, row in table.items()} for table_id, table in TABLES.items()
    }
    for row_id in ("fido", "tom"):
        tables["pets"][row_id]["legs"] = 4
    return tables, dict(VALUES)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


def test_peers_and_the_document_keep_what_a_new_schema_refuses(kind: Kind) -> None:
    here, there = make_peer(kind), make_peer(kind)
    here.store.set_content((TABLES, VALUES))
    exchange(here, there)
    heard: list[Any] = []
    here.store.add_invalid_cell_listener(None, None, None, lambda _store, *place: heard.append(place))
    here.store.set_schema(SCHEMA, VALUES_SCHEMA)
    exchange(here, there)
    assert here.content == (KEPT, {"rate": 2})
    assert here.project() == there.project() == there.content == everywhere_else()
    assert ("pets", "fido", "price", ["12"]) in heard
    (error,) = here.errors
    assert isinstance(error, MirrorError)
    assert str(error).startswith(
        "the new schema refuses 4 cells or values, which have left the Store and stay"
    )
    assert "['pets', 'fido', 'price']: '12'" in str(error)
    assert there.errors == []

    # Edits afterwards go both ways, also of what was refused.
    there.store.set_cell("pets", "fido", "price", 12)
    here.store.set_cell("pets", "tom", "price", 6)
    exchange(here, there)
    assert here.store.get_cell("pets", "fido", "price") == there.store.get_cell("pets", "fido", "price") == 12
    assert there.store.get_cell("pets", "tom", "price") == 6
    # A row that is deleted goes with what the Store does not have of it.
    here.store.del_row("pets", "tom")
    exchange(here, there)
    assert not there.store.has_row("pets", "tom")


def test_what_is_set_again_in_the_same_transaction_is_an_edit_and_a_rollback_leaves_all(kind: Kind) -> None:
    here, there = make_peer(kind), make_peer(kind)
    here.store.set_content((TABLES, VALUES))
    exchange(here, there)
    here.store.transaction(lambda: here.store.set_tables_schema(SCHEMA), lambda _store: True)
    assert here.content == there.content == (TABLES, VALUES)
    assert here.errors == []
    with here.store.transaction():
        here.store.set_cell("pets", "tom", "price", 7)
        here.store.set_tables_schema(SCHEMA)
        here.store.set_cell("pets", "fido", "price", 13)
        here.store.del_row("pets", "tom")
    exchange(here, there)
    tables, values = everywhere_else()
    del tables["pets"]["tom"]
    tables["pets"]["fido"]["price"] = 13
    assert there.content == (tables, values)
    (error,) = here.errors
    assert "refuses 2 cells" in str(error)


def test_a_refused_cell_that_gives_way_to_a_default_stays_in_the_document(kind: Kind) -> None:
    here, there = make_peer(kind), make_peer(kind)
    here.store.set_content(({"t": {"r": {"c": "text", "d": 1}}}, {"v": "text"}))
    exchange(here, there)
    cells: Any = {"c": {"type": "number", "default": 0}, "d": {"type": "number"}}
    here.store.set_schema({"t": cells}, {"v": {"type": "number", "default": 0}})
    exchange(here, there)
    assert here.content == ({"t": {"r": {"c": 0, "d": 1}}}, {"v": 0})
    assert there.content == ({"t": {"r": {"c": "text", "d": 1}}}, {"v": "text"})


def test_what_a_later_schema_takes_comes_back_when_the_mirror_starts_again(kind: Kind) -> None:
    here, there = make_peer(kind), make_peer(kind)
    here.store.set_content((TABLES, VALUES))
    here.store.set_schema(SCHEMA, VALUES_SCHEMA)
    here.store.del_schema()
    here.mirror.stop()
    here.mirror.start()
    exchange(here, there)
    assert here.content == there.content == everywhere_else()


def test_dry_run_lists_what_would_go_and_changes_nothing() -> None:
    store = Store().set_content((TABLES, VALUES))
    heard: list[Any] = []
    store.add_did_finish_transaction_listener(heard.append)
    store.add_invalid_cell_listener(None, None, None, lambda *args: heard.append(args))
    assert store.set_schema(SCHEMA, VALUES_SCHEMA, dry_run=True) == REFUSED
    assert store.set_tables_schema(SCHEMA, dry_run=True) == REFUSED[:3]
    assert store.set_values_schema(VALUES_SCHEMA, dry_run=True) == REFUSED[3:]
    assert Store().set_schema(SCHEMA, VALUES_SCHEMA, dry_run=True) == []
    assert store.get_content() == (TABLES, VALUES)
    assert store.get_schema_json() == "[{},{}]"
    assert heard == []
    # And exactly that goes.
    before = store.get_content()
    store.set_schema(SCHEMA, VALUES_SCHEMA)
    gone = [
        (table_id, row_id, cell_id, cell)
        for table_id, table in before[0].items()
        for row_id, row in table.items()
        for cell_id, cell in row.items()
        if store.get_cell(table_id, row_id, cell_id, UNDEFINED) is UNDEFINED
    ]
    assert gone == REFUSED[:3]


def file_content(path: Path) -> Any:
    tables, values = json.loads(path.read_text())
    return tables, values


async def test_auto_save_leaves_in_the_file_what_a_new_schema_refuses(tmp_path: Path) -> None:
    path = tmp_path / "store.json"
    errors: list[Exception] = []
    store = Store().set_content((TABLES, VALUES))
    async with FilePersister(store, path, on_error=errors.append) as persister:
        await persister.save()
        await persister.start_auto_save()
        store.set_schema(SCHEMA, VALUES_SCHEMA)
        await until(lambda: file_content(path) == everywhere_else())
        assert store.get_content() == (KEPT, {"rate": 2})
        (error,) = errors
        assert isinstance(error, StorageError)
        assert "the new schema refuses 4 cells or values" in str(error)
        store.set_value("rate", 3)
        await until(lambda: file_content(path)[1]["rate"] == 3)
        # A save of everything keeps it as well, and a load without the schema brings it back.
        await persister.save()
        tables, values = everywhere_else()
        assert file_content(path) == (tables, {**values, "rate": 3})
        reader = Store()
        async with FilePersister(reader, path) as other:
            await other.load()
        assert reader.get_content() == (tables, {**values, "rate": 3})
        # What was deleted since, and what was set since, is not what was there.
        store.del_row("pets", "fido")
        store.set_value("open", True)
        await persister.save()
        del tables["pets"]["fido"]
        assert file_content(path) == (tables, {"open": True, "rate": 3})


async def test_an_unsaved_edit_that_a_schema_refuses_deletes_nothing_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.json"
    store = Store().set_cell("t", "r", "c", 1)
    async with FilePersister(store, path, on_error=lambda _error: None) as persister:
        await persister.save()
        await persister.start_auto_save()
        store.set_cell("t", "r", "c", "text")
        store.set_tables_schema({"t": {"c": {"type": "number"}, "d": {"type": "number"}}})
        store.set_cell("t", "q", "d", 2)
        await until(lambda: "q" in file_content(path)[0]["t"])
        assert file_content(path)[0] == {"t": {"r": {"c": 1}, "q": {"d": 2}}}


@pytest.mark.parametrize("automatic", [True, False], ids=["auto-save", "save"])
async def test_sqlite_tables_keep_what_a_new_schema_refuses(tmp_path: Path, automatic: bool) -> None:
    path = tmp_path / "shop.db"
    store = Store().set_tables({"pets": TABLES["pets"]})
    config = TablesConfig(load={"pets": "pets"}, save={"pets": "pets"})
    async with SqliteTablesPersister(store, path, config, on_error=lambda _error: None) as persister:
        await persister.save()
        if automatic:
            await persister.start_auto_save()
        store.set_tables_schema(SCHEMA)
        store.set_cell("pets", "tom", "price", 6)
        if not automatic:
            await persister.save()

        def rows() -> list[Any]:
            database = sqlite3.connect(path)
            try:
                return database.execute("SELECT * FROM pets ORDER BY _id").fetchall()
            finally:
                database.close()

        await until(
            lambda: rows() == [("fido", "dog", "12", 4), ("rex", None, 3, None), ("tom", "cat", 6, 4)],
        )


async def test_a_persisted_document_keeps_it_through_a_save_of_everything() -> None:
    store, doc = Store().set_content((TABLES, VALUES)), create_doc()
    async with YjsPersister(store, doc, on_error=lambda _error: None) as persister:
        await persister.save()
        store.set_schema(SCHEMA, VALUES_SCHEMA)
        await persister.save()
    other = Store()
    async with YjsPersister(other, doc) as persister:
        await persister.load()
    assert other.get_content() == everywhere_else()


async def test_a_place_of_ones_own_is_given_it_with_everything() -> None:
    place: list[Any] = [(TABLES, VALUES)]

    def write(get_content: Any, _changes: object) -> None:
        place[0] = json.loads(json.dumps(get_content()))

    store = Store()
    persister = CustomPersister(store, lambda: place[0], write, lambda _listener: None, lambda _handle: None)
    async with persister:
        await persister.load()
        store.set_schema(SCHEMA, VALUES_SCHEMA)
        await persister.save()
    assert tuple(place[0]) == everywhere_else()


def test_what_middleware_makes_of_the_rest_is_an_edit(kind: Kind) -> None:
    here, there = make_peer(kind), make_peer(kind)
    here.store.set_table("t", {"r": {"a": "x", "b": "text"}})
    exchange(here, there)
    create_middleware(here.store).add_will_set_cell_callback(
        lambda _table_id, _row_id, _cell_id, cell: cell.upper() if isinstance(cell, str) else cell
    )
    here.store.set_tables_schema({"t": {"a": {"type": "string"}, "b": {"type": "number"}}})
    exchange(here, there)
    assert here.store.get_row("t", "r") == {"a": "X"}
    assert there.store.get_row("t", "r") == {"a": "X", "b": "text"}


@pytest.mark.parametrize("edit", ["the cell", "the row", "deleted and made again"])
def test_what_is_edited_in_the_transaction_of_the_schema_is_not_deleted_elsewhere(
    kind: Kind, edit: str
) -> None:
    peer = make_peer(kind)
    peer.store.set_table("t", {"a": {"n": 2, "x": "q"}})
    with peer.store.transaction():
        if edit == "the cell":
            peer.store.set_cell("t", "a", "n", 6)
        else:
            if edit == "deleted and made again":
                peer.store.del_row("t", "a")
            peer.store.set_row("t", "a", {"n": 6, "x": "q"})
        peer.store.set_tables_schema({"t": {"n": {"type": "string"}, "x": {"type": "string"}}})
    assert peer.content == ({"t": {"a": {"x": "q"}}}, {})
    assert "n" in peer.project()[0]["t"]["a"]
    assert any("new schema refuses 1" in str(error) for error in peer.errors)
