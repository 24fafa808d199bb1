"""``weft db quarantine``: rows that could not be read, and were set aside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from weft.cli.db_check import shown_name
from weft.cli.db_rooms import key_of, writing
from weft.errors import StorageError
from weft.server.storage.address import reading

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

__all__ = ["quarantine"]


async def quarantine(options: Namespace, *, say: Callable[[str], None]) -> None:
    """List them, show one, or put one back.

    Raises:
        StorageError: There is none of that number, or the storage cannot be used.
        OSError: The file cannot be written.
    """
    match options.quarantine_command:
        case "list":
            async with reading(options.address) as reader:
                rows = await reader.quarantined()
            for row in rows:
                say(f"room {shown_name(row.room)}: row {row.number}, {len(row.data)} bytes: {row.reason}")
            say(f"{len(rows)} rows are set aside.")
        case "show":
            await _show(options, say=say)
        case _:
            async with writing(options.address) as storage:
                number = await storage.restore(key_of(options.room), options.number)
            say(f"Row {options.number} of room {options.room} is row {number} of it now.")


async def _show(options: Namespace, *, say: Callable[[str], None]) -> None:
    async with reading(options.address) as reader:
        rows = await reader.quarantined(key_of(options.room))
    for row in rows:
        if row.number == options.number:
            if options.file is None:
                say(row.data.hex())
            else:
                with Path(options.file).open("xb") as file:
                    file.write(row.data)
            return
    raise StorageError(f"no row {options.number} of room {options.room!r} was set aside")
