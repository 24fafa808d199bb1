"""Where a server keeps its rooms: the contract that every storage fulfils.

A room's storage is a log of updates: Yjs v1 updates, Automerge changes, or changes of a mergeable document.
What goes in is what peers sent, byte for byte: the Yjs binding's own update event can lack structs that were
waiting for a gap to close, so a log of events loses writes. What comes out, applied in any order, is the
room. A storage knows nothing of documents: what makes one update out of many is told it.

The updates of a room have numbers, 1, 2, 3, without holes, in the order in which they were committed,
whichever process did it. So who has everything up to a number learns what it lacks by
:meth:`RoomStorage.since`, and :meth:`RoomStorage.heads` tells whether there is anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from weft.documents import Compactor
    from weft.server.storage.commit_stats import CommitStats

__all__ = ["DELETED", "CommitListener", "QuarantinedRow", "RoomInfo", "RoomStorage", "StoredRoom"]

DELETED = -1
"""The head of a room that was deleted or renamed."""

CommitListener: TypeAlias = Callable[[str, int, Sequence[bytes]], None]
"""Called with a room, the number of the first update, and the updates, whose numbers go on from there."""


def kind_of(name: str) -> Literal["yjs", "automerge", "mergeable"]:
    """Which kind of updates a room of that name is made of: the others begin with U+001F and their kind."""
    if name.startswith("\x1fautomerge:"):
        return "automerge"
    return "mergeable" if name.startswith("\x1fmergeable:") else "yjs"


@dataclass(frozen=True, slots=True)
class StoredRoom:
    """What a storage has of a room, or of it beyond some number, as of one moment.

    Attributes:
        rows: Updates, in the order of their numbers.
        numbers: The number of each. Some are left out where a compaction has been: the snapshot has the last
            number of what it stands for.
        head: The number of the room's last update; 0 if it has none. Whoever has taken in ``rows`` has
            everything up to there.
        settings: What :meth:`RoomStorage.configure` set.
    """

    rows: list[bytes]
    numbers: list[int]
    head: int
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RoomInfo:
    """One room of a list.

    Attributes:
        name: The room's name.
        head: The number of its last update.
        rows: How many rows are stored of it.
        size: Bytes of those rows.
    """

    name: str
    head: int
    rows: int
    size: int

    @property
    def kind(self) -> Literal["yjs", "automerge", "mergeable"]:
        """Which kind of updates the room is made of; the name tells."""
        return kind_of(self.name)


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row that was set aside, since it could not be read.

    Attributes:
        room: The room's name.
        number: The number that it had.
        reason: What is wrong with it.
        data: Its bytes.
    """

    room: str
    number: int
    reason: str
    data: bytes


