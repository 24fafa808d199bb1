"""Tables that refer to each other, on every database: what one transaction did is saved as one."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from support.foreign_tables import PLACES, SQLITES, Place, open_place
from weft.errors import StorageError
from weft.persisters import TableLoad, TableSave, TablesConfig, TursoDriver
from weft.store import Store
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("authors", "books", "parts")


def config(names: tuple[str, ...]) -> TablesConfig:
    return TablesConfig(
        load={name: TableLoad(name, "id") for name in names},
        save={name: TableSave(name, "id") for name in names},
        nulls="absent",
        auto_load_interval_seconds=0.02,
    )


def _place(request: pytest.FixtureRequest, tmp_path: Path, names: tuple[str, ...]) -> Iterator[Place]:
    with open_place(request, tmp_path, config(names)) as place:
        yield place


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    yield from _place(request, tmp_path, NAMES)


@pytest.fixture(params=PLACES)
def backwards(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Its tables are listed the other way round."""
    yield from _place(request, tmp_path, NAMES[::-1])


def make_tables(place: Place, how: str = "") -> None:
    place.run("CREATE TABLE authors(id INTEGER PRIMARY KEY, name TEXT)")
    place.run(f"CREATE TABLE books(id INTEGER PRIMARY KEY, author INTEGER REFERENCES authors(id) {how})")
    place.run("INSERT INTO authors VALUES(1, 'Ann')")
    place.run("INSERT INTO books VALUES(1, 1)")


def replace_all(store: Store) -> None:
    with store.transaction():
        store.del_row("authors", "1").del_row("books", "1")
        store.set_row("authors", "2", {"name": "Bea"})
        store.set_row("books", "2", {"author": 2})


@pytest.mark.parametrize("how", ["", "ON DELETE RESTRICT", "ON DELETE CASCADE"])
async def test_an_old_and_a_new_parent_and_child_go_in_one_transaction(place: Place, how: str) -> None:
    await _replace(place, how)


async def test_and_in_the_other_order_of_tables(backwards: Place) -> None:
    await _replace(backwards, "")


async def _replace(place: Place, how: str) -> None:
    make_tables(place, how)
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        await persister.start_auto_persisting()
        replace_all(store)
        await until(persister.is_at_rest)
        assert place.run("SELECT * FROM authors") == [(2, "Bea")]
        assert place.run("SELECT * FROM books") == [(2, 2)]
        with store.transaction():
            store.set_table("authors", {"3": {"name": "Cay"}}).set_table("books", {"3": {"author": 3}})
        await persister.save()
    assert errors == []
    assert place.run("SELECT * FROM authors") == [(3, "Cay")]
    assert place.run("SELECT * FROM books") == [(3, 3)]


async def test_a_child_that_gets_another_parent_is_not_deleted_with_its_old_one(place: Place) -> None:
    place.run("CREATE TABLE authors(id INTEGER PRIMARY KEY, name TEXT)")
    place.run(
        "CREATE TABLE books(id INTEGER PRIMARY KEY,"
        " author INTEGER REFERENCES authors(id) ON DELETE CASCADE, title TEXT)"
    )
    place.run("INSERT INTO authors VALUES(1, 'Ann')")
    place.run("INSERT INTO books VALUES(1, 1, 'Kept'), (2, 1, 'Gone')")
    store = Store()
    async with place.make(store) as persister:
        await persister.start_auto_persisting()
        with store.transaction():
            store.del_row("authors", "1")
            store.set_row("authors", "2", {"name": "Bea"})
            store.set_cell("books", "1", "author", 2)
        # What the database deleted along with a row is deleted in the Store too.
        await until(lambda: not store.has_row("books", "2"))
        await until(persister.is_at_rest)
    assert place.run("SELECT * FROM books") == [(1, 2, "Kept")]
    assert store.get_table("books") == {"1": {"author": 2, "title": "Kept"}}


async def test_rows_that_refer_to_rows_of_their_own_table_go_in_and_out_in_any_order(place: Place) -> None:
    place.run("CREATE TABLE parts(id INTEGER PRIMARY KEY, of INTEGER REFERENCES parts(id))")
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        await persister.start_auto_persisting()
        with store.transaction():
            for row_id, of in (("3", 2), ("4", 3), ("2", 1)):
                store.set_row("parts", row_id, {"of": of})
            store.set_row("parts", "1", {"of": 1})
        await until(persister.is_at_rest)
        assert place.run("SELECT * FROM parts ORDER BY id") == [(1, 1), (2, 1), (3, 2), (4, 3)]
        with store.transaction():
            for row_id in ("2", "4", "3"):
                store.del_row("parts", row_id)
        await until(persister.is_at_rest)
        assert place.run("SELECT * FROM parts") == [(1, 1)]
        store.set_table("parts", {row_id: {"of": of} for row_id, of in (("7", 6), ("6", 5), ("5", 5))})
        await persister.save()
    assert errors == []
    assert place.run("SELECT * FROM parts ORDER BY id") == [(5, 5), (6, 5), (7, 6)]


