"""``weft db quarantine``: rows that could not be read, and were set aside."""

from __future__ import annotations

from pathlib import Path

from weft.cli.db_check import shown_name
from weft.cli.db_rooms import key_of, writing
from weft.cli.output import say
from weft.errors import StorageError
from weft.server.storage.address import reading

__all__ = ["list_rows", "restore", "show"]


async def list_rows(address: str) -> None:
    """Say which there are, and why."""
    async with reading(address) as reader:
        rows = await reader.quarantined()
    for row in rows:
        say(f"room {shown_name(row.room)}: row {row.number}, {len(row.data)} bytes: {row.reason}")
    say(f"{len(rows)} rows are set aside.")


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
