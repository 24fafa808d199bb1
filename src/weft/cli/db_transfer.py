"""``weft db export`` and ``import``: rooms as a file of JSON lines, which docs/operating.md describes."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from itertools import islice
from typing import TYPE_CHECKING, Any

from weft.cli.db_check import shown_name, update_problems
from weft.errors import RoomDeletedError, StorageError
from weft.server.names import check_room
from weft.server.storage.address import reading
from weft.server.storage.reading import ReadRow, problems_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from weft.server.storage import RoomStorage
    from weft.server.storage.reading import ReadRoom

__all__ = ["export", "import_rooms"]

_FORMAT = 1


async def export(address: str, names: Sequence[str], *, write: Callable[[str], object]) -> int:
    """Write rooms as of one moment; returns how many they were.

    Args:
        address: Of the storage.
        names: Of rooms; none for all.
        write: Takes a line at a time.

    Raises:
        StorageError: One of the rooms is not there, or damaged.
    """
    write(_line({"weft": "rooms", "format": _FORMAT}))
    count = 0
    async with reading(address) as reader:
        for name in names or [info.name async for info in reader.all_rooms()]:
            room = await reader.read(name)
            if room is None or room.is_deleted:
                raise StorageError(f"there is no room {shown_name(name)!r}")
            _write_room(room, write)
            count += 1
    write(_line({"rooms": count}))
    return count


def _write_room(room: ReadRoom, write: Callable[[str], object]) -> None:
    problems = problems_of(room)
    if problems:
        raise StorageError(f"room {shown_name(room.name)!r}: {problems[0]}; see weft db check")
    settings = json.loads(room.settings)
    write(_line({"room": room.name, "head": room.head, "rows": len(room.rows), "settings": settings}))
    for row in room.rows:
        update = base64.b64encode(row.data).decode()
        write(_line({"number": row.number, "crc32": zlib.crc32(row.data), "update": update}))


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":")) + "\n"


async def import_rooms(storage: RoomStorage, lines: Iterable[str], *, say: Callable[[str], object]) -> bool:
    """Add the rooms of a file to a storage; whether all could be.

    A room is read whole and found right before anything of it is stored. Rows that a room has already are
    left out, and nothing is taken from it: updates merge.

    Args:
        storage: Open.
        lines: The file.
        say: Prints a line.

    Raises:
        StorageError: It is no such file, or damaged, or ends too early; rooms before that have been imported.
    """
    records = enumerate(map(_read, lines), 1)
    _, head = next(records, (0, {}))
    if head.get("weft") != "rooms" or head.get("format") != _FORMAT:
        raise StorageError("this is no export of weft's, or of a newer weft")
    are_all = True
    names: list[str] = []
    for number, record in records:
        if "rooms" in record:
            if record["rooms"] != len(names):
                raise StorageError(f"line {number}: the file should have {record['rooms']} rooms")
            return are_all
        name = record.get("room")
        if not isinstance(name, str) or not isinstance(record.get("rows"), int):
            raise StorageError(f"line {number}: a room was to begin here")
        rows = [_row(at, row) for at, row in islice(records, record["rows"])]
        if len(rows) < record["rows"]:
            break
        names.append(name)
        try:
            if not name.startswith("\x1f"):
                check_room(name)
            problems = update_problems(name, rows)
            if problems:
                raise StorageError(problems[0])
            added = await _add(storage, name, rows, record.get("settings", {}))
        except RoomDeletedError:
            are_all = False
            say(f"room {shown_name(name)}: left out, as a room of this name was deleted")
        except (StorageError, ValueError) as error:
            raise StorageError(f"room {shown_name(name)!r}: {error}") from error
        else:
            say(f"room {shown_name(name)}: {added} rows added, {len(rows) - added} were there")
    raise StorageError("the file ends too early; the rooms that are whole in it have been imported")


async def _add(storage: RoomStorage, name: str, rows: Sequence[ReadRow], settings: dict[str, Any]) -> int:
    stored = await storage.load(name)
    there = set(stored.rows)
    new = [row.data for row in rows if row.data not in there]
    ticket = 0
    for update in new:
        ticket = storage.append(name, update)
    await storage.stored(ticket)
    if settings and not stored.head and not stored.settings:
        await storage.configure(name, settings)
    return len(new)


def _read(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    return record if isinstance(record, dict) else {}


def _row(line: int, record: dict[str, Any]) -> ReadRow:
    try:
        number, crc = record["number"], record["crc32"]
        data = base64.b64decode(record["update"], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise StorageError(f"line {line}: a row was to be here") from error
    if zlib.crc32(data) != crc:
        raise StorageError(f"line {line}: the update does not match its checksum")
    return ReadRow(number, data, True)
