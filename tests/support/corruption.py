"""A damaged SQLite file of rooms: what a server still gives of it, and whether it says what is missing.

``PYTHONPATH=tests python -m support.corruption 5000`` tries so many damaged files.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from weft.errors import RoomDamagedError, RoomDeletedError, StorageError
from weft.server.storage import SqliteRoomStorage
from weft.server.storage.reading import problems_of
from weft.server.storage.sqlite_reader import read_sqlite
from weft.testing.storage import join_updates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["DAMAGES", "losses", "make_database"]

Damage: TypeAlias = "Callable[[bytearray, random.Random], None]"

_PAGE = 4096
_ATTEMPTS = 4  # as often does a server try
ROOMS = {"small": 5, "farm é": 400, "large": 60, "\x1fautomerge:z": 40, "compacted": 30}


async def make_database(path: Path) -> dict[str, list[bytes]]:
    """A file of several rooms, compacted and deleted ones among them; gives the rows of each."""
    rng = random.Random(1)
    async with SqliteRoomStorage(path) as storage:
        for at in range(max(ROOMS.values())):
            for name, count in ROOMS.items():
                if at < count:
                    size = 6000 if name == "large" else rng.randrange(1, 120)
                    storage.append(name, b"%d:%s;" % (at, rng.randbytes(size).replace(b";", b"")))
        await storage.compact("compacted", join_updates)
        storage.append("compacted", b"later;")
        await storage.stored(storage.append("gone", b"x;"))
        await storage.delete("gone")
        await storage.configure("small", {"gc": False})
        return {name: (await storage.load(name)).rows for name in ROOMS}


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _flip_in_a_small_table(data: bytearray, rng: random.Random) -> None:
    """Where rooms and names are."""
    names = [name.encode() for name in ROOMS]
    at = data.find(rng.choice(names))
    data[max(0, at + rng.randrange(-40, 60))] ^= 1 << rng.randrange(8)


def _flip_at_the_start_of_a_page(data: bytearray, rng: random.Random) -> None:
    page = rng.randrange(len(data) // _PAGE)
    data[page * _PAGE + rng.randrange(120)] ^= 1 << rng.randrange(8)


def _zero(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) // _PAGE) * _PAGE
    data[at : at + _PAGE] = bytes(_PAGE)


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _copy_a_page(data: bytearray, rng: random.Random) -> None:
    source, target = (rng.randrange(len(data) // _PAGE) * _PAGE for _ in range(2))
    data[target : target + _PAGE] = data[source : source + _PAGE]


def _swap_pages(data: bytearray, rng: random.Random) -> None:
    one, other = (rng.randrange(len(data) // _PAGE) * _PAGE for _ in range(2))
    data[one : one + _PAGE], data[other : other + _PAGE] = (
        data[other : other + _PAGE],
        data[one : one + _PAGE],
    )


def _by_sql(statement: str) -> Damage:
    """A file that SQLite finds whole, and that is not what was written."""

    def damage(data: bytearray, rng: random.Random) -> None:
        modes = data[18:20]  # the header says that there is a log, which a database in memory cannot have
        data[18:20] = b"\1\1"
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            db.deserialize(bytes(data))
            db.create_function("draw", 0, rng.random)
            db.create_function("number", 2, rng.randrange)
            db.execute(statement, {"name": rng.choice(list(ROOMS)), "other": rng.choice(list(ROOMS))})
            data[:] = db.serialize()
        data[18:20] = modes

    damage.__name__ = statement
    return damage


_ROOM = "(SELECT id FROM rooms WHERE name = :name)"
_OTHER = "(SELECT id FROM rooms WHERE name = :other)"
_A_ROW = f"seq IN (SELECT seq FROM updates WHERE room = {_ROOM} ORDER BY draw() LIMIT number(1, 4))"
_A_ROOM = "WHERE name = :name AND deleted IS NULL"
_STATEMENTS = (
    f"DELETE FROM updates WHERE {_A_ROW}",
    f"DELETE FROM updates WHERE room = {_ROOM}",
    f"UPDATE OR REPLACE updates SET room = {_OTHER} WHERE {_A_ROW}",
    f"UPDATE OR IGNORE updates SET number = number(-9, 500) WHERE {_A_ROW}",
    f"UPDATE updates SET number = NULL WHERE {_A_ROW}",
    f"UPDATE updates SET data = (SELECT data FROM updates WHERE room = {_OTHER} LIMIT 1) WHERE {_A_ROW}",
    f"UPDATE rooms SET head = head + number(-5, 6) {_A_ROOM}",
    f"UPDATE rooms SET absorbed = absorbed + number(-5, 6) {_A_ROOM}",
    f"UPDATE rooms SET head = 'many', absorbed = number(-2, 2) {_A_ROOM}",
    f"UPDATE rooms SET deleted = 1 {_A_ROOM}",
    f"UPDATE rooms SET settings = number(0, 5) {_A_ROOM}",
    f"UPDATE OR IGNORE rooms SET name = :other || number(0, 3) {_A_ROOM}",
    "UPDATE OR IGNORE rooms SET id = number(100, 900) WHERE name = :name",
    "DELETE FROM rooms WHERE name = :name",
)


DAMAGES: tuple[Damage, ...] = (
    _flip,
    _flip_in_a_small_table,
    _flip_at_the_start_of_a_page,
    _zero,
    _cut,
    _copy_a_page,
    _swap_pages,
    *map(_by_sql, _STATEMENTS),
)


async def losses(
    content: bytes, rows: dict[str, list[bytes]], path: Path, seed: int, damages: Sequence[Damage] = ()
) -> list[str]:
    """Damage a file by a seed, in one of these ways; what has gone missing of it without a word."""
    rng = random.Random(seed)
    data = bytearray(content)
    # Half of them below SQLite alone: there is more to be drawn in it.
    damage = rng.choice(damages or (DAMAGES if rng.random() < 0.5 else DAMAGES[: -len(_STATEMENTS)]))
    damage(data, rng)
    path.write_bytes(data)  # noqa: ASYNC240 - a test
    await _check(path)
    found: list[str] = []
    storage = SqliteRoomStorage(path, synchronous="NORMAL")  # nothing is lost but by us
    try:
        await storage.open()
    except StorageError:
        return []
    try:
        for name, written in rows.items():
            try:
                stored = await storage.load(name)
            except RoomDeletedError:
                found.append(f"{damage.__name__}: room {name!r} is said to be deleted")
            except RoomDamagedError as error:
                if not error.rows:
                    continue
                found += [
                    f"{damage.__name__}: {loss}" for loss in await _set_aside(storage, name, written, error)
                ]
            except StorageError:
                continue
            else:
                if sorted(stored.rows) != sorted(written):
                    found.append(f"{damage.__name__}: room {name!r} has {len(stored.rows)} rows")
                if stored.settings != ({"gc": False} if name == "small" else {}):
                    found.append(f"{damage.__name__}: room {name!r} has settings {stored.settings}")
        with suppress(StorageError):
            found.append(f"{damage.__name__}: the deleted room has {(await storage.load('gone')).rows}")
    finally:
        with suppress(StorageError):
            await storage.close()
    return found


async def _check(path: Path) -> None:
    """What ``weft db check`` reads of it; whatever is in there, it raises nothing else."""
    with suppress(StorageError):
        async with read_sqlite(str(path)) as reader:
            await reader.damage()
            async for info in reader.all_rooms():
                room = await reader.read(info.name)
                if room is not None:
                    problems_of(room)


async def _set_aside(
    storage: SqliteRoomStorage, name: str, written: list[bytes], error: RoomDamagedError
) -> list[str]:
    """Go on as a server does; what the room lacks then beside the rows that were set aside."""
    count = 0
    with suppress(StorageError):
        for _ in range(_ATTEMPTS):
            await storage.set_aside(name, error.rows)
            count += len(error.rows)
            try:
                rows = (await storage.load(name)).rows
            except RoomDamagedError as more:
                if not more.rows:
                    raise
                error = more
                continue
            if len(rows) + count != len(written) or not set(rows) <= set(written):
                return [f"room {name!r} has {len(rows)} rows, and {count} were set aside"]
            if len(await storage.quarantined(name)) != count:
                return [f"of room {name!r} {count} rows were set aside, and are not there"]
            break
    return []


async def _run(count: int) -> int:
    logging.disable()
    silent = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rooms.sqlite3"
        rows = await make_database(path)
        content = path.read_bytes()
        for seed in range(count):
            for each in [Path(folder) / name for name in ("d", "d-wal", "d-shm")]:
                each.unlink(missing_ok=True)
            for loss in await losses(content, rows, Path(folder) / "d", seed):
                silent += 1
                print(f"seed {seed}: {loss}")
    print(f"{count} damaged files, {silent} losses without a word")
    return silent


if __name__ == "__main__":
    sys.exit(asyncio.run(_run(int(sys.argv[1]))) > 0)
