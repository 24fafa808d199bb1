"""Persisting to a file."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, Unpack

from weft._aio.tasks import end_tasks
from weft._aio.thread import WorkerThread
from weft._support.arguments import path_of
from weft.errors import StorageError
from weft.persisters._core.polling import Polling
from weft.persisters._text.atomic_file import CannotReplaceError, file_version, read_file, replace_file
from weft.persisters._text.in_place import overwrite_file, read_locked
from weft.persisters._text.persister import ANY, ConflictError, TextPersister

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.persisters._text.atomic_file import FileVersion
    from weft.store import Store

__all__ = ["FilePersister"]

T = TypeVar("T")

_DEBOUNCE_MS = 50
_STEP_MS = 10
# Looks beside the system's watch, which ends with the directory, and says nothing on network file systems.
_LOOK_SECONDS = 1.0


class FilePersister(TextPersister):
    """Keeps a Store in a file of JSON text, the file that TinyBase's file persister keeps.

    ::

        async with FilePersister(store, "notes.json") as persister:
            await persister.start_auto_persisting(({}, {"open": True}))

    The file is replaced atomically and durably; its mode stays, symbolic links are followed. Several
    processes may use one file: automatic saves merge into what the others wrote.

    Args:
        store: The Store.
        path: The file; its directory must be there.
        atomic: Whether a save replaces the file, so that after a crash at any instant the old or the new
            content is there. ``False`` writes it in place, for one that the system does not let be replaced:
            a file that is itself a mount point, one in a directory that may not be written. Then a crash in
            the middle of a save leaves it half written.
        poll_seconds: How often auto-load looks at the file. Where the package ``watchfiles`` is installed
            (``weft[files]``), the system tells of changes, and a look a second is all that is added.
        on_error: Called with what automatic work could not do.
    """

    def __init__(
        self,
        store: Store,
        path: str | os.PathLike[str],
        *,
        atomic: bool = True,
        poll_seconds: float = 0.05,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        path = path_of(path)
        super().__init__(store, poll_seconds=poll_seconds, on_error=on_error, **tinybase)
        self._path = os.path.abspath(path)  # noqa: PTH100 - the working directory may change
        self._atomic = atomic
        self._files = WorkerThread("weft-file")

    def get_file_path(self) -> str:
        """Get the path, made absolute."""
        return self._path

    @property
    def place(self) -> str:
        """How errors call the place."""
        return self._path

    async def fetch(self) -> tuple[bytes | None, object]:
        """Read the file."""
        read = read_file if self._atomic else read_locked
        return await self._mapped(lambda: read(self._path))

    async def put(self, data: bytes, expected: object) -> object:
        """Replace the file, or write it in place where that was asked for."""
        write = replace_file if self._atomic else overwrite_file

        def agreed(version: FileVersion) -> bool:
            return expected is ANY or version == expected

        version = await self._mapped(lambda: write(self._path, data, agreed))
        if version is None:
            raise ConflictError(f"another changed {self._path}")
        return version

    async def probe(self) -> object:
        """Look at the file without reading it."""
        return await self._mapped(lambda: file_version(self._path))

    async def _mapped(self, work: Callable[[], T]) -> T:
        try:
            return await self._files.run(work)
        except CannotReplaceError as error:
            raise StorageError(
                f"{self._path}: no other file can take its place ({error.filename}: {error.strerror}), so it"
                " was not saved; FilePersister(..., atomic=False) writes it in place, where a crash in the"
                " middle leaves it half written"
            ) from error
        except OSError as error:
            other = error.filename if error.filename not in {None, self._path} else None
            raise StorageError(
                f"{self._path}: {error.strerror or error}{f' ({other})' if other else ''}"
            ) from error

    async def watch(self, listener: Callable[..., None]) -> object:
        """Look at the file, and where ``watchfiles`` is installed at once when the system says so."""
        try:
            import watchfiles  # noqa: PLC0415 - optional
        except ImportError:
            return await super().watch(listener)
        # The directory and not the file: a watch on the file ends when the file is replaced.
        path = await self._files.run(os.path.realpath, self._path)
        folder, name = os.path.split(path)
        stop = asyncio.Event()
        changes = watchfiles.awatch(
            folder,
            watch_filter=lambda _change, changed: os.path.basename(changed) == name,  # noqa: PTH119
            stop_event=stop,
            recursive=False,
            step=_STEP_MS,
            debounce=_DEBOUNCE_MS,
            rust_timeout=1000,
        )

        def subscribe(wake: Callable[[], None]) -> Callable[[], object]:
            async def follow() -> None:
                # Without the directory, or without room for one more watch, the looks will do.
                with suppress(OSError, RuntimeError):
                    async for _ in changes:
                        wake()

            following = asyncio.get_running_loop().create_task(follow())

            async def end() -> None:
                stop.set()
                await end_tasks([following], grace_seconds=None)  # quicker than to cancel it

            return end

        handle = Polling(_LOOK_SECONDS, lambda: self._look(listener), self._report)
        handle.wake_by(subscribe)
        return handle

    async def release(self) -> None:
        """End the thread."""
        await self._files.close()
