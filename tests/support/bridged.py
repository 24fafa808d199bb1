"""Clients of either kind in a room that is bridged."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

from support.live import until
from support.repoclient import RepoClient
from weft.mirrors import AutomergeMirror, YjsMirror
from weft.mirrors.ydoc import create_doc
from weft.providers import YWebsocketProvider
from weft.server import bridge_document_id
from weft.store import Store

__all__ = ["DOCUMENT", "KINDS", "ROOM", "Tables"]

ROOM = "farm"
DOCUMENT = bridge_document_id(ROOM)
KINDS = ["yjs", "automerge"]


class Tables:
    """A Store kept in a bridged room by a client of either kind. Use as ``async with``."""

    def __init__(self, url: str, kind: str) -> None:
        self.store = Store()
        self._errors: list[Exception] = []
        self._mirror: YjsMirror | AutomergeMirror
        if kind == "yjs":
            doc = create_doc()
            self._mirror = YjsMirror(self.store, doc, on_error=self._errors.append)
            self._client: YWebsocketProvider | RepoClient = YWebsocketProvider(doc, url, ROOM)
        else:
            self._client = RepoClient(url, DOCUMENT)
            document = self._client.documents[DOCUMENT]
            self._mirror = AutomergeMirror(self.store, document, on_error=self._errors.append)
            self._client.follow(DOCUMENT)

    @property
    def content(self) -> tuple[Any, Any]:
        return self.store.get_content()

    async def flush(self) -> None:
        if isinstance(self._client, RepoClient):
            await self._client.flush(DOCUMENT)
        else:
            await self._client.flush(timeout=20)

    async def until(self, expected: tuple[Any, Any]) -> None:
        await until(
            lambda: self.content == expected,
            lambda callback: partial(
                self.store.del_listener, self.store.add_did_finish_transaction_listener(callback)
            ),
            f"{expected}; there is {self.content}",
        )

    async def closed(self) -> int:
        assert isinstance(self._client, RepoClient)
        return await self._client.wait_closed()

    async def __aenter__(self) -> Self:
        self._mirror.start()
        await self._client.__aenter__()
        if isinstance(self._client, RepoClient):
            await self._client.synced(DOCUMENT)
        else:
            await self._client.wait_synced(timeout=20)
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._client.__aexit__(*error)
        self._mirror.stop()
        assert self._errors == []
