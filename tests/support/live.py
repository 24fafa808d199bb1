"""A Python peer on a real socket, and waiting for what it should see."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

from support import amdocs, ydocs
from weft import Store
from weft.mirrors import AutomergeDocument
from weft.mirrors.automerge import AutomergeMirror
from weft.mirrors.yjs import YjsMirror, create_doc
from weft.providers import AutomergeWebsocketProvider, WebsocketProvider, YWebsocketProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from support.ydocs import Content
    from weft.mirrors.mirror import Mirror

__all__ = ["LivePeer", "LiveRepoPeer", "until"]

_PATIENCE_S = 20.0


async def until(
    condition: Callable[[], bool], hear: Callable[[Callable[..., None]], Callable[[], object]], what: str
) -> None:
    """Wait until a condition holds, asking at once and whenever ``hear``'s callback is called.

    Args:
        condition: What to wait for.
        hear: Subscribes a callback, and returns how to unsubscribe it.
        what: For the message when it does not come.
    """
    changed = asyncio.Event()
    unsubscribe = hear(lambda *_: changed.set())
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not condition():
                changed.clear()
                await changed.wait()
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what}") from None
    finally:
        unsubscribe()


class _Live(ABC):
    """A Store, its mirror, and a provider. Use as ``async with``."""

    mirror: Mirror
    provider: WebsocketProvider[Any]

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.store = Store()

    @abstractmethod
    def project(self) -> Content:
        """What stands in the document, read without the code under test."""

    def content(self) -> Content:
        """What the program sees; the document must hold the same."""
        tables, values = self.store.get_content()
        assert (tables, values) == self.project()
        return tables, values

    async def until_content(self, expected: Content) -> None:
        """Wait until the Store holds this."""
        await until(
            lambda: self.store.get_content() == expected,
            self._hear,
            f"{expected}; there is {self.store.get_content()}",
        )
        assert self.content() == expected

    async def until_cell(self, table: str, row: str, cell: str, expected: Any) -> None:
        """Wait until a cell has this value."""
        await until(
            lambda: bool(self.store.get_cell(table, row, cell, default=None) == expected),
            self._hear,
            f"{table}/{row}/{cell} to be {expected!r}",
        )

    def _hear(self, callback: Callable[..., None]) -> Callable[[], object]:
        listener = self.store.add_did_finish_transaction_listener(callback)
        return lambda: self.store.del_listener(listener)

    async def __aenter__(self) -> Self:
        self.mirror.start()
        await self.provider.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.provider.__aexit__(kind, error, trace)
        self.mirror.stop()
        if error is None:
            assert self.errors == []


class LivePeer(_Live):
    """On y-websocket."""

    provider: YWebsocketProvider

    def __init__(self, url: str, room: str, **options: Any) -> None:
        super().__init__()
        self.doc = create_doc()
        self.mirror = YjsMirror(self.store, self.doc, on_error=self.errors.append)
        self.provider = YWebsocketProvider(self.doc, url, room, **options)

    def project(self) -> Content:
        return ydocs.project(self.doc)


class LiveRepoPeer(_Live):
    """On automerge-repo."""

    provider: AutomergeWebsocketProvider

    def __init__(
        self, url: str, document_url: str | None = None, *, data: bytes = b"", **options: Any
    ) -> None:
        super().__init__()
        self.document = AutomergeDocument(data)
        self.mirror = AutomergeMirror(self.store, self.document, on_error=self.errors.append)
        self.provider = AutomergeWebsocketProvider(self.document, url, document_url, **options)

    def project(self) -> Content:
        return amdocs.project(self.document)
