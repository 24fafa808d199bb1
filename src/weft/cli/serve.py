"""``weft serve``: a server until somebody ends it."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from weft._support.urls import is_loopback
from weft.cli.exit_deadline import ExitDeadline
from weft.cli.memory_return import MemoryReturn
from weft.protocols.automerge_repo import document_url
from weft.server import Operations, Server, allow_all, allow_tokens, bridge_document_id
from weft.server.fanout import broadcast_at
from weft.server.storage import storage_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft.limits import Limits, ServerLimits
    from weft.server import RoomSettings

__all__ = ["serve"]

_log = logging.getLogger("weft.server")

# Seconds from the signal to the end, whatever happens: the server takes 21 at most (see Server.close), and
# service managers give 30.
_EXIT_TIMEOUT = 25.0


async def serve(
    *,
    host: str,
    port: int,
    db: str,
    broker: str | None,
    broker_prefix: str,
    origins: Sequence[str] | None,
    bridge: Sequence[str],
    shared: bool,
    proxies: Sequence[str],
    metrics: tuple[str, int] | None,
    limits: Limits,
    server_limits: ServerLimits,
    settings: RoomSettings,
    tokens: Sequence[str],
    say: Callable[[str], object],
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, then drain.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 for a free one.
        db: Address of the storage: a SQLite file, ``memory:``, or ``postgresql://…``.
        broker: What tells other processes of the same database; ``None`` if there are none.
        broker_prefix: Before the names of its channels.
        origins: Web origins whose pages may connect; ``None`` for pages of this machine, ``["*"]`` for all.
        bridge: Rooms that clients of all protocols edit together.
        shared: Whether other processes may read a SQLite file meanwhile.
        proxies: Addresses and networks of proxies that are believed where clients come from.
        metrics: Host and port for whoever operates it; ``None`` for none.
        limits: What one client may ask for.
        server_limits: What all of them may cost.
        settings: How rooms live.
        tokens: Whoever shows one of them may enter; everybody, if there are none.
        say: Prints a line. Must not raise: whoever reads may be gone.

    Raises:
        ImportError: A package is missing, for the storage, the broker or rooms that are to be bridged.
        StorageError: The database cannot be opened, or could not take the last updates.
        OSError: The address cannot be listened on.
    """
    storage = storage_at(db, exclusive=not shared)
    operations = None if metrics is None else Operations(host=metrics[0], port=metrics[1])
    server = Server(
        auth=allow_tokens(tokens) if tokens else allow_all,
        storage=storage,
        host=host,
        port=port,
        origins=_is_of_this_machine if origins is None else None if "*" in origins else [None, *origins],
        broadcast=None if broker is None else broadcast_at(broker, prefix=broker_prefix),
        operations=operations,
        limits=limits,
        server_limits=server_limits,
        settings=settings,
        bridge=bridge,
        proxies=proxies,
    )
    stop = asyncio.Event()
    _on_signals(stop.set, ExitDeadline(_EXIT_TIMEOUT))
    await server.start()
    try:
        _greet(server, db=storage.place, origins=origins, bridge=bridge, is_open=not tokens, say=say)
        if operations is not None:
            say(f"Health, readiness and metrics are at {operations.url}.")
        returning = asyncio.create_task(MemoryReturn(partial(_departures, server)).run())
        await stop.wait()
        returning.cancel()
        say("Stopping: storing what has come in.")
    finally:
        await server.close()
    say("Stopped.")


def _departures(server: Server) -> tuple[int, int]:
    stats = server.stats()
    return sum(stats.closed.values()), stats.rooms + stats.documents + stats.mergeable


def _greet(
    server: Server,
    *,
    db: str,
    origins: Sequence[str] | None,
    bridge: Sequence[str],
    is_open: bool,
    say: Callable[[str], object],
) -> None:
    where = "this machine only" if is_loopback(server.host) else f"{server.host}, for other machines too"
    repos = "" if server.documents is None else f", and automerge-repo at {server.url},"
    say(f"weft serves {server.url}/<room> to Yjs and TinyBase{repos} and keeps the rooms in {db}")
    who = (
        "without authentication: whoever can connect" if is_open else "and asks for a token: whoever has one"
    )
    say(f"It listens on {where}, {who} may read and edit.")
    pages = (
        "pages of this machine" if origins is None else "all sites" if "*" in origins else ", ".join(origins)
    )
    say(f"Browsers may connect from {pages}. End it with Ctrl-C.")
    for room in bridge:
        say(f"Room {room} is one room for all of them, and {document_url(bridge_document_id(room))}.")


def _is_of_this_machine(origin: str | None) -> bool:
    """Any page of the web can open a socket to the machine of whoever reads it; only local ones may."""
    if origin is None:
        return True
    with suppress(ValueError):  # of what is no URL
        if is_loopback(urlsplit(origin).hostname or ""):
            return True
    _log.warning("a page of %.200r wanted to connect; allow it with --origin", origin)
    return False


def _on_signals(callback: Callable[[], None], deadline: ExitDeadline) -> None:
    loop = asyncio.get_running_loop()
    numbers = [signal.SIGINT, signal.SIGTERM]
    hang_up = getattr(signal, "SIGHUP", None)  # the terminal was closed; Windows has none
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:  # as under nohup
        numbers.append(hang_up)
    for number in numbers:
        try:
            loop.add_signal_handler(number, callback)
            deadline.watch(number)
        except NotImplementedError:  # the event loops of Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(callback))
