"""Clients of either kind in a room that is bridged."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

from support.live import until
from weft.documents.yjs.document import create_doc
from weft.mirrors import AutomergeDocument, AutomergeMirror, YjsMirror
from weft.protocols.automerge_repo import document_url
from weft.providers import AutomergeWebsocketProvider, YWebsocketProvider
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
        self.provider: YWebsocketProvider | AutomergeWebsocketProvider
        if kind == "yjs":
            doc = create_doc()
            self._mirror = YjsMirror(self.store, doc, on_error=self._errors.append)
            self.provider = YWebsocketProvider(doc, url, ROOM)
        else:
            document = AutomergeDocument()
            self._mirror = AutomergeMirror(self.store, document, on_error=self._errors.append)
            self.provider = AutomergeWebsocketProvider(document, url, document_url(DOCUMENT))
        self._mirror.start()

    @property
    def content(self) -> tuple[Any, Any]:
        return self.store.get_content()

    async def flush(self) -> None:
        await self.provider.flush(timeout=20)

    async def until(self, expected: tuple[Any, Any]) -> None:
        await until(
            lambda: self.content == expected,
            lambda callback: partial(
                self.store.del_listener, self.store.add_did_finish_transaction_listener(callback)
            ),
            f"{expected}; there is {self.content}",
        )

    async def __aenter__(self) -> Self:
        await self.provider.__aenter__()
        await self.provider.wait_synced(timeout=20)
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.provider.__aexit__(*error)
        self._mirror.stop()
        assert self._errors == []
