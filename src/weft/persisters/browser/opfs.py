"""Persisting to a file of the browser's own: the origin private file system (OPFS).

As TinyBase 10.0.1 does (persister-browser): the JSON text of a file.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Unpack

from weft._aio.javascript import javascript
from weft._support.arguments import wrong_kind
from weft.persisters._core.polling import Polling
from weft.persisters._text.json_text import version_of
from weft.persisters._text.persister import ANY, ConflictError, TextPersister
from weft.persisters.browser.errors import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.store import Store

__all__ = ["OpfsPersister"]

_TRIES = 20  # that the file is replaced between our looking it up and reading it, in a row


class OpfsPersister(TextPersister):
    """Keeps a Store in a file of the browser's own file system, which the pages of an origin share.

    The counterpart of TinyBase's ``createOpfsPersister``, on the same file. The browser puts the new text in
    the place of the old one at once and whole. It works in pages and in workers.

    Args:
        store: The Store.
        file: A path in that file system, with ``/`` between folders, which are made where they are missing;
            or a ``FileSystemFileHandle`` of yours.
        poll_seconds: How often auto-load looks at the file, where the browser has no ``FileSystemObserver``
            to tell of changes; ``None``: never.
        on_error: Called with what automatic work could not do.

    Raises:
        RuntimeError: This Python runs in no browser.
    """

    def __init__(
        self,
        store: Store,
        file: Any,
        *,
        poll_seconds: float | None = 1.0,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        self._js = javascript("OpfsPersister")
        if not isinstance(file, str) and not hasattr(file, "createWritable"):
            raise wrong_kind("a path or a FileSystemFileHandle", file)
        self._path = file.strip("/").split("/") if isinstance(file, str) else []
        if "" in self._path:
            raise ValueError("a path in the browser's file system needs the name of a file")
        self._handle = None if self._path else file
        self._name: str = self._path[-1] if self._path else file.name
        super().__init__(store, poll_seconds=poll_seconds, on_error=on_error, **tinybase)

    async def get_handle(self) -> Any:
        """Get the file's ``FileSystemFileHandle``; the file is made where it is missing."""
        with self._mapped():
            return await self._file(create=True)

    @property
    def place(self) -> str:
        """How errors call the place."""
        return f"OPFS, {'/'.join(self._path) or self._name}"

    async def fetch(self) -> tuple[bytes | None, object]:
        """Read the file."""
        with self._mapped():
            data = await self._get()
        return data, version_of(data)

    async def put(self, data: bytes, expected: object) -> object:
        """Replace the file, while no other persister of weft does."""
        with self._mapped():
            async with self._js.lock(f"weft {self._name}"):
                if expected is not ANY and version_of(await self._get()) != expected:
                    raise ConflictError(f"another wrote {self.place}")
                writable = await (await self._file(create=True)).createWritable()
                try:
                    await writable.write(self._js.byte_array(data))
                    await writable.close()
                except BaseException:
                    with suppress(self._js.error):
                        await writable.abort()
                    raise
        return version_of(data)

    async def _get(self) -> bytes | None:
        for tries in range(_TRIES):
            try:
                file = await (await self._file(create=False)).getFile()
            except self._js.error as error:
                if getattr(error, "name", "") == "NotFoundError":
                    return None
                raise
            try:
                data: bytes = (await file.arrayBuffer()).to_bytes()
            except self._js.error:
                if tries + 1 == _TRIES:
                    raise
                continue  # another took its place in between
            return data or None  # a file that was made and not yet written
        raise AssertionError("unreachable")

    async def _file(self, *, create: bool) -> Any:
        if self._handle is not None:
            return self._handle
        folder = await self._js.globals.navigator.storage.getDirectory()
        for name in self._path[:-1]:
            folder = await folder.getDirectoryHandle(name, self._js.record(create=create))
        return await folder.getFileHandle(self._name, self._js.record(create=create))

    def _mapped(self) -> AbstractContextManager[None]:
        return storage_errors(self._js, self.place)

    async def watch(self, listener: Callable[..., None]) -> object:
        """Look when the browser says that the file changed; every ``poll_seconds`` where it says nothing."""
        observer_class = getattr(self._js.globals, "FileSystemObserver", None)
        if observer_class is None:
            return await super().watch(listener)
        with self._mapped():
            # A file that is not there yet cannot be watched, nor can a folder of it.
            watched = self._handle or await self._js.globals.navigator.storage.getDirectory()
        begun: list[Any] = []

        def subscribe(wake: Callable[[], None]) -> Callable[[], object]:
            def changed(records: Any, _observer: object) -> None:
                if any(getattr(record.changedHandle, "name", self._name) == self._name for record in records):
                    wake()

            callback = self._js.callback(changed)
            observer = observer_class.new(callback)
            begun.append(observer.observe(watched, self._js.record(recursive=self._handle is None)))

            def end() -> None:
                observer.disconnect()
                callback.destroy()

            return end

        handle = Polling(None, lambda: self._look(listener), self._report)
        try:
            handle.wake_by(subscribe)
            with self._mapped():
                await begun[0]
        except BaseException:
            await handle.stop()
            raise
        return handle