@pytest.mark.parametrize("how", ["", "ON DELETE RESTRICT", "ON DELETE CASCADE"])
async def test_a_chain_of_rows_in_any_order_does_not_cost_its_square(place: Place, how: str) -> None:
    place.run(f"CREATE TABLE parts(id INTEGER PRIMARY KEY, of INTEGER REFERENCES parts(id) {how}, name TEXT)")
    ran: list[str] = []
    draw = random.Random(how)
    numbers = list(range(1, 201))
    store, errors = Store(), list[Exception]()
    async with place.make(
        store, on_sql_command=lambda sql, _: ran.append(sql), on_error=errors.append
    ) as persister:
        await persister.start_auto_persisting()
        draw.shuffle(numbers)
        with store.transaction():
            for number in numbers:
                # Some with a name, the first without a parent: they are not written by one statement.
                row: dict[str, str | int] = {"of": number - 1} if number > 1 else {"name": "root"}
                store.set_row("parts", str(number), {**row, "name": "x"} if number % 50 == 7 else row)
        await until(persister.is_at_rest)
        assert place.run("SELECT count(*), max(of) FROM parts") == [(200, 199)]
        assert len(ran) < 60
        ran.clear()
        draw.shuffle(numbers)
        with store.transaction():
            for number in numbers:
                if number != 1:
                    store.del_row("parts", str(number))
        await until(persister.is_at_rest)
        assert place.run("SELECT id FROM parts") == [(1,)]
        assert len(ran) < 30
        with store.transaction():
            for number in numbers:
                store.set_row("parts", str(number), {"of": max(1, number - 1)})
        await persister.save()
        assert place.run("SELECT count(*), max(of) FROM parts") == [(200, 199)]
        ran.clear()
        store.del_table("parts")
        await persister.save()
        assert place.run("SELECT count(*) FROM parts") == [(0,)]
        assert len(ran) < 30
    assert errors == []


@pytest.mark.parametrize("how", ["", "DEFERRABLE INITIALLY DEFERRED"])
async def test_what_has_no_parent_is_told_stops_nothing_and_goes_in_by_itself_when_it_has_one(
    place: Place, how: str
) -> None:
    if how and place.kind is TursoDriver:
        how = ""  # it knows no others
    make_tables(place, how)
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        persister.first_retry_seconds = 0.01
        await persister.start_auto_persisting()
        with store.transaction():
            store.set_row("books", "7", {"author": 7})
            store.set_row("books", "8", {"author": 1})
            store.set_row("authors", "2", {"name": "Bea"})
            store.set_row("parts", "x", {"a": 1})
        await until(lambda: errors != [] and persister.is_at_rest())
        books = await place.run_between(persister, "SELECT * FROM books ORDER BY id")
        assert books == [(1, 1), (8, 1)]
        authors = await place.run_between(persister, "SELECT * FROM authors ORDER BY id")
        assert authors == [(1, "Ann"), (2, "Bea")]
        assert len(errors) == 1
        assert str(errors[0]).startswith("row '7' of table 'books' is not saved: ")
        with pytest.raises(StorageError, match="row '7' of table 'books' is not saved"):
            await persister.save()
        # Without another edit: a parent that somebody else makes is enough.
        await place.run_between(persister, "INSERT INTO authors VALUES(7, 'Gus')")
        await until(lambda: place.holds(persister, "SELECT * FROM books WHERE id=7", [(7, 7)]))
    assert len(errors) == 1


@pytest.mark.parametrize("how", ["", "DEFERRABLE INITIALLY DEFERRED"])
async def test_a_parent_that_others_still_need_stays_until_they_do_not(place: Place, how: str) -> None:
    if how and place.kind is TursoDriver:
        how = ""
    make_tables(place, how)
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        persister.first_retry_seconds = 0.01
        await persister.start_auto_persisting()
        with store.transaction():
            store.del_row("authors", "1")
            store.set_row("authors", "2", {"name": "Bea"})
        await until(lambda: errors != [] and persister.is_at_rest())
        assert len(errors) == 1
        assert str(errors[0]).startswith("row '1' of table 'authors' is not deleted: ")
        both = [(1, "Ann"), (2, "Bea")]
        assert await place.run_between(persister, "SELECT * FROM authors ORDER BY id") == both
        assert not store.has_row("authors", "1")
        await place.run_between(persister, "DELETE FROM books")
        await until(lambda: place.holds(persister, "SELECT * FROM authors", [(2, "Bea")]))


