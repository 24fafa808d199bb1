"""``weft db check``: whether every room can be read and loaded, and what is wrong where it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.documents import UpdateLog
from weft.documents.mergeable.log import unreadable_rows
from weft.errors import RemoteProtocolError
from weft.server.storage.address import reading
from weft.server.storage.contract import kind_of
from weft.server.storage.reading import problems_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft.server.storage.reading import ReadRoom, ReadRow

__all__ = ["check", "shown_name", "update_problems"]


async def check(address: str, *, say: Callable[[str], object]) -> bool:
    """Say what is wrong with a storage; whether nothing is.

    Raises:
        StorageError: It cannot be read at all.
    """
    count = rows = wrong = 0
    async with reading(address) as reader:
        for problem in await reader.damage():
            wrong += 1
            say(problem)
        names = [info.name async for info in reader.all_rooms()]
        for name in [*names, *await reader.deleted()]:
            room = await reader.read(name)
            if room is None:  # its name is not found by the index: the damage above
                continue
            count, rows = count + (not room.is_deleted), rows + len(room.rows)
            for row in room.set_aside:
                say(f"room {shown_name(name)}: row {row.number} was set aside: {row.reason}")
            for problem in _problems(room):
                wrong += 1
                say(f"room {shown_name(name)}: {problem}")
    say(f"{count} rooms, {rows} rows: {f'{wrong} problems' if wrong else 'all is well'}.")
    return not wrong


def _problems(room: ReadRoom) -> list[str]:
    return problems_of(room) + update_problems(room.name, [row for row in room.rows if row.is_intact])


def update_problems(name: str, rows: Sequence[ReadRow]) -> list[str]:
    """Which rows keep a room from being loaded; each in a sentence.

    Raises:
        ImportError: It is an Automerge document, and a package is missing for it.
    """
    match kind_of(name):
        case "yjs":
            return _yjs_problems(rows)
        case "automerge":
            return _automerge_problems(rows)
        case "mergeable":
            faults = unreadable_rows([row.data for row in rows])
            return [f"row {rows[at].number}: no mergeable changes: {fault}" for at, fault in faults.items()]


def _yjs_problems(rows: Sequence[ReadRow]) -> list[str]:
    log = UpdateLog()
    problems = []
    for row in rows:
        try:
            log.add(row.data, stored=True)
        except RemoteProtocolError as error:
            problems.append(f"row {row.number}: not a Yjs update: {error}")
    return problems


def _automerge_problems(rows: Sequence[ReadRow]) -> list[str]:
    from weft.documents import AutomergeDocument

    try:
        AutomergeDocument.from_rows(row.data for row in rows)
    except RemoteProtocolError as whole:
        problems = []
        for row in rows:
            try:
                AutomergeDocument.from_rows([row.data])
            except RemoteProtocolError as error:
                problems.append(f"row {row.number}: no Automerge changes: {error}")
        return problems or [f"its rows cannot be loaded together: {whole}"]
    return []


def shown_name(name: str) -> str:
    """A room's name as it is said, and as the commands take it: that of a Yjs room is without its kind."""
    return name.removeprefix("\x1f")
