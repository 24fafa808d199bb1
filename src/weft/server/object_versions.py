"""Versions of rooms in an object store: S3, Google Cloud Storage, Azure, or memory, through ``obstore``.

An object is written once (RFC 9110, ``If-None-Match: *``) and never changed. Its name is the prefix, then the
names of the room and the version in base64url, so that no character of theirs means anything to a store.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from weft._aio.thread import WorkerThread
from weft.errors import StorageError
from weft.server.versions import VersionPlace

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["ObjectVersions"]


class ObjectVersions(VersionPlace):
    """Keeps each version as one object.

    Args:
        objects: A store of ``obstore``, such as ``S3Store("bucket")``.
        prefix: Before the name of each object.
    """

    def __init__(self, objects: ObjectStore, prefix: str = "versions/") -> None:
        self._objects = objects
        self._prefix = prefix
        # Not by obstore's coroutines: see ObjectStorePersister.
        self._thread = WorkerThread("weft-versions")

    async def put(self, room: str, name: str, data: bytes) -> None:
        """PUT a new object."""
        try:
            await self._thread.run(
                obstore.put, self._objects, self._path(room, name), data, mode="create", use_multipart=False
            )
        except AlreadyExistsError:
            raise StorageError(f"room {room!r:.200} has a version {name!r:.200} already") from None
        except (BaseError, OSError, ValueError, NotImplementedError) as error:
            raise _failed(name, "written", error) from None

    async def get(self, room: str, name: str) -> bytes:
        """GET the object."""
        try:
            found = await self._thread.run(obstore.get, self._objects, self._path(room, name))
            return bytes(await self._thread.run(found.bytes))
        except FileNotFoundError:
            raise StorageError(f"room {room!r:.200} has no version {name!r:.200}") from None
        except (BaseError, OSError, ValueError) as error:
            raise _failed(name, "read", error) from None

    async def list(self, room: str) -> list[str]:
        """The objects whose names begin so."""
        prefix = self._path(room, "")
        try:
            pages = await self._thread.run(lambda: [*obstore.list(self._objects, prefix)])
        except (BaseError, OSError, ValueError) as error:
            raise _failed(room, "listed", error) from None
        return [_decode(found["path"].rpartition("/")[2]) for page in pages for found in page]

    async def delete(self, room: str, name: str) -> None:
        """DELETE the object."""
        try:
            await self._thread.run(obstore.delete, self._objects, self._path(room, name))
        except FileNotFoundError:
            return
        except (BaseError, OSError, ValueError) as error:
            raise _failed(name, "deleted", error) from None

    async def close(self) -> None:
        """End the thread that talks to the store."""
        await self._thread.close()

    def _path(self, room: str, name: str) -> str:
        return f"{self._prefix}{_encode(room)}/{_encode(name)}"


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(text: str) -> str:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def _failed(name: str, what: str, error: Exception) -> StorageError:
    # The library's text may hold URLs and the server's answer; its first line says what is wrong.
    return StorageError(f"version {name!r:.200} cannot be {what}: {str(error).partition(chr(10))[0]:.200}")
