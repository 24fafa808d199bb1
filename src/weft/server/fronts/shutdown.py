"""Closing what a server has, one after the other, whatever becomes of each."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from weft.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

__all__ = ["close_each"]

_log = logging.getLogger("weft.server")

# Seconds that each has, even where those before it have used up the time.
_LEAST = 0.5


async def close_each(seconds: float, parts: Sequence[tuple[str, Callable[[], Awaitable[None]]]]) -> None:
    """Close every part, in order, each within what is left of the time.

    One that does not end is cancelled and left behind: it may wait for a thread, which nobody can end.

    Args:
        seconds: For all of them; each has half a second in any case.
        parts: Their names, and what closes them.

    Raises:
        Exception: What the first raised that failed, or a ``StorageError`` that says that it did not end. Of
            the others it is logged.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    first: BaseException | None = None
    for name, close in parts:
        task = asyncio.ensure_future(close())
        await asyncio.wait([task], timeout=max(_LEAST, end - loop.time()))
        error: BaseException | None
        if not task.done():
            task.cancel()
            error = StorageError(f"{name} did not finish within {seconds:g} s")
        elif task.cancelled():
            error = StorageError(f"{name}: its closing was cancelled")
        else:
            error = task.exception()
        if error is not None and first is not None:
            _log.error("%s could not be closed: %s", name, error)
        first = first or error
    if first is not None:
        raise first
