"""Persisting to a browser's local and session storage.

As TinyBase 10.0.1 does (persister-browser): the JSON text of a file under one key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from weft._aio.javascript import javascript
from weft._support.arguments import wrong_kind
from weft.errors import StorageError
from weft.persisters._core.polling import Polling
from weft.persisters._text.json_text import stored_text, version_of
from weft.persisters._text.persister import ANY, ConflictError, TextPersister
from weft.persisters.browser.errors import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.store import Store

__all__ = ["LocalPersister", "SessionPersister"]


class _StoragePersister(TextPersister):
    _area: str

    def __init__(
        self,
        store: Store,
        storage_name: str,
        *,
        poll_seconds: float | None = 1.0,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        if not isinstance(storage_name, str):
            raise wrong_kind("a str for storage_name", storage_name)
        self._name = storage_name
        self._js = javascript(type(self).__name__)
        with self._mapped():
            self._storage: Any = getattr(self._js.globals, self._area, None)
        if self._storage is None:
            raise StorageError(
                f"there is no {self._area} here, as in every worker: IndexedDbPersister and OpfsPersister"
                " work in one"
            )
        super().__init__(store, poll_seconds=poll_seconds, on_error=on_error, **tinybase)

    def get_storage_name(self) -> str:
        """Get the key."""
        return self._name

    @property
    def place(self) -> str:
        """How errors call the place."""
        return f"{self._area}, key {self._name!r}"

    async def fetch(self) -> tuple[bytes | None, object]:
        """Read the item."""
        data = self._get()
        return data, version_of(data)

    async def put(self, data: bytes, expected: object) -> object:
        """Replace the item; no other program of the page runs between the look and that."""
        if expected is not ANY and version_of(self._get()) != expected:
            raise ConflictError(f"another wrote {self.place}")
        with self._mapped():
            self._storage.setItem(self._name, data.decode())
        return version_of(data)

    def _get(self) -> bytes | None:
        with self._mapped():
            item = self._storage.getItem(self._name)
        return (
            stored_text(item, self.place) if isinstance(item, str) else None
        )  # null has an object of its own

    def _mapped(self) -> AbstractContextManager[None]:
        return storage_errors(self._js, self.place)

    async def watch(self, listener: Callable[..., None]) -> object:
        """Look when the browser says that another page changed it, and every ``poll_seconds``."""

        def subscribe(wake: Callable[[], None]) -> Callable[[], object]:
            def changed(event: Any) -> None:
                # Without a key, the storage was cleared.
                if event.storageArea == self._storage and event.key in (self._name, self._js.null):
                    wake()

            callback = self._js.callback(changed)
            self._js.globals.addEventListener("storage", callback)

            def end() -> None:
                self._js.globals.removeEventListener("storage", callback)
                callback.destroy()

            return end

        handle = Polling(self.poll_seconds, lambda: self._look(listener), self._report)
        handle.wake_by(subscribe)
        return handle


class LocalPersister(_StoragePersister):
    """Keeps a Store in the browser's local storage, which the pages of an origin share.

    The counterpart of TinyBase's ``createLocalPersister``, on the same text. A browser gives an origin some
    5 MB there; :class:`IndexedDbPersister` has room for more, and runs in workers as well.

    Args:
        store: The Store.
        storage_name: The key.
        poll_seconds: How often auto-load looks at what programs of the same page wrote, of which the browser
            does not tell; it tells at once what other pages wrote. ``None``: never.
        on_error: Called with what automatic work could not do.

    Raises:
        RuntimeError: This Python runs in no browser.
        StorageError: The browser gives this page no local storage.
    """

    _area = "localStorage"


class SessionPersister(_StoragePersister):
    """Keeps a Store in the browser's session storage, which one tab has for as long as it is open.

    The counterpart of TinyBase's ``createSessionPersister``, on the same text.

    Args:
        store: The Store.
        storage_name: The key.
        poll_seconds: As of :class:`LocalPersister`.
        on_error: Called with what automatic work could not do.

    Raises:
        RuntimeError: This Python runs in no browser.
        StorageError: The browser gives this page no session storage.
    """

    _area = "sessionStorage"
