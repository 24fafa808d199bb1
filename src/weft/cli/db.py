"""``weft db``: what is done to a server's storage from outside."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from weft.cli.db_check import shown_name
from weft.cli.db_rooms import confirm, key_of, writing
from weft.cli.db_transfer import export, import_rooms
from weft.cli.output import say
from weft.errors import StorageError
from weft.protocols.automerge_repo import document_url
from weft.server.bridge_id import bridge_document_id, bridge_path
from weft.server.storage import DELETED, storage_at
from weft.server.storage.address import reading
from weft.server.storage.contract import kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.documents import Compactor
    from weft.server.storage import RoomStorage
    from weft.server.storage.contract import RoomInfo

__all__ = ["back_up", "compact", "delete", "export_rooms", "import_file", "init", "list_rooms"]


async def init(address: str) -> None:
    """Make the tables, if they are not there."""
    storage = storage_at(address)
    await storage.init()
    say(f"{storage.place} is ready.")


async def list_rooms(address: str, *, prefix: str, after: str, limit: int | None, as_json: bool) -> None:
    """List the rooms in the order of their names."""
    line = _json_line if as_json else _line
    after, left = key_of(after) if after else "", limit
    prefix = key_of(prefix)
    async with reading(address) as reader:
        if not as_json:
            say(f"{'bytes':>12} {'rows':>8} {'head':>8} {'kind':<9} name")
        while left is None or left > 0:
            page = await reader.rooms(prefix, after=after, limit=1000 if left is None else min(left, 1000))
            if not page:
                break
            for room in page:
                say(line(room))
            after = page[-1].name
            left = None if left is None else left - len(page)


def _line(room: RoomInfo) -> str:
    return f"{room.size:>12} {room.rows:>8} {room.head:>8} {room.kind:<9} {shown_name(room.name)}"


def _json_line(room: RoomInfo) -> str:
    return json.dumps(
        {
            "name": shown_name(room.name),
            "kind": room.kind,
            "bytes": room.size,
            "rows": room.rows,
            "head": room.head,
        }
    )


async def export_rooms(address: str, file: str, rooms: Sequence[str]) -> None:
    """Write rooms to a file, or to the standard output."""
    names = _keys(rooms)
    from weft.server.storage.backup import new_file

    if file == "-":
        await export(address, names, write=sys.stdout.write)
        sys.stdout.flush()
        return
    with new_file(file) as part, Path(part).open("w", encoding="ascii") as lines:
        count = await export(address, names, write=lines.write)
    say(f"{count} rooms are in {file}.")


async def import_file(address: str, file: str) -> bool:
    """Add the rooms of such a file; whether all could be."""
    async with writing(address, make=True) as storage:
        if file == "-":
            return await import_rooms(storage, sys.stdin, say=say)
        with Path(file).open(encoding="ascii", errors="replace") as lines:
            return await import_rooms(storage, lines, say=say)


async def back_up(address: str, file: str) -> None:
    """Copy all rooms to a SQLite file."""
    from weft.server.storage import backup

    await backup.back_up(address, file)
    say(f"{file} has all rooms: it is a SQLite file that weft serve, and weft db, take as it is.")


async def delete(address: str, room: str, *, yes: bool, free: bool) -> bool:
    """Delete a room, if nobody says no; whether it was."""
    name = key_of(room)
    async with writing(address) as storage:
        await _expect(storage, name)
        others = await _other_sides(storage, name)
        if others:
            there = " and ".join(map(shown_name, others))
            say(
                f"There is {there}, too, with which weft serve --bridge keeps it equal: it opens none while "
                "one of them is deleted, and brings back what was freed. To be rid of all, delete all."
            )
        if not yes and not confirm(f"Delete room {shown_name(name)!r} of {storage.place} for good?"):
            say("Nothing was deleted.")
            return False
        await storage.delete(name)
        if free:
            await storage.free(name)
    say(
        f"Room {shown_name(name)} is deleted"
        + ("; its name may be used again." if free else ", and its name stays taken.")
    )
    return True


async def _other_sides(storage: RoomStorage, name: str) -> list[str]:
    """The names of what is there and would be bridged with a room of any kind."""
    room = await _room_of(storage, name)
    if room is None:
        return []
    sides = (room, key_of(document_url(bridge_document_id(room))), key_of(f"mergeable:{bridge_path(room)}"))
    heads = await storage.heads([side for side in sides if side != name])
    return [side for side, head in heads.items() if head > 0]


async def _room_of(storage: RoomStorage, name: str) -> str | None:
    """The Yjs room that would be bridged with a room of any kind; ``None`` where that is not known."""
    if kind_of(name) != "automerge":
        return _yjs_name(name)
    after = ""
    while page := await storage.rooms(after=after):
        for room in (_yjs_name(info.name) for info in page if info.kind != "automerge"):
            if key_of(document_url(bridge_document_id(room))) == name:
                return room
        after = page[-1].name
    return None


def _yjs_name(name: str) -> str:
    path = shown_name(name).removeprefix("mergeable:")
    return name if kind_of(name) == "yjs" else unquote(path)


async def compact(address: str, rooms: Sequence[str]) -> None:
    """Compact rooms, or all of them."""
    names = _keys(rooms)
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
    kind = kind_of(name)
    if kind == "automerge":
        from weft.documents.automerge.log import compact_changes

        return compact_changes
    if kind == "mergeable":
        from weft.documents.mergeable.log import compact_rows

        return compact_rows
    from weft.documents import compact_updates

    return partial(compact_updates, gc=gc)


async def _expect(storage: RoomStorage, name: str) -> None:
    head = (await storage.heads([name])).get(name)
    if head is None or head == DELETED:
        raise StorageError(f"there is no room {shown_name(name)!r}" + (", it was deleted" if head else ""))


def _keys(names: Sequence[str]) -> list[str]:
    return [key_of(name) for name in names]
