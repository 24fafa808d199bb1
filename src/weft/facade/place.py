"""A Store to be opened: in a file or database by a persister, or in a replica."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Unpack

from weft import persisters
from weft._support.arguments import path_of, wrong_kind
from weft._support.urls import shown_url
from weft.facade.document_sync import DocumentSync
from weft.facade.documents import check_layout, create_document, create_mirror, open_replica
from weft.facade.opening import Opening
from weft.facade.options import OpenOptions, Options
from weft.facade.place_sync import PlaceSync

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.facade.kept_store import KeptStore
    from weft.facade.state import StoreSync
    from weft.persisters import Persister

__all__ = ["Place"]

FORMS = "FILE.json, FILE.weft, sqlite:FILE or postgresql://HOST/DATABASE"
_POSTGRES = ("postgresql://", "postgres://")


class Place(Opening):
    """A Store to be opened at a place."""

    def __init__(
        self, place: str | os.PathLike[str], *, mergeable: bool = False, **options: Unpack[OpenOptions]
    ) -> None:
        self.options = Options(**options)
        if not isinstance(mergeable, bool):
            raise wrong_kind("a bool for mergeable", mergeable)
        self._mergeable = mergeable
        if not isinstance(place, str | os.PathLike):
            raise wrong_kind(f"a place, such as {FORMS},", place)
        given = os.fspath(place)
        self.address = shown_url(str(given))
        self._replica: str | None = None
        self._create: Callable[..., Persister]
        text = str(given)
        if text.startswith(_POSTGRES):
            driver = persisters.AsyncpgDriver  # what is missing for it is said now
            self._create = lambda store, **more: persisters.PostgresJsonPersister(store, driver(text), **more)
        elif text.startswith("sqlite:"):
            path = path_of(text.removeprefix("sqlite:"))
            self._create = lambda store, **more: persisters.SqliteJsonPersister(store, path, **more)
        elif "://" in text:
            raise ValueError(f"{self.address} is no place: give {FORMS}; weft.connect goes to servers")
        elif text.endswith(".json"):
            path = path_of(given)
            self._create = lambda store, **more: persisters.FilePersister(store, path, **more)
        elif text.endswith(".weft"):
            if mergeable:
                raise ValueError(
                    f"{text!r} is a replica, whose document merges by itself: leave mergeable=True out, "
                    "or name a FILE.json or sqlite:FILE"
                )
            self._replica = path_of(given)
        else:
            raise ValueError(f"{text!r} does not say what is there: give {FORMS}")

    async def begin(self, store: KeptStore) -> StoreSync:
        """Open it; see the base class."""
        if self._replica is not None:
            return await self._begin_replica(store, self._replica)
        sync = PlaceSync(store, self.address, self.options.on_error)
        if self._mergeable:
            sync.document = create_document("mergeable")
            sync.mirror = create_mirror(
                "mergeable", store, sync.document, layout=None, on_error=sync.report
            ).start()
        sync.persister = self._create(store, on_error=sync.report)
        try:
            await sync.begin()
        except BaseException:
            await sync.close()
            raise
        return sync

    async def _begin_replica(self, store: KeptStore, path: str) -> StoreSync:
        options = self.options
        sync = DocumentSync(store, self.address, options.on_error)
        try:
            sync.replica = replica = await open_replica(
                path, kind=None, durable=options.durable, on_error=sync.report_unsaved
            )
            check_layout(replica.kind, options.layout)
            sync.document = replica.document
            sync.mirror = create_mirror(
                replica.kind, store, sync.document, layout=options.layout, on_error=sync.report
            )
            await sync.begin(connect=False)
        except BaseException:
            await sync.close()
            raise
        return sync
