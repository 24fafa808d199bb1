"""Persisting a MergeableStore to the file of a Durable Object."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack, cast

from weft._support.arguments import check_seconds, path_of, wrong_kind
from weft.errors import StorageError
from weft.persisters._core.mergeable_journal import MergeableJournal
from weft.persisters._core.persister import Persister
from weft.persisters._core.polling import Polling
from weft.persisters._text.persister import ANY, ConflictError
from weft.persisters.durable_objects.fragments import FragmentedForm
from weft.persisters.durable_objects.json_text import JsonForm
from weft.persisters.durable_objects.key_values import KeyValueForm
from weft.persisters.durable_objects.object_file import ObjectFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.documents.mergeable import MergeableChanges
    from weft.persisters._core.engine import TinyBaseOptions
    from weft.persisters._core.unsaved import RawContent, StoredChanges, StoredContent
    from weft.persisters.durable_objects.form import Form
    from weft.store import Store

__all__ = ["DurableObjectPersister"]

_TRIES = 5


class DurableObjectPersister(Persister):
    """Keeps a ``MergeableStore`` in the SQLite file of a Durable Object, as TinyBase does inside of it.

    For objects that are run by workerd or miniflare on a machine of yours, and for files that were exported.
    The file is the object's while it is awake: it can be read then, but nothing is saved, and a save raises
    :class:`weft.errors.StorageError`. To talk to an object that is awake, connect to it.

    Args:
        store: The ``MergeableStore``.
        path: The object's file, ``<folder>/<worker>-<class>/<id>.sqlite``; it is made where there is none.
        mode: How the object keeps the Store: ``"kv"`` as ``createDurableObjectStoragePersister`` does;
            ``"json"`` and ``"fragmented"`` as ``createDurableObjectSqlStoragePersister`` does with that mode.
        prefix: Its ``storagePrefix``, for ``"kv"`` and ``"fragmented"``.
        store_table_name: Its ``storeTableName``, for ``"json"``.
        auto_load_interval_seconds: How often auto-load looks for changes.
        on_error: Called with what automatic work could not do.

    Raises:
        TypeError: The Store is no ``MergeableStore``.
    """

    keeps_mergeable = True

    def __init__(
        self,
        store: Store,
        path: str | os.PathLike[str],
        mode: Literal["kv", "json", "fragmented"] = "kv",
        *,
        prefix: str = "",
        store_table_name: str = "tinybase",
        auto_load_interval_seconds: float = 1.0,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        path_of(path, "a path")
        check_seconds("auto_load_interval_seconds", auto_load_interval_seconds)
        if not isinstance(prefix, str):
            raise wrong_kind("a prefix, as str,", prefix)
        if mode not in {"kv", "json", "fragmented"}:
            raise ValueError(f"mode must be 'kv', 'json' or 'fragmented'; got {mode!r}")
        super().__init__(store, on_error=on_error, **tinybase)
        if not isinstance(self._journal, MergeableJournal):
            self.expects_use = False
            raise wrong_kind("a weft.mergeable.MergeableStore", store)
        self._stamps = self._journal
        self._stamps.doubts_hashes = True  # TinyBase's key-value form may lose the stamp of a deletion
        self._form: Form = (
            JsonForm(store_table_name)
            if mode == "json"
            else (KeyValueForm if mode == "kv" else FragmentedForm)(prefix)
        )
        self._file = ObjectFile(Path(path))
        self._seconds = auto_load_interval_seconds
        self._version: object = ANY

    @property
    def place(self) -> str:
        """How errors call the place."""
        return os.fspath(self._file.path)

    async def read(self) -> RawContent | None:
        """Read the file."""
        self._version = ANY
        content, self._version = await self._file.read(self._form.load) or (None, None)
        return content  # type: ignore[return-value] # of the mergeable form

    async def write(
        self, get_content: Callable[[], StoredContent], changes: StoredChanges | None = None
    ) -> None:
        """Write what was stamped, with the whole rows of it; all, after merging, where others wrote."""
        del get_content
        document = self._stamps.document
        for _ in range(_TRIES):
            if changes is None or not self._covers or self._version is ANY:
                await self._merge_file(mends=changes is None)
                stamps = document.get_content()
            elif self._form.is_whole:
                stamps = document.get_content()
            else:
                (tables, *_), (values, *_), _ = cast("MergeableChanges", changes)
                rows = {table_id: dict.fromkeys(table[0]) for table_id, table in tables.items()}
                stamps = document.get_hashed_stamps(rows, values)
            try:
                expected, self._version = self._version, ANY
                self._version = await self._file.write(partial(self._form.save, stamps, expected))
            except ConflictError:
                continue
            self._covers = True
            return
        raise StorageError(f"others changed {self.place} {_TRIES} times in a row")

    async def _merge_file(self, *, mends: bool) -> None:
        try:
            content = await self.read()
            await self._stamps.settled()  # a transaction may have begun meanwhile
            if content is not None:
                self._stamps.join(content)
        except StorageError:
            if not mends:
                raise
            self._version = ANY  # all that is there is written over

    async def watch(self, listener: Callable[..., None]) -> object:
        """Look for what others wrote every few seconds."""
        return Polling(self._seconds, partial(self._look, listener), self._report)

    async def unwatch(self, handle: Polling) -> None:
        """Stop looking."""
        await handle.stop()

    async def release(self) -> None:
        """End the thread of the file."""
        await self._file.close()

    async def _look(self, listener: Callable[..., None]) -> None:
        async with self._turns.turn():  # not while a save of ours is half-way
            version = await self._file.read(self._form.version)
        if version != self._version:
            listener()
