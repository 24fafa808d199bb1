"""``weft serve`` with a twist, for tests that kill it: ``python crash_server.py TWIST serve ...``."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING

from weft import cli
from weft.server._core import room_log
from weft.server.storage.group_commit import GroupCommit

if TYPE_CHECKING:
    from collections.abc import Callable


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


TWISTS: dict[str, Callable[[], None]] = {
    "compacting": compact_all_the_time,
    "limited": limit_memory,
    "lying": acknowledge_too_early,
}

if __name__ == "__main__":
    TWISTS[sys.argv[1]]()
    sys.exit(cli.main(sys.argv[2:]))