class RoomStorage(ABC):
    """The contract between a server and the place that keeps its rooms.

    The server opens the storage once, before it accepts anybody, and closes it once, after the last room. All
    methods are called on one event loop.

    Guarantees an implementation gives:

    * **Order.** Updates of one room come back in the order in which they were appended, and have numbers
      without holes in the order in which they were committed. Whoever sees a number can see all before it.
    * **Durability is told, not assumed.** :meth:`append` only takes the update in. When :meth:`stored`
      returns, everything appended up to that ticket survives the end of the process and, unless the
      implementation says otherwise, a loss of power.
    * **Nothing is given up.** An update that could not be written stays in memory and is tried again with the
      next :meth:`append` or :meth:`stored`; :meth:`stored` raises each time the attempt fails. It is never
      written twice.
    * **All or nothing.** After a crash a row is there whole or absent. What cannot be read is an error, never
      an empty room and never overwritten.
    * **Bad rows are kept.** A row with which the room could not be opened is set aside with its bytes, and a
      row that is missing is noticed.
    * **Deleted is deleted.** Whoever still holds a room that was deleted cannot bring it back by appending.

    Attributes:
        place: Which place it is, without secrets, for whoever reads a message.
        is_shared: Whether several processes may have the place open at a time. A server of such a place looks
            each second what others have stored there.
    """

    place: str = "memory"
    is_shared: bool = False

    @property
    def commit_stats(self) -> CommitStats | None:
        """What has been committed, if the storage counts that."""
        return None

    async def init(self) -> None:
        """Make what the place needs, such as tables, where opening does not do it. Harmless when it is there.

        Raises:
            StorageError: It cannot be made.
        """
        async with self:
            pass

    async def open(self) -> None:
        """Make ready. Called once, before anything else but :meth:`init`.

        Raises:
            StorageError: The place cannot be used. It is as it was.
        """
        return

    @abstractmethod
    async def load(self, room: str) -> StoredRoom:
        """All of a room, everything appended before this call included; nothing for a new room.

        From now on, until :meth:`release`, the caller holds what this name stands for at this moment: if the
        room is deleted, and the name is given to another, what is appended is refused until it is loaded
        again.

        Raises:
            RoomDamagedError: It is not whole: rows have other bytes than were written, and :meth:`set_aside`
                makes the room readable without them; or rows are missing. Nothing was changed.
            StorageError: The place cannot be read. Nothing was changed.
            RoomDeletedError: It was deleted.
        """

    def release(self, room: str) -> None:  # noqa: B027 - a storage may have nothing to forget
        """Hold a room no more: nobody has it open, and nobody appends to it before it is loaded again.

        What was appended is stored all the same. In memory nothing is kept of rooms that nobody holds.
        """

    @abstractmethod
    async def since(self, room: str, number: int) -> StoredRoom:
        """What a room has got beyond a number, everything appended before this call included.

        Args:
            room: Room name.
            number: Up to where the caller has everything. If it lies within what has been compacted since,
                the snapshot is given, with everything else that the caller lacks.

        Raises:
            StorageError: As for :meth:`load`.
            RoomDeletedError: The room was deleted, whatever its name stands for now.
        """

    @abstractmethod
    async def heads(self, rooms: Collection[str]) -> dict[str, int]:
        """The numbers of the last updates that are committed; :data:`DELETED` for what was deleted.

        Rooms of which nothing was ever stored are left out.

        Raises:
            StorageError: The place cannot be read.
        """

    @abstractmethod
    def append(self, room: str, update: bytes) -> int:
        """Take in one update of a room. Never blocks, and never fails for the place's reasons.

        Args:
            room: Room name.
            update: As received.

        Returns:
            A ticket for :meth:`stored`, greater than all before it.

        Raises:
            ValueError: The place cannot carry the name. Nothing was taken in.
            RoomDeletedError: The room is known to be deleted. Nothing was taken in.
        """

    @abstractmethod
    async def stored(self, ticket: int) -> None:
        """Wait until everything appended up to this ticket is durable.

        Args:
            ticket: What :meth:`append` returned. 0 stands for nothing and returns at once.

        Raises:
            StorageError: It could not be written. It is kept in memory and tried again at the next call.
            RoomDeletedError: The update of this very ticket was refused, and dropped, because its room has
                been deleted. Those of other rooms are not concerned.
        """

    @abstractmethod
    def on_commit(self, listener: CommitListener) -> Callable[[], None]:
        """Call a function with everything that this storage has committed from now on, in order.

        It is called on the event loop, soon after the commit. What was committed while the connection to the
        place was lost may be left out: who follows a room looks at :meth:`heads` as well.

        Returns:
            Call it to hear no more.
        """

    async def compact(self, room: str, compactor: Compactor) -> int | None:
        """Replace what is stored of a room by less that means the same. May do nothing.

        Safe beside appends to the same room, by whichever process: only the very rows that were read are
        replaced, by a snapshot with the last of their numbers. Whoever reads meanwhile, or after a crash, may
        get it beside rows that it stands for: an update that comes twice changes nothing.

        Args:
            room: Room name.
            compactor: Makes one update out of many of this room's kind.

        Returns:
            Bytes of updates that were stored of the room afterwards; ``None`` if nothing was replaced.

        Raises:
            StorageError: The room cannot be read or written. All that it means is still there.
        """
        return None

    @abstractmethod
    async def set_aside(self, room: str, faults: Mapping[int, str]) -> None:
        """Take rows out of a room, and keep them with their bytes for whoever sees to them. Durable.

        No other row gets another number, and the room's head stays: it is as if they had been compacted.

        Args:
            room: Room name.
            faults: What is wrong with which rows, by their numbers. Those that are not there are left out.

        Raises:
            StorageError: They could not be set aside. All is as it was.
        """

    @abstractmethod
    async def quarantined(self, room: str | None = None) -> list[QuarantinedRow]:
        """The rows that were set aside, of a room or of all, by name and number.

        Raises:
            StorageError: The place cannot be read.
        """

    @abstractmethod
    async def restore(self, room: str, number: int) -> int:
        """Put a row that was set aside back into its room, as its last.

        Not at its old place: who has everything beyond that would never read it.

        Returns:
            Its new number.

        Raises:
            StorageError: There is none, or it could not be done. All is as it was.
        """

    @abstractmethod
    async def discard(self, room: str, numbers: Collection[int]) -> int:
        """Delete rows that were set aside, for good.

        Args:
            room: Room name.
            numbers: Of the rows; those that are not there are left out.

        Returns:
            How many were deleted.

        Raises:
            StorageError: It could not be done. All is as it was.
        """

    async def accept_missing(self, room: str) -> int:
        """Do without rows of a room that are missing: from now on it is whole without them.

        How many there should be is set to how many there are. It is logged. Who has all up to a number goes
        on from there: the head stays, or becomes the greatest number that there is. A storage of which no row
        can be missing has nothing to do.

        Returns:
            How many were missing.

        Raises:
            StorageError: There is no such room, or it could not be done. All is as it was.
        """
        del room
        return 0

    @abstractmethod
    async def delete(self, room: str) -> None:
        """Delete a room, for good: its name stays taken, and what is appended to it is refused.

        What was set aside of it is deleted too.

        Raises:
            StorageError: It could not be deleted, and is as it was.
        """

    @abstractmethod
    async def free(self, room: str) -> None:
        """Let the name of a deleted room be used again, by a room that is new. Does nothing for other names.

        Raises:
            StorageError: It could not be done.
        """

    @abstractmethod
    async def rename(self, room: str, to: str) -> None:
        """Give a room another name. The old one is taken from then on, as that of a deleted room.

        Raises:
            ValueError: The place cannot carry the new name.
            StorageError: There is no such room, or there is one of the new name. Nothing was changed.
        """

    @abstractmethod
    async def configure(self, room: str, settings: Mapping[str, Any]) -> None:
        """Keep settings with a room, which may be new: a small mapping that JSON can carry, as a whole.

        Raises:
            StorageError: They could not be written.
            RoomDeletedError: The room was deleted.
        """

    @abstractmethod
    async def rooms(self, prefix: str = "", *, after: str = "", limit: int = 1000) -> list[RoomInfo]:
        """The rooms there are, in the order of their names' code points: one page of the list.

        Args:
            prefix: What the names begin with.
            after: The last name of the page before.
            limit: How many to give at most; fewer are given only at the end.

        Raises:
            StorageError: The place cannot be read.
        """

    async def probe(self) -> None:
        """Make sure that what is appended now could be made durable, by a small write of no consequence.

        Without one of its own a storage is asked whether it can be read.

        Raises:
            StorageError: It could not.
        """
        await self.heads(())

    @abstractmethod
    async def close(self) -> None:
        """Write what is still in memory and let go of the place. Nothing may be called afterwards.

        Raises:
            StorageError: Something could not be written; the place is let go of all the same.
        """

    async def __aenter__(self) -> Self:
        """:meth:`open` it, where no server does."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
