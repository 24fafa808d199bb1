"""Places that keep the whole content as one text under a version: a file, a key, a URL, a database cell.

A save that finds another version than the one last seen reads, merges what was edited here into what is
there, and tries again, so two writers never silently overwrite each other. A Store that merges takes in what
is there, and then all of it is written.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Unpack

from weft._support.arguments import check_seconds
from weft.errors import StorageError
from weft.persisters._core.mergeable_journal import MergeableJournal
from weft.persisters._core.persister import Persister
from weft.persisters._core.polling import Polling
from weft.persisters._core.replaced import PlaceReplacedError
from weft.persisters._core.unsaved import keep_not_loaded, merge
from weft.persisters._text.json_text import (
    parse_content,
    parse_either,
    render_content,
    render_document,
    render_store,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.persisters._core.unsaved import RawContent, StoredChanges, StoredContent
    from weft.store import Store

__all__ = ["ANY", "Any_", "ConflictError", "TextPersister"]

_TRIES = 100  # saves of others between our read and our write, in a row, before we call it a failure


class ConflictError(StorageError):
    """The place has another version than was expected. Nothing was written."""


class Any_(Enum):  # noqa: N801 - the type of ANY
    """The type of :data:`ANY`."""

    ANY = "ANY"


ANY: Final = Any_.ANY
"""Instead of a version: whatever is there is to be replaced."""


class TextPersister(Persister):
    """Base of persisters that keep the content as one JSON text, the text TinyBase keeps.

    Of a ``MergeableStore`` that is its mergeable content; of any other Store ``[tables,values]``.

    Subclasses implement :meth:`fetch` and :meth:`put`, and :meth:`probe` where that is cheaper.

    Args:
        store: The Store.
        poll_seconds: How often auto-load looks for another version; ``None``: never.
        on_error: Called with what automatic work could not do.
        connection: Persisters with the same one take turns.
    """

    keeps_mergeable = True

    def __init__(
        self,
        store: Store,
        *,
        poll_seconds: float | None,
        on_error: Callable[[Exception], object] | None = None,
        connection: object = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        if poll_seconds is not None:
            check_seconds("poll_seconds", poll_seconds)
        super().__init__(store, on_error=on_error, connection=connection, **tinybase)
        self.poll_seconds = poll_seconds
        self._version: object = ANY  # of the text that the Store was last made of or written to; ANY: none
        # The last one known of, so that each is told of once: also one that was there before.
        self._told: object = ANY

    def _parse(self, data: bytes) -> Any:
        try:
            return (parse_either if isinstance(self._journal, MergeableJournal) else parse_content)(data)
        except StorageError as error:
            raise StorageError(f"{self.place}: {error}" if self.place else str(error)) from error

    @abstractmethod
    async def fetch(self) -> tuple[bytes | None, object]:
        """Read the text, ``None`` where there is none, and its version: anything that compares with ``==``.

        Raises:
            StorageError: It could not be read.
        """

    @abstractmethod
    async def put(self, data: bytes, expected: object) -> object:
        """Replace the text, whole or not at all, if the place still has the expected version.

        Args:
            data: The new text.
            expected: A version :meth:`fetch` gave, or :data:`ANY`.

        Returns:
            The version it has now.

        Raises:
            ConflictError: It has another version.
            StorageError: It could not be written.
        """

    async def probe(self) -> object:
        """Look which version the place has."""
        return (await self.fetch())[1]

    async def read(self) -> RawContent | None:
        """Read and parse the text."""
        self._version = ANY
        data, version = await self.fetch()
        content = None if not data else self._parse(data)
        self._version = self._told = version
        return content

    async def write(
        self,
        get_content: Callable[[], StoredContent],
        changes: StoredChanges | None = None,
    ) -> None:
        """Write the whole text, after merging where the place has what the Store does not."""
        if isinstance(self._journal, MergeableJournal):
            await self._tried(partial(self._write_document, self._journal, mends=changes is None))
        elif changes is None and not self._journal.not_loaded:
            self._version = await self._put(render_store(self._store), ANY)
        elif changes is None:
            await self._tried(partial(self._replace_beside, get_content))
        else:
            await self._tried(partial(self._merge, changes))

    async def _tried(self, write: Callable[[], Awaitable[None]]) -> None:
        for _ in range(_TRIES):
            try:
                await write()
            except ConflictError:
                self._version = ANY
                continue
            return
        raise StorageError(
            f"others changed {self.place or 'the place'} {_TRIES} times in a row between reading and writing"
        )

    async def _replace_beside(self, get_content: Callable[[], StoredContent]) -> None:
        """Write the Store's content, and leave in the text what the Store could not take of it."""
        data, version = await self.fetch()
        await self._journal.settled()  # a transaction may have begun meanwhile
        content: Any = get_content()
        with suppress(StorageError):  # no content any more: then there is nothing to be kept
            keep_not_loaded(content, parse_content(data or b"[{},{}]"), self._journal.not_loaded)
        self._version = await self._put(render_content(content), version)

    async def _write_document(self, journal: MergeableJournal, *, mends: bool) -> None:
        """Write the document's content, after merging what is there where that is not known."""
        if not self._covers or self._version is ANY:
            data, version = await self.fetch()
            await journal.settled()  # a transaction may have begun meanwhile
            try:
                if data:
                    journal.join(self._parse(data))
            except StorageError:
                if not mends:
                    raise
            self._covers, self._version = True, version
        self._version = await self._put(render_document(journal.document), self._version)

    async def _merge(self, changes: StoredChanges) -> None:
        if self._covers and not self._journal.not_loaded and self._version is not ANY:
            self._version = await self._put(render_store(self._store), self._version)
            return
        before = self._version
        data, version = await self.fetch()
        if not data:
            await self._journal.settled()  # a transaction may have begun meanwhile
            self._version = await self._put(render_store(self._store), version)
            self._covers = True
            return
        content: Any = self._parse(data)
        merge(content, changes)
        self._version = await self._put(render_content(content), version)
        if version != before:
            self._lost_sight()

    async def _put(self, data: bytes, expected: object) -> object:
        self._version = ANY  # unknown, if this is cut off half-way
        self._told = await self.put(data, expected)
        return self._told

    async def watch(self, listener: Callable[..., None]) -> object:
        """Look for other versions every ``poll_seconds``."""
        if self.poll_seconds is None:
            return None
        return Polling(self.poll_seconds, lambda: self._look(listener), self._report)

    async def unwatch(self, handle: Polling) -> None:
        """Stop looking."""
        await handle.stop()

    async def _look(self, listener: Callable[..., None]) -> None:
        async with self._turns.turn():  # not while a save of ours is half-way
            try:
                version = await self.probe()
                news = version not in (self._version, self._told)
                self._told = version
            except PlaceReplacedError:
                news = True  # the load finds what is there now
        if news:
            listener()
