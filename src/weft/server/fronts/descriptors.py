"""How many connections the descriptors of a process suffice for.

Where there are none left an event loop that accepts goes round and round: asyncio's, of Python 3.11, logs a
traceback for each place in the backlog. So some are kept free, and who comes beyond is cut off at once.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["accepts_at_once", "deepen_backlog", "max_descriptors"]

_MANY = 1_000_000
# Bursts that are kept free: a connection is cut off a few turns of the loop after it was accepted, and
# storage opens files.
_BURSTS_FREE = 8


def accepts_at_once() -> int:
    """How many connections an event loop may accept in one go."""
    return max(4, min(64, _soft_limit() // 64))


def max_descriptors() -> int:
    """How many more the process may have, beside some that are kept free; at least one."""
    used = 32
    with suppress(OSError):  # not Linux
        used = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are not needed
    return max(1, _soft_limit() - used - _BURSTS_FREE * accepts_at_once())


def deepen_backlog(listening: Iterable[object], size: int) -> None:
    """Have the system hold so many connections until they are accepted, whatever the event loop asked for."""
    if sys.platform == "win32":  # whose sockets are no descriptors
        return
    for each in listening:
        number = each.fileno()  # type: ignore[attr-defined]
        with socket.socket(fileno=os.dup(number)) as shared:
            shared.listen(size)


def _soft_limit() -> int:
    if sys.platform == "win32":  # which has no such bound
        return _MANY
    import resource  # noqa: PLC0415 - not there

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MANY if soft == resource.RLIM_INFINITY else min(soft, _MANY)
