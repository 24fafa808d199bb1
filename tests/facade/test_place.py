"""``weft.open``: a Store at a place, loaded at entry, saved by itself, safe at exit."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

import weft
from support.postgres_suite import run
from support.servers import eventually
from weft.errors import DocumentClosedError, StorageError, SyncTimeoutError
from weft.providers import Pending

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.postgres import PostgresServer

CONTENT: Any = ({"pets": {"fido": {"species": "dog"}}}, {"open": True})

MERGED: Any = ({"pets": {"fido": {"species": "dog", "price": 5}, "felix": {"price": 4}}}, {})


@pytest.mark.parametrize("form", ["{}/pets.json", "sqlite:{}/pets.db"])
def test_what_was_written_is_there_the_next_time(form: str, tmp_path: Path) -> None:
    place = form.format(tmp_path)
    with weft.open(place) as store:
        store.set_content(CONTENT)
        store.sync.flush(timeout=20)
        assert store.sync.last_synced_at is not None
        assert not store.sync.pending
        assert (store.sync.status, store.sync.address) == ("local", place)
        assert store.sync.persister is not None
        store.sync.wait_synced()
    with pytest.raises(DocumentClosedError, match="was closed"):
        store.set_value("open", False)
    assert store.sync.status == "closed"
    with weft.open(place) as store:
        assert store.get_content() == CONTENT


@pytest.mark.parametrize("form", ["{}/pets.json", "sqlite:{}/pets.db"])
def test_what_several_write_to_a_mergeable_place_merges(form: str, tmp_path: Path) -> None:
    place = form.format(tmp_path)
    with weft.open(place) as store:
        assert not store.is_mergeable()
        with pytest.raises(AttributeError, match="mergeable=True"):
            _ = store.document
        store.set_content(CONTENT)
    with weft.open(place, mergeable=True) as here, weft.sync.open(place, mergeable=True, poll=True) as there:
        assert here.is_mergeable()
        assert here.get_content() == CONTENT  # taken over, and stamped
        there.on_value("open")(lambda *_: None)
        there.set_cell("pets", "felix", "price", 4)
        there.sync.flush(timeout=20)
        here.set_cell("pets", "fido", "price", 5)
        here.del_value("open")
        assert there.sync.poll(timeout=20) == 1
        assert there.get_content() == MERGED
    with weft.open(place, mergeable=True) as store:
        assert store.get_content() == MERGED
    with pytest.raises(StorageError, match="MergeableStore"), weft.open(place):
        pytest.fail("opened")


async def test_a_mergeable_place_in_an_event_loop(tmp_path: Path) -> None:
    async with weft.open(tmp_path / "pets.json", mergeable=True) as store:
        store.set_value("open", True)
        await store.sync.flush(timeout=20)
        assert (tmp_path / "pets.json").read_text() == store.document.content_text()
        assert store.sync.document is store.document
    with pytest.raises(ValueError, match=r"is a replica, .* leave mergeable=True out"):
        weft.open("pets.weft", mergeable=True)
    with pytest.raises(TypeError, match="bool for mergeable"):
        weft.open("pets.json", mergeable=1)  # type: ignore[arg-type]


def test_a_database_is_shared_by_those_who_have_it_open(postgres: PostgresServer) -> None:
    asyncio.run(run(postgres.dsn, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public"))
    with weft.open(postgres.dsn) as here, weft.sync.open(postgres.dsn, poll=True) as there:
        there.on_value("open")(lambda *_: None)
        here.set_content(CONTENT)
        here.sync.flush(timeout=20)
        assert (here.sync.pending, here.sync.status) == (Pending(0), "local")
        assert here.sync.last_synced_at is not None
        assert there.sync.poll(timeout=20) == 1  # the database tells of it
        assert there.get_content() == CONTENT
    with weft.open(postgres.dsn) as store:
        assert store.get_content() == CONTENT


async def test_in_an_event_loop(tmp_path: Path) -> None:
    path = tmp_path / "pets.json"
    async with weft.open(path, schema={"pets": {"species": {"type": "string"}}}) as store:
        store.set_content(CONTENT)
        assert store.sync.pending == Pending(1)
        await store.sync.flush(timeout=20)
        assert store.sync.pending == Pending(0)
        assert json.loads(path.read_text()) == list(CONTENT)
        store.del_value("open")
    assert json.loads(path.read_text()) == [CONTENT[0], {}]


def test_what_others_save_is_loaded(tmp_path: Path) -> None:
    place = tmp_path / "pets.json"
    with weft.open(place) as here, weft.open(place) as there, weft.sync.open(place, poll=True) as polled:
        polled.on_value("open")(lambda *_: None)
        there.set_content(CONTENT)
        assert polled.sync.poll(timeout=20) == 1
        assert polled.get_content() == CONTENT
        here.sync.flush(timeout=20)


def _write(place: Path, errors: list[Exception], wrong: Callable[[], object]) -> None:
    with weft.open(place, on_error=errors.append) as store:
        store.set_content(CONTENT)
        wrong()


def test_errors_at_the_end_are_raised(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    errors: list[Exception] = []
    store = weft.open(folder / "pets.json", on_error=errors.append).start()
    shutil.rmtree(folder)  # before anything is being saved there
    store.set_content(CONTENT)
    with pytest.raises(StorageError, match="No such file or directory"):
        store.sync.close()


def test_an_error_of_the_block_is_raised_and_what_was_written_is_saved(
    tmp_path: Path,
) -> None:
    path = tmp_path / "pets.json"
    with pytest.raises(ZeroDivisionError) as raised:
        _write(path, [], lambda: 1 / 0)
    assert not hasattr(raised.value, "__notes__")
    assert json.loads(path.read_text()) == list(CONTENT)


async def test_listeners_hear_when_it_was_saved_by_itself(tmp_path: Path) -> None:
    told: list[int] = []
    async with weft.open(tmp_path / "pets.json") as store:
        begun = store.sync.last_synced_at
        assert begun is not None
        store.sync.on_change(lambda sync: told.append(sync.pending.updates))
        store.set_content(CONTENT)
        await eventually(lambda: not store.sync.pending)
        await eventually(lambda: told[-2:] == [1, 0])
        saved = store.sync.last_synced_at
        assert saved is not None
        assert saved > begun


async def test_the_last_error_is_gone_when_all_is_well_again(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    told: list[bool] = []
    async with weft.open(folder / "pets.json", on_error=lambda error: None) as store:
        store.sync.on_change(lambda sync: told.append(sync.last_error is None))
        folder.rename(tmp_path / "away")
        store.set_content(CONTENT)
        await eventually(lambda: store.sync.last_error is not None)
        (tmp_path / "away").rename(folder)
        await eventually(lambda: not store.sync.pending)
        await eventually(lambda: store.sync.last_error is None)
        assert told[-1]
        assert False in told


def test_what_is_something_else_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "pets.json"
    path.write_text("no JSON")
    with pytest.raises(StorageError), weft.open(path):
        pass
    assert path.read_text() == "no JSON"


@pytest.mark.parametrize(
    ("place", "error", "said"),
    [
        (7, TypeError, "a place, such as FILE.json, FILE.weft, sqlite:FILE or postgresql://HOST/DATABASE"),
        ("pets.xml", ValueError, "'pets.xml' does not say what is there: give FILE.json"),
        ("ws://h/room", ValueError, "ws://h/room is no place.*weft.connect goes to servers"),
        ("sqlite:", ValueError, "a path is needed"),
        ("", ValueError, "does not say what is there"),
    ],
)
def test_what_is_no_place_is_refused_at_once(place: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        weft.open(place)


def test_a_save_that_takes_too_long_is_told(tmp_path: Path) -> None:
    place = tmp_path / "pets.db"
    with weft.open(f"sqlite:{place}") as store:
        blocker = sqlite3.connect(place, isolation_level=None)
        blocker.execute("BEGIN EXCLUSIVE")
        store.set_value("v", 1)
        with pytest.raises(SyncTimeoutError, match=r"was not saved within 0.05 s"):
            store.sync.flush(timeout=0.05)
        blocker.close()
