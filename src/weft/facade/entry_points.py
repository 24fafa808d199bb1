"""``weft.connect`` and ``weft.open``: a Store that is shared, or kept, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from weft.facade.blocking_opening import EitherOpening
from weft.facade.connection import Connection
from weft.facade.opening import AsyncOpening
from weft.facade.place import Place

if TYPE_CHECKING:
    import os

    from weft.facade.options import ConnectOptions, OpenOptions

__all__ = ["connect", "open"]


def connect(
    address: str, *, offline: str | os.PathLike[str] | None = None, **options: Unpack[ConnectOptions]
) -> AsyncOpening:
    """Connect a Store with everybody who has the same address.

    ::

        async with weft.connect("ws://host:1234/farm", offline="farm.weft") as store:
            store.add_row("readings", {"t": 21.5})
            await store.sync.flush(timeout=5)

    It connects in the background, comes again after every interruption, and can be read and written at once.
    ``store.sync`` says how it stands, ``store.presence`` who else is there.

    At the end of the block it waits for the server's word on what was written, ``close_timeout`` seconds at
    most (5), and not at all where there is no connection and ``offline=`` keeps it. What is kept nowhere then
    raises a ``ProviderError``.

    Args:
        address: ``ws://HOST:PORT/ROOM`` for a room of a y-websocket server, ``automerge+ws://HOST:PORT#automerge:ID``
            for a document of an automerge-repo server, ``tinybase+ws://HOST:PORT/ROOM`` for a room of one of
            TinyBase's; ``wss://`` likewise, with TLS. Without an ID a new document is made:
            ``store.sync.address`` says which.
        offline: File that keeps the document on this machine: with it a program starts, and goes on, without
            a network, and what it wrote then is sent the next time. Made if it is not there.
        options: See :class:`ConnectOptions`.

    Returns:
        What is used with ``async with``; without an event loop, see ``weft.sync.connect``.

    Raises:
        ValueError, TypeError: The address, or an option, is none. So nothing is found out later.
        ImportError: A package is missing; the extra that brings it is named.
    """
    return AsyncOpening(Connection(address, offline=offline, **options))


def open(  # noqa: A001 - as io.open
    place: str | os.PathLike[str],
    *,
    mergeable: bool = False,
    poll: bool = False,
    **options: Unpack[OpenOptions],
) -> EitherOpening:
    """Open a Store that is kept in a file or database: loaded now, and saved by itself from then on.

    ::

        with weft.open("pets.json") as store:
            store.set_cell("pets", "fido", "species", "dog")

    What is saved is safe: at the end of the block everything is where it should be, or a ``StorageError`` is
    raised.

    Args:
        place: ``FILE.json``, ``sqlite:FILE``, ``postgresql://HOST/DATABASE`` (as JSON text, as TinyBase's
            persisters keep it; for tables see ``SqliteTablesPersister``); or ``FILE.weft``, a document that
            ``weft.connect(…, offline=FILE)`` keeps, without its server.
        mergeable: Whether to keep it as TinyBase keeps a MergeableStore, each write with a stamp: what
            several programs write there merges, and of two writes of a cell the later wins. Plain content
            that is there is taken over. ``store.document`` has the stamps.
        poll: With ``with`` only: see ``weft.sync.connect``.
        options: See :class:`OpenOptions`.

    Returns:
        What is used with ``async with`` in an event loop, and with ``with`` anywhere.

    Raises:
        ValueError, TypeError: The place, or an option, is none.
        ImportError: A package is missing; the extra that brings it is named.
    """
    return EitherOpening(Place(place, mergeable=mergeable, **options), poll=poll)
