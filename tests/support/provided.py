"""A document and its provider, alike for every protocol: what the suite of all providers works with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

from pycrdt import Doc, Map

from support.live import until
from support.reposerver import RepoServer, cells, id_of, put
from support.syncserver import SyncServer
from support.tinybase_server import TinyBaseServer, mergeable_cells
from weft._support.callbacks import subscribe
from weft.documents.automerge.document import AutomergeDocument
from weft.documents.mergeable import MergeableDocument
from weft.documents.yjs.document import YDocument, create_doc
from weft.providers import (
    AutomergeWebsocketProvider,
    Backoff,
    TinyBaseProvider,
    WebsocketProvider,
    YWebsocketProvider,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.serverdouble import ServerDouble, Serving
    from weft.providers import ProviderStatus

__all__ = ["AT_ONCE", "AutomergePeer", "Provided", "TinyBasePeer", "YPeer"]

AT_ONCE = Backoff(initial=0.001, maximum=0.002)


class Provided(ABC):
    """A document with cells, and a provider for it. Use as ``async with``."""

    Server: Callable[[], ServerDouble[Any]]
    provider: WebsocketProvider[Any]

    def __init__(self, serving: Serving[Any], options: dict[str, Any]) -> None:
        self.errors: list[Exception] = []
        self.options = {
            "transport": serving.transport,
            "backoff": AT_ONCE,
            "on_error": self._failed,
            **options,
        }
        self._watchers: list[Callable[[], None]] = []

    @property
    @abstractmethod
    def document(self) -> Any:
        """The document, which another peer may share."""

    @abstractmethod
    def cells(self) -> dict[str, Any]:
        """All cells."""

    @abstractmethod
    def write(self, key: str, value: str) -> None:
        """Set a cell."""

    @abstractmethod
    def hear(self, callback: Callable[..., None]) -> Callable[[], object]:
        """Call back at each change; returns a function that ends it."""

    def _failed(self, error: Exception) -> None:
        self.errors.append(error)
        for watcher in tuple(self._watchers):
            watcher()

    async def until_error(self) -> None:
        """Wait until something was reported."""
        await until(lambda: bool(self.errors), lambda heard: subscribe(self._watchers, heard), "an error")

    async def until_cells(self, **cells: object) -> None:
        await until(
            lambda: cells.items() <= self.cells().items(), self.hear, f"{cells}; there is {self.cells()}"
        )

    async def until_status(self, status: ProviderStatus, *, synced: bool | None = None) -> None:
        provider = self.provider
        await until(
            lambda: provider.status == status and synced in {None, provider.synced},
            provider.add_status_listener,
            f"{status}, synced {synced}; it is {provider!r}",
        )

    async def __aenter__(self) -> Self:
        await self.provider.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.provider.__aexit__(*error)


class YPeer(Provided):
    """On y-websocket."""

    Server = SyncServer
    provider: YWebsocketProvider

    def __init__(
        self, serving: Serving[Any], room: str = "room", *, document: Doc[Any] | None = None, **options: Any
    ) -> None:
        super().__init__(serving, options)
        self.doc: Doc[Any] = create_doc() if document is None else document
        self.hub = YDocument.of(self.doc)
        self.map = self.doc.get("m", type=Map)
        self.provider = YWebsocketProvider(self.doc, serving.url, room, **self.options)

    @property
    def document(self) -> Doc[Any]:
        return self.doc

    def cells(self) -> dict[str, Any]:
        return dict(self.map.items())

    def write(self, key: str, value: str) -> None:
        self.map[key] = value

    def hear(self, callback: Callable[..., None]) -> Callable[[], object]:
        return self.hub.subscribe(callback)

    async def until_others(self, *states: object) -> None:
        """Wait until the others in the room have these awareness states."""
        awareness = self.provider.awareness
        assert awareness is not None

        def others() -> list[object]:
            return [state for client, state in awareness.states.items() if client != awareness.client_id]

        await until(lambda: others() == list(states), awareness.observe, f"{states}; there is {others()}")


class AutomergePeer(Provided):
    """On automerge-repo."""

    Server = RepoServer
    provider: AutomergeWebsocketProvider

    def __init__(
        self,
        serving: Serving[Any],
        room: str | None = "room",
        *,
        document: AutomergeDocument | None = None,
        **options: Any,
    ) -> None:
        super().__init__(serving, options)
        self._document = AutomergeDocument() if document is None else document
        url = None if room is None else id_of(room)
        self.provider = AutomergeWebsocketProvider(self._document, serving.url, url, **self.options)

    @property
    def document(self) -> AutomergeDocument:
        return self._document

    def cells(self) -> dict[str, Any]:
        return cells(self._document)

    def write(self, key: str, value: str) -> None:
        put(self._document, key, value)

    def hear(self, callback: Callable[..., None]) -> Callable[[], object]:
        return self._document.subscribe(callback)


class TinyBasePeer(Provided):
    """On TinyBase's synchronisation."""

    Server = TinyBaseServer
    provider: TinyBaseProvider

    def __init__(
        self,
        serving: Serving[Any],
        room: str = "room",
        *,
        document: MergeableDocument | None = None,
        channel: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(serving, options)
        self._document = MergeableDocument() if document is None else document
        url = f"{serving.url}/{room}"
        self.provider = TinyBaseProvider(self._document, url, channel, **self.options)

    @property
    def document(self) -> MergeableDocument:
        return self._document

    def cells(self) -> dict[str, Any]:
        return mergeable_cells(self._document)

    def write(self, key: str, value: str) -> None:
        self._document.set_cell("t", "r", key, value)

    def hear(self, callback: Callable[..., None]) -> Callable[[], object]:
        return self._document.subscribe(callback)
