"""Clients of each kind in a room that is bridged: of a real server, and offline when not being synced."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from support.live import until
from weft.documents.yjs.document import YDocument, create_doc
from weft.mergeable import MergeableDocument, MergeableMirror, MergeableStore
from weft.mirrors import AutomergeDocument, AutomergeMirror, YjsMirror
from weft.protocols.automerge_repo import document_url
from weft.providers import AutomergeWebsocketProvider, TinyBaseProvider, YWebsocketProvider
from weft.server import bridge_document_id
from weft.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.server.bridge import Bridge

Content = tuple[Any, Any]

__all__ = [
    "DOCUMENT",
    "KINDS",
    "ROOM",
    "AutomergePeer",
    "MergeablePeer",
    "Peer",
    "Tables",
    "YjsPeer",
    "sides",
    "sync_documents",
]

ROOM = "farm"
DOCUMENT = bridge_document_id(ROOM)
KINDS = ["yjs", "automerge", "tinybase"]


class Tables:
    """A Store kept in a bridged room by a client of some kind. Use as ``async with``."""

    def __init__(self, url: str, kind: str) -> None:
        self.store = Store()
        self._errors: list[Exception] = []
        self._mirror: YjsMirror | AutomergeMirror | MergeableMirror
        self.provider: YWebsocketProvider | AutomergeWebsocketProvider | TinyBaseProvider
        if kind == "tinybase":
            mergeable = MergeableDocument()
            self._mirror = MergeableMirror(self.store, mergeable, on_error=self._errors.append)
            self.provider = TinyBaseProvider(mergeable, f"{url}/{ROOM}")
        elif kind == "yjs":
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
        try:
            await self.provider.wait_synced(timeout=20)
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            raise
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.provider.__aexit__(*error)
        self._mirror.stop()
        assert self._errors == []


class Peer(ABC):
    """A Store in a document of its own."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.store = Store()

    @property
    def content(self) -> Content:
        return self.store.get_content()

    @abstractmethod
    def sync(self, bridge: Bridge) -> None:
        """Exchange everything with the side of its kind."""


class YjsPeer(Peer):
    def __init__(self) -> None:
        super().__init__()
        self.doc = create_doc()
        self.hub = YDocument.of(self.doc)
        self.mirror = YjsMirror(self.store, self.doc, on_error=self.errors.append).start()

    def sync(self, bridge: Bridge) -> None:
        hub = bridge.room.document
        hub.apply(self.doc.get_update(hub.state_vector()), origin=self)
        self.hub.apply(hub.diff(self.hub.state_vector()), origin=bridge)


class MergeablePeer(Peer):
    def __init__(self, get_now: Callable[[], float] | None = None) -> None:
        super().__init__()
        self.document = MergeableDocument(get_now=get_now)
        self.mirror = MergeableMirror(self.store, self.document, on_error=self.errors.append).start()

    def sync(self, bridge: Bridge) -> None:
        other = bridge.mergeable.document
        other.apply(self.document.get_content(), origin=self)
        self.document.apply(other.get_content(), origin=bridge)


class AutomergePeer(Peer):
    def __init__(self) -> None:
        super().__init__()
        self.document = AutomergeDocument()
        self.mirror = AutomergeMirror(self.store, self.document, on_error=self.errors.append).start()

    def sync(self, bridge: Bridge) -> None:
        sync_documents(self.document, bridge.document.document)


def sync_documents(one: AutomergeDocument, two: AutomergeDocument) -> None:
    ends = [(one, one.new_sync_state(), two), (two, two.new_sync_state(), one)]
    states = {id(document): state for document, state, _ in ends}
    silent = 0
    while silent < 2:
        for document, state, other in ends:
            message = document.generate_sync_message(state)
            silent = silent + 1 if message is None else 0
            if message is not None:
                other.receive_sync_message(states[id(other)], message, origin=document)


def sides(bridge: Bridge) -> tuple[Content, Content, Content]:
    """What fresh readers of each side see."""
    yjs, automerge, mergeable = Store(), Store(), MergeableStore()
    doc = create_doc()
    YDocument.of(doc).apply(bridge.room.document.diff(b"\0"), origin=None)
    with (
        YjsMirror(yjs, doc),
        AutomergeMirror(automerge, AutomergeDocument(bridge.document.document.save())),
    ):
        mergeable.set_mergeable_content(bridge.mergeable.document.get_content())
        return yjs.get_content(), automerge.get_content(), mergeable.get_content()
