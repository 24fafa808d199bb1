"""An automerge-repo client on a real socket, for the tests of the server."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from support.socketclient import SocketClient
from weft.documents.automerge.binding import ROOT, ScalarType
from weft.mirrors import AutomergeDocument
from weft.protocols.automerge_repo import (
    Ephemeral,
    Flushed,
    RepoSession,
    Send,
    Synced,
    Unavailable,
    encode_document_id,
)
from weft.protocols.automerge_repo.cbor import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.protocols.automerge_repo import Effect

__all__ = ["RepoClient", "numbered_id", "put", "read"]

_names = count()


def numbered_id(number: int) -> str:
    """A document id of the test's own."""
    return encode_document_id(number.to_bytes(16))


def put(document: AutomergeDocument, **cells: int) -> None:
    """Write numbers into a document's root, in one transaction."""
    with document.transaction() as transaction:
        for key, value in cells.items():
            transaction.put(ROOT, key, ScalarType.Int, value)


def read(document: AutomergeDocument) -> dict[str, Any]:
    """The numbers in a document's root."""
    core = document.core
    found = zip(core.keys(ROOT), core.values(ROOT), strict=True)
    return {key: value[0][1] for key, value in found if isinstance(value[0], tuple)}


class RepoClient(SocketClient):
    """One client with any number of documents. Use as ``async with``.

    Attributes:
        session: Its end of the protocol.
        documents: Its documents, by id.
        effects: What the session told, oldest first; ``Send`` is done and not kept.
    """

    def __init__(self, url: str, *ids: str, **options: Any) -> None:
        super().__init__(url, options)
        name = f"client {next(_names)}"
        self.session = RepoSession(role="client", peer_id=name, session_id=name)
        self.documents: dict[str, AutomergeDocument] = {}
        self.effects: list[Effect] = []
        for document_id in ids:
            self.add(document_id)

    def add(self, document_id: str, document: AutomergeDocument | None = None) -> AutomergeDocument:
        """Keep a document in sync, a new one unless one is given. To be called before the connection."""
        document = self.documents[document_id] = document or AutomergeDocument()
        assert self.session.add(document_id, document) == []
        return document

    async def open(self, document_id: str, document: AutomergeDocument | None = None) -> AutomergeDocument:
        """Keep a document in sync from now on."""
        document = self.documents[document_id] = document or AutomergeDocument()
        await self._perform(self.session.add(document_id, document))
        return document

    async def put(self, document_id: str, **cells: int) -> None:
        """Write numbers into a document, and send them."""
        put(self.documents[document_id], **cells)
        await self._perform(self.session.changed(document_id))

    async def flush(self, document_id: str) -> None:
        """Wait until the server has said that it has everything.

        Raises:
            ConnectionError: The connection has ended.
        """
        self.expect_open()
        token, effects = self.session.request_flush(document_id)
        await self._perform(effects)
        await self.wait_for(Flushed(token))

    async def say(self, document_id: str, what: object) -> None:
        """Send an ephemeral message."""
        await self._perform(self.session.broadcast(document_id, encode(what)))

    @property
    def heard(self) -> list[Ephemeral]:
        """The ephemeral messages that came."""
        return [effect for effect in self.effects if isinstance(effect, Ephemeral)]

    async def synced(self, document_id: str) -> AutomergeDocument:
        """Wait until a document is here, and return it."""
        await self.wait_for(Synced(document_id))
        return self.documents[document_id]

    async def unavailable(self, document_id: str) -> None:
        """Wait until the server says that it has not got a document."""
        await self.wait_for(Unavailable(document_id))

    async def wait_for(self, effect: Effect) -> None:
        """Wait until the session tells something."""
        await self.wait(lambda: effect in self.effects)

    async def wait_cells(self, document_id: str, **cells: int) -> None:
        """Wait until a document has these numbers."""
        document = self.documents[document_id]
        await self.wait(lambda: cells.items() <= read(document).items())

    async def _greet(self) -> None:
        with suppress(ConnectionError):  # the reader tells
            await self._perform(self.session.connected())

    async def _take(self, frame: bytes) -> None:
        await self._perform(self.session.receive(frame))

    async def _read(self) -> None:
        await super()._read()
        self.effects += self.session.disconnected()

    async def _perform(self, effects: Sequence[Effect]) -> None:
        self.effects += [effect for effect in effects if not isinstance(effect, Send)]
        for effect in effects:
            if isinstance(effect, Send):
                await self.send(effect.data)
