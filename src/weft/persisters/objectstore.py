"""Persisting to an object store: S3, Google Cloud Storage, Azure, or memory, through ``obstore``.

A save is conditional (RFC 9110, section 13): it replaces the object it knows, by its ETag, or makes a new
one, and otherwise reads, merges and tries again. So two writers never silently overwrite each other.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Unpack

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from weft._aio.thread import WorkerThread
from weft._support.arguments import wrong_kind
from weft.errors import StorageError
from weft.persisters._text.persister import ANY, ConflictError, TextPersister

if TYPE_CHECKING:
    from collections.abc import Callable

    from obstore.store import ObjectStore

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.store import Store

__all__ = ["ObjectStorePersister"]

_MAX_BYTES = 64 * 2**20
# The codes in the answer 404 of S3, GCS and Azure that say that the object, and not its bucket, is not there.
_ABSENT = {None, "NoSuchKey", "BlobNotFound"}


class ObjectStorePersister(TextPersister):
    """Keeps a Store as one object of an object store, as JSON text.

    Args:
        store: The Store.
        objects: A store of ``obstore``, such as ``S3Store("bucket")``.
        path: Name of the object.
        poll_seconds: How often auto-load asks for another version; each is one HEAD request.
        conditional: Whether saves are conditional. ``False`` is for stores that cannot do that (obstore's own
            ``LocalStore``; use :class:`~weft.persisters.FilePersister` for files): then the last writer wins.
        max_bytes: The largest object that is read.
        on_error: Called with what automatic work could not do.
    """

    def __init__(
        self,
        store: Store,
        objects: ObjectStore,
        path: str = "store.json",
        *,
        poll_seconds: float = 5.0,
        conditional: bool = True,
        max_bytes: int = _MAX_BYTES,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        if not isinstance(path, str):
            raise wrong_kind("the name of an object, as str,", path)
        if isinstance(objects, str | os.PathLike):
            raise wrong_kind('a store of obstore, such as S3Store("bucket"),', objects)
        super().__init__(store, poll_seconds=poll_seconds, on_error=on_error, **tinybase)
        self._objects = objects
        self._path = path
        self._conditional = conditional
        self._max_bytes = max_bytes
        # Not by obstore's coroutines: what runs them may still hold objects of Python's when the interpreter
        # ends, which aborts the process (obstore 0.8, Python 3.11: once in 15 runs on a busy machine).
        self._thread = WorkerThread("weft-objectstore")

    def get_path(self) -> str:
        """Get the name of the object."""
        return self._path

    @property
    def place(self) -> str:
        """How errors call the place."""
        return self._path

    async def fetch(self) -> tuple[bytes | None, object]:
        """GET the object."""
        try:
            found = await self._thread.run(obstore.get, self._objects, self._path)
            if found.meta["size"] > self._max_bytes:
                raise StorageError(f"{self._path}: the object is longer than {self._max_bytes} bytes")
            data = bytes(await self._thread.run(found.bytes))
        except (BaseError, OSError, ValueError) as error:
            if _is_absent(error):
                return None, None
            raise self._failed("read", error) from None
        return data, self._tag(found.meta)

    async def put(self, data: bytes, expected: object) -> object:
        """PUT the object, if it replaces what is expected."""
        mode: Any = "overwrite"
        if self._conditional and expected is not ANY:
            mode = "create" if expected is None else {"e_tag": expected}
        try:
            result = await self._thread.run(
                obstore.put, self._objects, self._path, data, mode=mode, use_multipart=False
            )
        except (AlreadyExistsError, PreconditionError):
            raise ConflictError(f"{self._path}: another saved before") from None
        except NotImplementedError as error:
            raise StorageError(
                f"{self._path}: this object store has no conditional writes; with conditional=False the last"
                " writer wins"
            ) from error
        except (BaseError, OSError, ValueError) as error:
            raise self._failed("written", error) from None
        return self._tag(result)

    async def probe(self) -> object:
        """HEAD."""
        try:
            return self._tag(await self._thread.run(obstore.head, self._objects, self._path))
        except (BaseError, OSError, ValueError) as error:
            if _is_absent(error):  # or the bucket is: an answer to HEAD has no code. The load will tell.
                return None
            raise self._failed("looked at", error) from None

    async def release(self) -> None:
        """End the thread."""
        await super().release()
        await self._thread.close()

    def _tag(self, meta: Any) -> str:
        tag = meta.get("e_tag")
        if not isinstance(tag, str):
            raise StorageError(f"{self._path}: this object store tells no ETag, so changes cannot be noticed")
        return tag

    def _failed(self, what: str, error: Exception) -> StorageError:
        return StorageError(f"{self._path}: the object cannot be {what}: {_reason(error)}")


def _code(error: Exception) -> str | None:
    found = re.search(r"<Code>(\w+)</Code>", str(error))
    return found and found[1]


def _is_absent(error: Exception) -> bool:
    return isinstance(error, FileNotFoundError) and _code(error) in _ABSENT


def _reason(error: Exception) -> str:
    """What the library's text says of the cause; without URLs, the server's answer, and all its state.

    They may hold what is secret, and are long. For the same reason the library's error is no ``__cause__``:
    a log would show it.
    """
    text = str(error)
    if status := re.search(r"status code: (\d+[\w ]*)", text):
        return ", ".join(filter(None, (status[1].strip(), _code(error))))
    first = re.sub(r"Error performing .*? - ", "", text.partition("\n")[0])
    system = re.search(r'message: "([^"\n]+)"', text)
    return re.sub(r"\w+://\S+", "…", first) + (f" ({system[1]})" if system else "")
