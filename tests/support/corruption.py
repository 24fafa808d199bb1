"""A damaged SQLite file of rooms: what a server still gives of it, and whether it says what is missing.

``PYTHONPATH=tests python -m support.corruption 5000`` tries so many damaged files.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from weft.errors import RoomDeletedError, StorageError
from weft.server.storage import SqliteRoomStorage
from weft.testing.storage import join_updates

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DAMAGES", "losses", "make_database"]

_PAGE = 4096
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


DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip,
    _flip_in_a_small_table,
    _flip_at_the_start_of_a_page,
    _zero,
    _cut,
    _copy_a_page,
)


async def losses(content: bytes, rows: dict[str, list[bytes]], path: Path, seed: int) -> list[str]:
    """Damage a file by a seed; what has gone missing of it without a word."""
    rng = random.Random(seed)
    data = bytearray(content)
    damage = rng.choice(DAMAGES)
    damage(data, rng)
    path.write_bytes(data)  # noqa: ASYNC240 - a test
    found: list[str] = []
    storage = SqliteRoomStorage(path)
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
