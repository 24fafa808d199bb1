"""Persisting to IndexedDB, the database of a browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, Unpack

from weft._aio.javascript import javascript
from weft._support.arguments import check_seconds, wrong_kind
from weft.documents.mergeable import from_json
from weft.errors import InvalidJsonError, StorageError
from weft.jsoncodec import parse
from weft.persisters._core.mergeable_journal import MergeableJournal, is_mergeable_form
from weft.persisters._core.persister import Persister
from weft.persisters._core.polling import Polling
from weft.persisters._core.unsaved import keep_not_loaded, merge
from weft.persisters._text.json_text import version_of
from weft.persisters._text.persister import ConflictError
from weft.persisters.browser.database import BrowserDatabase, edit_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.persisters._core.unsaved import RawContent, StoredChanges, StoredContent
    from weft.store import Store

__all__ = ["IndexedDbPersister"]

_TRIES = 100  # saves of others between our read and our write, in a row, before we call it a failure


class IndexedDbPersister(Persister):
    """Keeps a Store in a database of the browser's, which the pages of an origin share.

    The counterpart of TinyBase's ``createIndexedDbPersister``, on the same database. An automatic save writes
    the tables and values that were edited, and merges them into what others wrote, in one transaction. There
    is room for as much as the browser gives the origin, and it works in pages and in workers.

    Args:
        store: The Store.
        db_name: The database's name. It may hold a Store and a ``MergeableStore``, which do not meet.
        poll_seconds: How often auto-load looks whether others changed it, since the browser tells of no
            change; ``None``: never.
        on_error: Called with what automatic work could not do.

    Raises:
        RuntimeError: This Python runs in no browser.
    """

    keeps_mergeable = True

    def __init__(
        self,
        store: Store,
        db_name: str,
        *,
        poll_seconds: float | None = 1.0,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        if not isinstance(db_name, str):
            raise wrong_kind("a str for db_name", db_name)
        if poll_seconds is not None:
            check_seconds("poll_seconds", poll_seconds)
        self._name = db_name
        self._database = BrowserDatabase(javascript("IndexedDbPersister"), db_name)
        self._poll_seconds = poll_seconds
        # Of the text that the Store was last made of or written to, where that is known; and of the last one
        # that was seen, so that each is told of once.
        self._version: object = None
        self._told: object = None
        super().__init__(store, on_error=on_error, **tinybase)

    def get_db_name(self) -> str:
        """Get the database's name."""
        return self._name

    @property
    def place(self) -> str:
        """How errors call the place."""
        return self._database.place

    async def read(self) -> RawContent | None:
        """Read all entries."""
        self._version = None
        text = await self._database.get_all(self._stores)
        content: RawContent | None = self._content(text)
        self._version = self._told = _version(text)
        return content

    async def write(
        self, get_content: Callable[[], StoredContent], changes: StoredChanges | None = None
    ) -> None:
        """Write what changed, or everything, in one transaction."""
        if isinstance(self._journal, MergeableJournal):
            await self._write_document(self._journal, mends=changes is None)
            return
        self._version = self._told = None  # nobody says what all of the text is then
        if changes is not None:
            await self._merge(changes)
            return
        content = get_content()
        not_loaded = self._journal.not_loaded

        def decide(found: str) -> list[str]:
            there = self._content(found) if not_loaded else None
            if there is not None:
                keep_not_loaded(content, there, not_loaded)
            return [edit_text(part, json.dumps([*part.values()]), clear=True) for part in content]

        await self._database.edit(dict.fromkeys("tv", None if not_loaded else ()), decide)

    async def _merge(self, changes: StoredChanges) -> None:
        def decide(found: str) -> list[str]:
            there: Any = dict(self._entries(found)[0]), {}
            merge(there, changes)
            return [_changed(there[0], changes[0]), _changed(there[1], changes[1])]

        await self._database.edit({"t": [*changes[0]], "v": ()}, decide)

    async def _write_document(self, journal: MergeableJournal, *, mends: bool) -> None:
        """Write the document's content, after merging what is there where that is not known."""
        content = ""

        def decide(found: str) -> list[str]:
            if _version(found) != self._version:
                raise ConflictError(f"another wrote {self.place}")
            return [edit_text("tv", content, clear=True)]

        for _ in range(_TRIES):
            if not self._covers or self._version is None:
                text = await self._database.get_all("m")
                await journal.settled()  # a transaction may have begun meanwhile
                try:
                    if (there := self._content(text)) is not None:
                        journal.join(there)
                except StorageError:
                    if not mends:
                        raise
                self._covers, self._version = True, _version(text)
            content = journal.document.content_text()
            try:
                await self._database.edit({"m": None}, decide)
            except ConflictError:
                self._version = None
                continue
            self._version = self._told = _version(content)
            return
        raise StorageError(f"others changed {self.place} {_TRIES} times in a row")

    @property
    def _stores(self) -> Literal["tv", "m"]:
        return "m" if isinstance(self._journal, MergeableJournal) else "tv"

    def _content(self, text: str) -> Any:
        """Make content of what was read, as JavaScript's TinyBase would; ``None`` where there is none."""
        entries = self._entries(text)
        if self._stores == "m":
            if entries[0] is None:
                return None
            if not is_mergeable_form(entries):
                raise StorageError(f"{self.place}: it holds no content of a mergeable Store")
            return entries
        tables, values = map(dict, entries)
        return self._or_emptied((tables, values) if tables or values else None)

    def _entries(self, text: str) -> Any:
        try:
            return parse(text) if self._stores == "tv" else from_json(text)
        except (ValueError, RecursionError, InvalidJsonError) as error:
            raise StorageError(f"{self.place}: it holds what no Store does: {error}") from error

    async def watch(self, listener: Callable[..., None]) -> object:
        """Look for other entries every ``poll_seconds``."""
        if self._poll_seconds is None:
            return None

        async def look() -> None:
            async with self._turns.turn():  # not while a save of ours is half-way
                version = _version(await self._database.get_all(self._stores))
                news, self._told = version not in {self._version, self._told}, version
            if news:
                listener()

        return Polling(self._poll_seconds, look, self._report)

    async def unwatch(self, handle: Polling) -> None:
        """Stop looking."""
        await handle.stop()


def _changed(part: Mapping[str, object], changed: Mapping[str, object]) -> str:
    keys = [key for key in changed if key in part]
    return edit_text(keys, json.dumps([part[key] for key in keys]), remove=changed.keys() - part.keys())


def _version(text: str) -> object:
    return version_of(text.encode("utf-8", "surrogatepass"))
