"""``weft.connect`` and ``weft.open`` for programs without an event loop.

::

    with weft.sync.connect("ws://host:1234/farm", offline="farm.weft") as store:
        store.add_row("readings", {"t": 21.5})
        store.sync.flush(timeout=5)

The names are the same, without ``await``. All Stores live in one thread; any thread may call their methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from weft.facade.blocking_opening import BlockingOpening
from weft.facade.connection import Connection
from weft.facade.place import Place

if TYPE_CHECKING:
    import os

    from weft.facade import ConnectOptions, OpenOptions

__all__ = ["connect", "open"]


def connect(
    address: str,
    *,
    offline: str | os.PathLike[str] | None = None,
    poll: bool = False,
    **options: Unpack[ConnectOptions],
) -> BlockingOpening:
    """Connect a Store with everybody who has the same address: see ``weft.connect``.

    Args:
        address: Where to.
        offline: File that keeps the document on this machine.
        poll: Whether listeners wait for ``store.sync.poll()``, and run in the thread that calls it. Otherwise
            they run in weft's thread. Mutators, and listeners to the phases of a transaction, always do.
        options: See ``weft.facade.ConnectOptions``.
    """
    return BlockingOpening(Connection(address, offline=offline, **options), poll=poll)


def open(  # noqa: A001 - as io.open
    place: str | os.PathLike[str],
    *,
    mergeable: bool = False,
    poll: bool = False,
    **options: Unpack[OpenOptions],
) -> BlockingOpening:
    """Open a Store that is kept in a file or database: see ``weft.open``.

    Args:
        place: Where.
        mergeable: As for ``weft.open``.
        poll: As for :func:`connect`.
        options: See ``weft.facade.OpenOptions``.
    """
    return BlockingOpening(Place(place, mergeable=mergeable, **options), poll=poll)
