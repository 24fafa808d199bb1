"""``weft db``: what is done to a server's storage from outside."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from weft.cli.db_check import check, shown_name
from weft.cli.db_quarantine import quarantine
from weft.cli.db_rooms import key_of, writing
from weft.cli.db_transfer import export, import_rooms
from weft.errors import StorageError
from weft.server.storage import DELETED, storage_at
from weft.server.storage.address import reading

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from weft.documents import Compactor
    from weft.server.storage import RoomStorage

__all__ = ["run"]


async def run(options: Namespace, *, say: Callable[[str], None]) -> bool:
    """Do what a command line asks for; whether all went well.

    Args:
        options: Of :mod:`weft.cli.db_options`.
        say: Prints a line.

    Raises:
        ImportError: A package is missing for the storage.
        StorageError: It could not be done.
        OSError: A file cannot be read or written.
    """
    match options.db_command:
        case "init":
            await _init(options.address, say=say)
        case "check":
            return await check(options.address, say=say)
        case "rooms":
            await _list(options, say=say)
        case "export":
            await _export(options.address, options.file, _keys(options.room), say=say)
        case "import":
            return await _import(options.address, options.file, say=say)
        case "backup":
            await _back_up(options.address, options.file, say=say)
        case "delete":
            return await _delete(options, say=say)
        case "quarantine":
            await quarantine(options, say=say)
        case "compact":
            await _compact(options.address, _keys(options.room), say=say)
    return True


async def _init(address: str, *, say: Callable[[str], None]) -> None:
    storage = storage_at(address)
    await storage.init()
    say(f"{storage.place} is ready.")


async def _list(options: Namespace, *, say: Callable[[str], None]) -> None:
    after, left = key_of(options.after) if options.after else "", options.limit
    prefix = key_of(options.prefix)
    async with reading(options.address) as reader:
        say(f"{'bytes':>12} {'rows':>8} {'head':>8} {'kind':<9} name")
        while left is None or left > 0:
            page = await reader.rooms(prefix, after=after, limit=1000 if left is None else min(left, 1000))
            if not page:
                break
            for room in page:
                say(f"{room.size:>12} {room.rows:>8} {room.head:>8} {room.kind:<9} {shown_name(room.name)}")
            after = page[-1].name
            left = None if left is None else left - len(page)


async def _export(address: str, file: str, names: Sequence[str], *, say: Callable[[str], None]) -> None:
    from weft.server.storage.backup import new_file  # noqa: PLC0415 - and sqlite3 with it

    if file == "-":
        await export(address, names, write=sys.stdout.write)
        sys.stdout.flush()
        return
    with new_file(file) as part, Path(part).open("w", encoding="ascii") as lines:
        count = await export(address, names, write=lines.write)
    say(f"{count} rooms are in {file}.")


async def _import(address: str, file: str, *, say: Callable[[str], None]) -> bool:
    async with writing(address, make=True) as storage:
        if file == "-":
            return await import_rooms(storage, sys.stdin, say=say)
        with Path(file).open(encoding="ascii", errors="replace") as lines:
            return await import_rooms(storage, lines, say=say)


async def _back_up(address: str, file: str, *, say: Callable[[str], None]) -> None:
    from weft.server.storage.backup import back_up  # noqa: PLC0415 - and sqlite3 with it

    await back_up(address, file)
    say(f"{file} has all rooms: it is a SQLite file that weft serve, and weft db, take as it is.")


async def _delete(options: Namespace, *, say: Callable[[str], None]) -> bool:
    name = key_of(options.room)
    async with writing(options.address) as storage:
        await _expect(storage, name)
        if not options.yes and not _confirm(f"Delete room {shown_name(name)!r} of {storage.place} for good?"):
            say("Nothing was deleted.")
            return False
        await storage.delete(name)
        if options.free:
            await storage.free(name)
    say(
        f"Room {shown_name(name)} is deleted"
        + ("; its name may be used again." if options.free else ", and its name stays taken.")
    )
    return True


async def _compact(address: str, names: Sequence[str], *, say: Callable[[str], None]) -> None:
    async with writing(address) as storage:
        after = ""
        while True:
            page = names or [info.name for info in await storage.rooms(after=after)]
            for name in page:
                await _expect(storage, name)
                stored = await storage.load(name)
                before = sum(map(len, stored.rows))
                gc = stored.settings.get("gc") is not False
                left = await storage.compact(name, _compactor(name, gc=gc))
                told = "nothing to gain" if left is None else f"{before} bytes are {left} now"
                say(f"room {shown_name(name)}: {told}")
            if names or not page:
                return
            after = page[-1]


def _compactor(name: str, *, gc: bool) -> Compactor:
    if name.startswith("\x1f"):
        from weft.documents.automerge.log import compact_changes  # noqa: PLC0415 - an extra

        return compact_changes
    from weft.documents import compact_updates  # noqa: PLC0415 - who does something else need not load it

    return partial(compact_updates, gc=gc)


async def _expect(storage: RoomStorage, name: str) -> None:
    head = (await storage.heads([name])).get(name)
    if head is None or head == DELETED:
        raise StorageError(f"there is no room {shown_name(name)!r}" + (", it was deleted" if head else ""))


def _confirm(question: str) -> bool:
    if not sys.stdin.isatty():
        raise StorageError("this is for good: say --yes")
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def _keys(names: Sequence[str]) -> list[str]:
    return [key_of(name) for name in names]
