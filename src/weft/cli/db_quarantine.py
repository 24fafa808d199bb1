"""``weft db quarantine`` and ``weft db accept``: rows that could not be read, or are missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from weft.cli.db_check import shown_name
from weft.cli.db_rooms import confirm, key_of, writing
from weft.cli.output import say
from weft.errors import StorageError
from weft.server.storage.address import reading
from weft.server.storage.reading import is_complete, problems_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from weft.server.storage import QuarantinedRow

__all__ = ["accept", "discard", "list_rows", "restore", "show"]


async def list_rows(address: str, *, as_json: bool) -> None:
    """Say which there are, and why."""
    async with reading(address) as reader:
        rows = await reader.quarantined()
    for row in rows:
        say(_json_line(row) if as_json else _line(row))
    if not as_json:
        say(f"{len(rows)} rows are set aside.")


def _json_line(row: QuarantinedRow) -> str:
    return json.dumps(
        {"room": shown_name(row.room), "row": row.number, "bytes": len(row.data), "reason": row.reason}
    )


async def show(address: str, room: str, number: int, *, file: str | None) -> None:
    """Print a row's bytes, or write them to a file that is not there yet.

    Raises:
        StorageError: There is none of that number, or the storage cannot be used.
        OSError: The file cannot be written.
    """
    async with reading(address) as reader:
        rows = await reader.quarantined(key_of(room))
    for row in rows:
        if row.number == number:
            if file is None:
                say(row.data.hex())
            else:
                with Path(file).open("xb") as bytes_file:
                    bytes_file.write(row.data)
            return
    raise StorageError(f"no row {number} of room {room!r} was set aside")


async def restore(address: str, room: str, number: int) -> None:
    """Put a row back into its room.

    Raises:
        StorageError: There is none of that number, or the storage cannot be used.
    """
    async with writing(address) as storage:
        new = await storage.restore(key_of(room), number)
    say(f"Row {number} of room {room} is row {new} of it now.")


async def discard(address: str, room: str, numbers: Collection[int], *, yes: bool) -> bool:
    """Delete rows, all of the room if no number is given, if nobody says no; whether they were.

    Raises:
        StorageError: There are none, or the storage cannot be used.
    """
    name = key_of(room)
    async with writing(address) as storage:
        rows = [row for row in await storage.quarantined(name) if not numbers or row.number in numbers]
        if not rows:
            raise StorageError(f"no such row of room {room!r} was set aside")
        for row in rows:
            say(_line(row))
        if not yes and not confirm(f"Delete these {len(rows)} rows of {storage.place} for good?"):
            say("Nothing was deleted.")
            return False
        count = await storage.discard(name, [row.number for row in rows])
    say(f"{count} rows are deleted.")
    return True


async def accept(address: str, room: str, *, yes: bool) -> bool:
    """Have a room be opened without rows that are missing, if nobody says no; whether it is.

    Raises:
        StorageError: There is no such room, or the storage cannot be used.
    """
    name = key_of(room)
    async with reading(address) as reader:
        found = await reader.read(name)
    if found is None or found.is_deleted:
        raise StorageError(f"there is no room {room!r}")
    if is_complete(found):
        say(f"No row of room {room} is missing.")
        return True
    for problem in problems_of(found):
        say(f"room {room}: {problem}")
    async with writing(address) as storage:
        if not yes and not confirm(f"Open room {room!r} of {storage.place} as it is?"):
            say("Nothing was changed.")
            return False
        await storage.accept_missing(name)
    say(f"Room {room} opens as it is from now on.")
    return True


def _line(row: QuarantinedRow) -> str:
    return f"room {shown_name(row.room)}: row {row.number}, {len(row.data)} bytes: {row.reason}"
