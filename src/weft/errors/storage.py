"""Errors of the places that keep data."""

from __future__ import annotations

from weft.errors.base import WeftError, shown

__all__ = ["ReplicaInUseError", "ReplicaRoomError", "RoomDamagedError", "RoomDeletedError", "StorageError"]


class StorageError(WeftError):
    """A place that keeps data failed. What it held before is still there."""


class RoomDeletedError(StorageError):
    """A room of a server that was deleted, or has got another name. What was appended to it is kept nowhere.

    Attributes:
        room: The name, which stays taken.
    """

    def __init__(self, room: str) -> None:
        super().__init__(room)
        self.room = room

    def __str__(self) -> str:
        return f"room {shown(self.room)} was deleted, or has got another name"


class RoomDamagedError(StorageError):
    """Something that was stored of a room cannot be read. All that is stored is as it was.

    Attributes:
        room: Its name.
        rows: What is wrong with which rows, by their numbers. Empty where it is not single rows.
    """

    def __init__(self, room: str, reason: str = "", *, rows: dict[int, str] | None = None) -> None:
        super().__init__(room)
        self.room = room
        self.rows = rows or {}
        self._reason = reason or "; ".join(f"row {at}: {fault}" for at, fault in sorted(self.rows.items()))

    def __str__(self) -> str:
        return f"room {shown(self.room)}: {self._reason:.1000}"


class ReplicaInUseError(StorageError):
    """A replica that is open already, in another process or in this one. Nothing was changed.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"{self.path}: the replica is open already, in another process or in this one; it can be used by "
            "one at a time, as two with one client id would write documents that never agree. Close it "
            "there, or give each process a file of its own: they meet at the server"
        )


class ReplicaRoomError(StorageError):
    """A replica of one room, or Automerge document, was to be used with another one. Nothing was changed.

    Attributes:
        path: Where it is.
        belongs_to: Name of its room, or URL of its document.
        asked: Of the other one.
    """

    def __init__(self, path: str, belongs_to: str, asked: str) -> None:
        super().__init__(path, belongs_to, asked)
        self.path = path
        self.belongs_to = belongs_to
        self.asked = asked

    def __str__(self) -> str:
        return (
            f"{self.path}: the replica belongs to {self.belongs_to!r}, and not to {self.asked!r}: what it "
            "holds would be merged with what is there. Take another file for that; or say merge=True, if "
            "that is what is meant"
        )