# Turso's engine has no foreign keys that can wait.
@pytest.mark.parametrize("place", [kind for kind in PLACES if kind is not TursoDriver], indirect=True)
async def test_rows_that_need_each_other_go_in_where_the_keys_can_wait(place: Place) -> None:
    if place.is_postgres:
        place.run("CREATE TABLE authors(id INTEGER PRIMARY KEY, best INTEGER)")
        place.run("CREATE TABLE books(id INTEGER PRIMARY KEY, author INTEGER REFERENCES authors DEFERRABLE)")
        place.run("ALTER TABLE authors ADD FOREIGN KEY(best) REFERENCES books DEFERRABLE")
    else:
        place.run("CREATE TABLE authors(id INTEGER PRIMARY KEY, best INTEGER REFERENCES books(id))")
        place.run("CREATE TABLE books(id INTEGER PRIMARY KEY, author INTEGER REFERENCES authors(id))")
    store, errors = Store(), list[Exception]()
    async with place.make(store, on_error=errors.append) as persister:
        await persister.start_auto_persisting()
        with store.transaction():
            store.set_row("authors", "1", {"best": 1})
            store.set_row("books", "1", {"author": 1})
        await until(persister.is_at_rest)
    assert errors == []
    assert place.run("SELECT * FROM authors") == place.run("SELECT * FROM books") == [(1, 1)]


@pytest.mark.parametrize("place", SQLITES, indirect=True)
async def test_nothing_is_asked_of_keys_that_are_off(place: Place) -> None:
    place.run("PRAGMA foreign_keys=OFF")
    make_tables(place)
    ran: list[str] = []
    store = Store()
    async with place.make(store, on_sql_command=lambda sql, _: ran.append(sql)) as persister:
        await persister.start_auto_persisting()
        ran.clear()
        store.set_row("books", "9", {"author": 9})
        await until(persister.is_at_rest)
    assert not any("defer_foreign_keys" in sql for sql in ran)
    assert (9, 9) in place.run("SELECT * FROM books")


REFERENCES = (("parts", "of", "parts"), ("authors", "part", "parts"), ("books", "author", "authors"))


def edit_at_random(draw: random.Random, store: Store) -> None:
    """One transaction after which every reference holds, and none goes in a circle."""
    with store.transaction():
        for _ in range(draw.randint(1, 8)):
            (table_id, cell_id, _), number = draw.choice(REFERENCES), draw.randint(1, 6)
            if draw.random() < 0.25:
                store.del_row(table_id, str(number))
            else:
                store.set_row(table_id, str(number), {cell_id: draw.randint(1, number)})
        for table_id, cell_id, parent in REFERENCES:
            bad = True
            while bad:
                bad = False
                for row_id, row in store.get_table(table_id).items():
                    to = row[cell_id]
                    assert isinstance(to, int)
                    if not store.has_row(parent, str(to)) or (table_id == parent and to > int(row_id)):
                        store.del_row(table_id, row_id)
                        bad = True


@pytest.mark.parametrize("how", ["", "ON DELETE CASCADE"])
async def test_whatever_transactions_do_the_tables_become_what_the_store_is(place: Place, how: str) -> None:
    draw = random.Random(how)
    for table_id, cell_id, parent in REFERENCES:
        refers = f"{cell_id} INTEGER REFERENCES {parent}(id) {how}"
        place.run(f"CREATE TABLE {table_id}(id INTEGER PRIMARY KEY, {refers})")
    store, errors, most = Store(), list[Exception](), 0
    async with place.make(store, on_error=errors.append) as persister:
        await persister.start_auto_save()
        for _ in range(60):
            edit_at_random(draw, store)
            await until(persister.is_at_rest)
            if draw.random() < 0.2:
                await persister.save()
            for table_id, cell_id, _ in REFERENCES:
                rows = await place.run_between(persister, f"SELECT id, {cell_id} FROM {table_id}")
                assert {str(row[0]): {cell_id: row[1]} for row in rows} == store.get_table(table_id)
                most = max(most, len(rows))
    assert errors == []
    assert most > 3
