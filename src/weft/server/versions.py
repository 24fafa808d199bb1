"""Named versions of a room: saved, listed, compared with each other and with now, and restored as an edit.

A version is everything a room had at a moment. It is kept beside the rooms in the server's storage, or in
an object store. Restoring changes no history: it writes what makes the room's content what it was, like
anybody's edit, so clients that are connected follow, and what they write meanwhile merges.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import unified_diff
from typing import TYPE_CHECKING, Any, Protocol

from weft.documents.mergeable.log import row_of
from weft.errors import StorageError
from weft.server.version_content import read_version

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from pycrdt import Doc

    from weft.changes import Changes, Content
    from weft.server.automerge_repo.room import DocumentRoom
    from weft.server.storage import RoomStorage
    from weft.server.tinybase.room import MergeableRoom
    from weft.server.ysync.room import Room
    from weft.store import Store

__all__ = ["StoredVersions", "Version", "VersionDifference", "VersionPlace", "Versions"]

_AUTOMERGE, _MERGEABLE = "automerge:", "mergeable:"
_MARK = "\x1fversion:"  # begins the name under which a storage keeps a version; no room's name has it
_FORMAT = "weft version 1"


@dataclass(frozen=True, slots=True)
class Version:
    """A saved version.

    Attributes:
        name: Its name, of which a room has one.
        saved_at: When it was saved.
        size: Bytes of what the room had.
    """

    name: str
    saved_at: datetime
    size: int


@dataclass(frozen=True, slots=True)
class VersionDifference:
    """What has changed from one version to another, or to now.

    Attributes:
        changes: Of the tables and values, where the room has weft's layout and nothing else; otherwise
            ``None``.
        text: The same for reading, as a unified difference of JSON texts; empty where nothing has changed.
    """

    changes: Changes | None
    text: str


class VersionPlace(ABC):
    """Where versions are kept. What is put there never changes."""

    @abstractmethod
    async def put(self, room: str, name: str, data: bytes) -> None:
        """Keep a version, durably.

        Raises:
            StorageError: There is one of that name, or it cannot be written.
        """

    @abstractmethod
    async def get(self, room: str, name: str) -> bytes:
        """What was put.

        Raises:
            StorageError: There is none of that name, or it cannot be read.
        """

    @abstractmethod
    async def list(self, room: str) -> list[str]:
        """The names of a room's versions.

        Raises:
            StorageError: They cannot be read.
        """

    @abstractmethod
    async def delete(self, room: str, name: str) -> None:
        """Give a version up; does nothing if there is none.

        Raises:
            StorageError: It cannot be done.
        """


class StoredVersions(VersionPlace):
    """Keeps versions in a room storage, each as a room of its own.

    Its name there is U+001F, ``version:``, the room's name, U+001F and the version's.

    Args:
        storage: The storage; opened and closed by its owner.
    """

    def __init__(self, storage: RoomStorage) -> None:
        self._storage = storage

    async def put(self, room: str, name: str, data: bytes) -> None:
        """Keep a version as the only row of a new room."""
        key = _key(room, name)
        if (await self._storage.heads([key])).get(key, 0) <= 0:
            await self._storage.free(key)
            try:
                await self._storage.stored(self._storage.append(key, data))
                if (await self._storage.load(key)).rows[0] == data:
                    return
            finally:
                self._storage.release(key)
        raise StorageError(f"room {room!r:.200} has a version {name!r:.200} already")

    async def get(self, room: str, name: str) -> bytes:
        """The first row."""
        key = _key(room, name)
        if (await self._storage.heads([key])).get(key, 0) <= 0:
            raise StorageError(f"room {room!r:.200} has no version {name!r:.200}")
        try:
            return (await self._storage.load(key)).rows[0]
        finally:
            self._storage.release(key)

    async def list(self, room: str) -> list[str]:
        """The rooms whose names begin so."""
        prefix = _key(room, "")
        names: list[str] = []
        while True:
            page = await self._storage.rooms(prefix, after=prefix + names[-1] if names else "")
            names += [info.name.removeprefix(prefix) for info in page]
            if not page:
                return names

    async def delete(self, room: str, name: str) -> None:
        """Delete the room."""
        key = _key(room, name)
        if (await self._storage.heads([key])).get(key, 0) > 0:
            await self._storage.delete(key)


class _Rooms(Protocol):
    """The server, as far as versions need it; see ``EditableRooms``."""

    def use(self, name: str) -> AbstractAsyncContextManager[Room]: ...

    def use_document(self, url: str) -> AbstractAsyncContextManager[DocumentRoom]: ...

    def use_mergeable(self, name: str) -> AbstractAsyncContextManager[MergeableRoom]: ...

    def open(self, name: str) -> AbstractAsyncContextManager[Store]: ...

    def open_document(self, name: str) -> AbstractAsyncContextManager[Doc[Any]]: ...


class Versions:
    """The versions of one room; see ``Server.versions``.

    Args:
        rooms: The server.
        room: A room, the URL of an Automerge document, or ``mergeable:`` and a room of TinyBase's clients.
        place: Where versions are kept.
    """

    def __init__(self, rooms: _Rooms, room: str, place: VersionPlace) -> None:
        self._rooms = rooms
        self._room = room
        self._place = place

    async def save(self, name: str) -> Version:
        """Save what the room has now, and give it a name.

        Raises:
            StorageError: There is a version of that name, or it cannot be written.
            ValueError: The name is empty or has control characters in it.
        """
        if not name or not name.isprintable():
            raise ValueError(f"a version's name is text that can be printed, and not {name!r:.200}")
        content = await self._now()
        version = Version(name, datetime.now(UTC), len(content))
        header = {"format": _FORMAT, "room": self._room, "name": name, "at": version.saved_at.isoformat()}
        await self._place.put(self._room, name, json.dumps(header).encode() + b"\n" + content)
        return version

    async def list(self) -> list[Version]:
        """The versions there are, oldest first.

        Raises:
            StorageError: They cannot be read.
        """
        versions = [(await self._read(name))[0] for name in await self._place.list(self._room)]
        return sorted(versions, key=lambda version: (version.saved_at, version.name))

    async def diff(self, name: str, other: str | None = None) -> VersionDifference:
        """What has changed since a version.

        Args:
            name: The version.
            other: Another one, up to which it is asked for; ``None`` for now.

        Raises:
            StorageError: There is none of that name, or it cannot be read.
            RemoteProtocolError: The binding cannot read what the room has.
        """
        before = (await self._read(name))[1]
        after = await self._now() if other is None else (await self._read(other))[1]
        # On a thread, as what follows: of a large room it takes seconds, in which nobody would be served.
        return await asyncio.to_thread(_difference, self._room, before, after, (name, other or "now"))

    async def restore(self, name: str) -> None:
        """Make the room's content what it was, by an edit: stored and told to everybody like any other.

        Raises:
            StorageError: There is none of that name, it cannot be read, or the edit cannot be stored.
            RemoteProtocolError: The binding cannot read what the room has.
        """
        saved = (await self._read(name))[1]
        content = await asyncio.to_thread(_content, self._room, saved)
        if content is not None:
            async with self._rooms.open(self._room) as store:
                store.set_content(content)
        else:
            async with self._rooms.open_document(self._room) as doc:
                doc.apply_update(await asyncio.to_thread(_way_back, self._room, saved, doc.get_update()))

    async def delete(self, name: str) -> None:
        """Give a version up; does nothing if there is none.

        Raises:
            StorageError: It cannot be done.
        """
        await self._place.delete(self._room, name)

    async def _now(self) -> bytes:
        if self._room.startswith(_AUTOMERGE):
            async with self._rooms.use_document(self._room) as held:
                return held.document.save()
        if self._room.startswith(_MERGEABLE):
            async with self._rooms.use_mergeable(self._room.removeprefix(_MERGEABLE)) as tables:
                return row_of(tables.document)
        async with self._rooms.use(self._room) as room:
            return room.document.diff(b"\0")

    async def _read(self, name: str) -> tuple[Version, bytes]:
        data = await self._place.get(self._room, name)
        head, _, content = data.partition(b"\n")
        try:
            header = json.loads(head)
            if header["format"] != _FORMAT:
                raise ValueError(header["format"])
            return Version(header["name"], datetime.fromisoformat(header["at"]), len(content)), content
        except (ValueError, KeyError, TypeError) as error:
            raise StorageError(
                f"version {name!r:.200} of room {self._room!r:.200} cannot be read: {error}"
            ) from error


def _difference(room: str, saved: bytes, other: bytes, names: tuple[str, str]) -> VersionDifference:
    before, after = read_version(room, saved), read_version(room, other)
    lines = unified_diff(_lines(before.shown()), _lines(after.shown()), *names, lineterm="", n=2)
    return VersionDifference(before.changes_to(after), "\n".join(lines))


def _content(room: str, saved: bytes) -> Content | None:
    return read_version(room, saved).content()


def _way_back(room: str, saved: bytes, now: bytes) -> bytes:
    return read_version(room, saved).way_back(now)


def _key(room: str, name: str) -> str:
    return f"{_MARK}{room}\x1f{name}"


def _lines(shown: Any) -> list[str]:
    return json.dumps(shown, indent=1, sort_keys=True, ensure_ascii=False).splitlines()
