"""The storage that an address stands for, as on a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.server import storage

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from weft.server.storage.contract import RoomStorage
    from weft.server.storage.reading import RoomReader

__all__ = ["check_address", "is_shared", "reading", "storage_at"]

_POSTGRES = ("postgresql://", "postgres://")


def check_address(address: str) -> str:
    """The address, if it is one.

    Raises:
        ValueError: It is a URL of something else.
    """
    if "://" in address and not address.startswith(_POSTGRES):
        raise ValueError(
            f"{address.partition('://')[0]}:// is not known: give a path, memory:, or postgresql://HOST/DATABASE"
        )
    return address


def is_shared(address: str) -> bool:
    """Whether several servers may have open what is there, each seeing what the others commit."""
    return address.startswith(_POSTGRES)


def storage_at(address: str, *, exclusive: bool = True) -> RoomStorage:
    """The storage that an address stands for; it has not been opened yet.

    Args:
        address: ``memory:``, ``postgresql://user@host/database``, or the path of a SQLite file.
        exclusive: Whether to lock a SQLite file against other processes.

    Raises:
        ValueError: It is a URL of something else.
        ImportError: A package is missing for it.
    """
    check_address(address)
    if address == "memory:":
        return storage.MemoryRoomStorage()
    if is_shared(address):
        return storage.PostgresRoomStorage(address)
    return storage.SqliteRoomStorage(address, exclusive=exclusive)


def reading(address: str) -> AbstractAsyncContextManager[RoomReader]:
    """What is stored at an address as of one moment, whether or not a server has it open.

    Args:
        address: As for :func:`storage_at`; not ``memory:``.

    Raises:
        ValueError: It is a URL of something else, or memory.
        ImportError: A package is missing for it.
    """
    check_address(address)
    if address == "memory:":
        raise ValueError("memory: is its server's alone")
    if is_shared(address):
        return storage.PostgresRoomStorage(address).reading()
    from weft.server.storage.sqlite_reader import read_sqlite  # noqa: PLC0415 - and sqlite3 with it

    return read_sqlite(address)
