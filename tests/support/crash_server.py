"""``weft serve`` with a twist, for tests that kill it: ``python crash_server.py TWIST serve ...``."""

from __future__ import annotations

import asyncio
import importlib
import resource
import sys
import threading
from typing import TYPE_CHECKING

from weft import cli
from weft.server import Allow, Request, Server
from weft.server._core import registry, room_log
from weft.server.storage.group_commit import GroupCommit
from weft.server.storage.replacement import Replacement
from weft.server.storage.sqlite_rooms import SqliteRooms

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.server.storage.group_commit import Batch


def compact_all_the_time() -> None:
    """So that a kill meets it at that."""
    room_log._LIVE_ROWS = 40
    room_log._IDLE_ROWS = 2


def acknowledge_too_early() -> None:
    """Say that everything is durable, and write it much later."""
    write = GroupCommit._start_writing

    async def stored(self: GroupCommit, ticket: int) -> None:
        pass

    def start_writing(self: GroupCommit) -> None:
        if len(self._queue) > 10_000:
            write(self)

    GroupCommit.stored = stored  # type: ignore[method-assign]
    GroupCommit._start_writing = start_writing  # type: ignore[method-assign]


def limit_memory() -> None:
    """512 MiB of what may be written to: threads and malloc reserve much more address space than they use."""
    resource.setrlimit(resource.RLIMIT_DATA, (512 * 1024 * 1024, 512 * 1024 * 1024))


def _end_soon(seconds: float = 20.0) -> None:
    """With deadlines of a second, so that a test need not wait for longer; and that one whatever happens."""
    vars(importlib.import_module("weft.cli.serve"))["_EXIT_TIMEOUT"] = seconds
    registry._LAST_COMPACTIONS = 0.1
    assert Server.__init__.__kwdefaults__ is not None
    Server.__init__.__kwdefaults__["shutdown_timeout"] = 1.0


def hang_in_the_hook() -> None:
    """An auth hook that does not answer for a room called so."""
    _end_soon()

    async def auth(request: Request) -> Allow:
        if request.room == "hang":
            print("hanging", file=sys.stderr, flush=True)
            await asyncio.Event().wait()
        return Allow()

    vars(importlib.import_module("weft.cli.serve"))["allow_all"] = auth


def hang_in_storage() -> None:
    """A write that does not end."""
    _end_soon(4.0)
    insert = SqliteRooms.insert

    def hanging(self: SqliteRooms, batch: Batch) -> dict[str, int]:
        if "hang" in batch:
            print("hanging", file=sys.stderr, flush=True)
            threading.Event().wait()
        return insert(self, batch)

    SqliteRooms.insert = hanging  # type: ignore[method-assign]


def compact_for_ever() -> None:
    """A compaction that does not end."""
    _end_soon()
    room_log._LIVE_ROWS = 5

    def hanging(*_: object) -> None:
        print("hanging", file=sys.stderr, flush=True)
        threading.Event().wait()

    Replacement.of = hanging  # type: ignore[method-assign, assignment]


TWISTS: dict[str, Callable[[], None]] = {
    "compacting": compact_all_the_time,
    "hanging compaction": compact_for_ever,
    "hanging hook": hang_in_the_hook,
    "hanging storage": hang_in_storage,
    "limited": limit_memory,
    "lying": acknowledge_too_early,
}

if __name__ == "__main__":
    TWISTS[sys.argv[1]]()
    sys.exit(cli.main(sys.argv[2:]))
