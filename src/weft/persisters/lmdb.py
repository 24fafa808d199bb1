"""Persisting to LMDB: a memory-mapped file that several processes share.

The counterpart of TinyBase's MMKV persister: the JSON text under one key.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, ClassVar, TypeVar, Unpack

import lmdb

from weft._aio.thread import WorkerThread
from weft._support.arguments import path_of, wrong_kind
from weft._support.files import FileIdentity
from weft.errors import StorageError
from weft.persisters._core.replaced import PlaceReplacedError
from weft.persisters._text.json_text import version_of
from weft.persisters._text.persister import ANY, ConflictError, TextPersister

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.store import Store

__all__ = ["LmdbPersister"]

T = TypeVar("T")

_MAP_BYTES = 2**30
_DATA = "data.mdb"


class _Environment:
    """An environment that is open, and the file of it."""

    def __init__(self, environment: lmdb.Environment) -> None:
        self.lmdb = environment
        self.users = 0
        self.process = os.getpid()
        path = environment.path()
        self.file = FileIdentity.of(os.path.join(path, _DATA) if os.path.isdir(path) else path)  # noqa: PTH112, PTH118


class _Environments:
    """Environments that are open: LMDB allows a process each file once, and a child none of its parent's."""

    _lock: ClassVar[threading.Lock] = threading.Lock()
    _open: ClassVar[dict[FileIdentity | None, _Environment]] = {}

    @classmethod
    def take(cls, path: str, map_bytes: int) -> _Environment:
        with cls._lock:
            # By the file and not by the path, where another may stand by now.
            opened = cls._open.get(FileIdentity.of(os.path.join(path, _DATA)))  # noqa: PTH118
            if opened is not None and opened.process != os.getpid():
                opened.lmdb.close()  # which in a forked process only forgets it
                opened = None
            if opened is None:
                opened = _Environment(lmdb.open(path, map_size=map_bytes))
                cls._open[opened.file] = opened
            opened.users += 1
            return opened

    @classmethod
    def give_back(cls, environment: _Environment) -> None:
        with cls._lock:
            environment.users -= 1
            if not environment.users:
                del cls._open[environment.file]
                environment.lmdb.close()


class LmdbPersister(TextPersister):
    """Keeps a Store under one key of an LMDB environment, durably, for any number of processes.

    Args:
        store: The Store.
        environment: Path of the environment's directory, made where it is not there; or an environment of
            yours, which stays open.
        key: The key, in the main database.
        poll_seconds: How often auto-load looks at the number of the last transaction, which costs a
            microsecond or two.
        map_bytes: The largest that the environment may grow, where it is opened here; an address range and
            not memory. All processes should say the same.
        on_error: Called with what automatic work could not do.
    """

    def __init__(
        self,
        store: Store,
        environment: str | os.PathLike[str] | lmdb.Environment,
        key: str = "store",
        *,
        poll_seconds: float = 0.05,
        map_bytes: int = _MAP_BYTES,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        given = environment if isinstance(environment, lmdb.Environment) else None
        path = None if isinstance(environment, lmdb.Environment) else os.path.realpath(path_of(environment))
        if not isinstance(key, str):
            raise wrong_kind("a str for key", key)
        super().__init__(store, poll_seconds=poll_seconds, on_error=on_error, **tinybase, connection=given)
        self._given = given
        self._environment = None if given is None else _Environment(given)
        self._path = path
        self._map_bytes = map_bytes
        self._key = key
        self._thread = WorkerThread("weft-lmdb")
        self._seen_transaction = -1
        self._seen_version: object = None

    def get_key(self) -> str:
        """Get the key."""
        return self._key

    @property
    def place(self) -> str:
        """How errors call the place."""
        return f"{self._path or 'environment'}, key {self._key!r}"

    async def fetch(self) -> tuple[bytes | None, object]:
        """Read the value."""
        return await self._run(self._get)

    async def put(self, data: bytes, expected: object) -> object:
        """Write the value in one transaction."""
        await self._run(lambda environment: self._replace(environment, data, expected))
        return version_of(data)

    async def probe(self) -> object:
        """Compare the value where anything was committed since the last look."""
        return await self._run(self._compared)

    async def release(self) -> None:
        """Close the environment, if it was opened here and no other persister uses it."""
        try:
            await self._let_go()
        finally:
            await self._thread.close()

    async def reopen(self) -> None:
        """Use the environment that is there now."""
        await self._let_go()
        self._seen_transaction = -1

    async def _let_go(self) -> None:
        environment = self._environment
        if environment is not None and self._given is None:
            self._environment = None
            await self._thread.run(_Environments.give_back, environment)

    async def _run(self, work: Callable[[lmdb.Environment], T]) -> T:
        def run() -> T:
            if self._environment is None:
                assert self._path is not None  # noqa: S101 - one of the two was given
                self._environment = _Environments.take(self._path, self._map_bytes)
            self._check(self._environment)
            environment = self._environment.lmdb
            try:
                result = work(environment)
            except (lmdb.ReadersFullError, lmdb.MapFullError):
                # Processes that were killed keep their places as readers, and the pages they read.
                if not environment.reader_check():
                    raise
                result = work(environment)
            self._check(self._environment)  # what is in a file without its name, nobody will read
            return result

        try:
            return await self._thread.run(run)
        except lmdb.MapFullError as error:
            raise StorageError(f"{self._path or 'environment'}: full; open it with more map_bytes") from error
        except (lmdb.Error, OSError) as error:
            raise StorageError(f"{self._path or 'environment'}: {error}") from error

    # -- in the thread -----------------------------------------------------------------------------------

    def _check(self, environment: _Environment) -> None:
        file = environment.file
        loss = None if file is None else file.loss()
        if file is None or loss is None:
            return
        if self._given is None:
            raise PlaceReplacedError(f"{file.path} {loss}")
        raise StorageError(
            f"{file.path} {loss}, and is not ours to open anew: nothing was saved there; make a persister on"
            " an environment that is there now"
        )

    def _get(self, environment: lmdb.Environment) -> tuple[bytes | None, object]:
        with environment.begin() as transaction:
            value = transaction.get(self._key.encode())
        data = None if value is None else bytes(value)
        return data, version_of(data)

    def _compared(self, environment: lmdb.Environment) -> object:
        number = environment.info()["last_txnid"]
        if number != self._seen_transaction:
            # Read after the number: what was committed in between is looked at once more.
            self._seen_version = self._get(environment)[1]
            self._seen_transaction = number
        return self._seen_version

    def _replace(self, environment: lmdb.Environment, data: bytes, expected: object) -> None:
        with environment.begin(write=True) as transaction:
            if expected is not ANY:
                value = transaction.get(self._key.encode())
                if version_of(None if value is None else bytes(value)) != expected:
                    raise ConflictError(f"another wrote the key {self._key!r}")
            transaction.put(self._key.encode(), data)
