"""The event loop that the command line runs on: uvloop's where it is installed."""

from __future__ import annotations

import asyncio

__all__ = ["new_event_loop"]


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop of uvloop's (``weft[uvloop]``), or asyncio's own.

    The library leaves the loop to the program; a command is a program.
    """
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
