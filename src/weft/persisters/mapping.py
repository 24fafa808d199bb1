"""Persisting to a mapping: a dictionary, ``shelve``, ``dbm``, ``diskcache``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from weft._support.arguments import check_callable, wrong_kind
from weft.errors import StorageError
from weft.persisters._core.polling import Polling
from weft.persisters._text.json_text import stored_text, version_of
from weft.persisters._text.persister import ANY, ConflictError, TextPersister

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.store import Store

__all__ = ["MappingPersister"]


class MappingPersister(TextPersister):
    """Keeps a Store under one key of a mapping, as TinyBase does in the browser's storage.

    ::

        with dbm.open("notes") as db:
            async with MappingPersister(store, db, "notes") as persister:
                await persister.load()

    Args:
        store: The Store.
        mapping: Any mutable mapping that takes a ``str`` and gives back ``str`` or ``bytes``. It is used in
            the thread of the event loop. If it has a ``sync`` method, that is called after each save.
            Without one, a dictionary of this persister's own is used.
        key: The key.
        subscribe: How to hear of changes, if the mapping can tell: called with a function to call at each
            change (from any thread), returns a function that ends this.
        poll_seconds: How often auto-load compares the value, where there is no ``subscribe``.
        on_error: Called with what automatic work could not do.
    """

    def __init__(
        self,
        store: Store,
        mapping: MutableMapping[str, Any] | None = None,
        key: str = "store",
        *,
        subscribe: Callable[[Callable[[], None]], Callable[[], object]] | None = None,
        poll_seconds: float | None = 1.0,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        mapping = {} if mapping is None else mapping
        given: object = mapping
        # Not all that dbm opens says that it is a mapping.
        if isinstance(given, list | bytearray) or not hasattr(given, "__setitem__"):
            raise wrong_kind("a mutable mapping", given)
        check_callable("subscribe", subscribe)
        super().__init__(store, poll_seconds=poll_seconds, on_error=on_error, **tinybase, connection=mapping)
        self._mapping = mapping
        self._key = key
        self._subscribe = subscribe

    def get_mapping(self) -> MutableMapping[str, Any]:
        """Get the mapping."""
        return self._mapping

    def get_key(self) -> str:
        """Get the key."""
        return self._key

    @property
    def place(self) -> str:
        """How errors call the place."""
        return f"key {self._key!r}"

    async def fetch(self) -> tuple[bytes | None, object]:
        """Read the value."""
        return self._get()

    async def put(self, data: bytes, expected: object) -> object:
        """Write the value."""
        if expected is not ANY and self._get()[1] != expected:
            raise ConflictError(f"another wrote the key {self._key!r}")
        try:
            self._mapping[self._key] = data.decode()
            sync = getattr(self._mapping, "sync", None)
            if callable(sync):
                sync()
        except Exception as error:  # whatever a mapping of the user's raises
            raise StorageError(f"key {self._key!r}: {error!r}") from error
        return version_of(data)

    def _get(self) -> tuple[bytes | None, object]:
        try:
            value: object = self._mapping[self._key]
        except KeyError:
            return None, None
        except Exception as error:  # as above
            raise StorageError(f"key {self._key!r}: {error!r}") from error
        data = stored_text(value, f"key {self._key!r}")
        return data, version_of(data)

    async def watch(self, listener: Callable[..., None]) -> object:
        """Subscribe where that is possible, otherwise look every ``poll_seconds``."""
        if self._subscribe is None:
            return await super().watch(listener)
        handle = Polling(None, lambda: self._look(listener), self._report)
        try:
            handle.wake_by(self._subscribe)
        except BaseException:
            await handle.stop()
            raise
        return handle
