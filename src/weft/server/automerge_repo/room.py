"""One Automerge document in memory, the clients that have it open, and its way to storage."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from weft._codecs.automerge.chunks import split_chunks
from weft.documents.automerge import AutomergeDocument
from weft.documents.automerge.log import LogRows
from weft.errors import RemoteProtocolError
from weft.protocols.automerge_repo import EphemeralMessage, document_url
from weft.protocols.automerge_repo.messages import read_message, write_message
from weft.server._core.room import BaseRoom, RoomClient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft.documents.automerge import DocumentEvent
    from weft.server._core.room import RoomContext

__all__ = ["DocumentClient", "DocumentRoom", "storage_name"]

# Before the document's URL in storage. No room that a URL's path names has a control character in its name:
# the logs of Yjs rooms and of Automerge documents cannot be taken for one another.
_MARK = "\x1f"


def storage_name(document_id: str) -> str:
    """Under which name a storage keeps a document: U+001F and the document's URL."""
    return _MARK + document_url(document_id)


class DocumentClient(RoomClient, Protocol):
    """A client that has a document open, as the room knows it."""

    def changed(self, room: DocumentRoom, origin: object | None) -> None:
        """The document has changed, by a change of that origin."""

    def relay(self, message: EphemeralMessage) -> None:
        """Somebody said something that is not kept."""

    def unavailable(self, document_id: str) -> None:
        """A document that the client asked for is not to be had."""

    def has_announced(self, document_id: str) -> bool:
        """Whether the client has announced content of a document that has not come yet."""

    def note_ticket(self, ticket: int) -> None:
        """Confirm nothing before this ticket is durable."""


class DocumentRoom(BaseRoom[DocumentClient]):
    """One Automerge document in memory. Made by a ``RoomRegistry``, which opens and closes it.

    Args:
        name: The document's name in storage.
        updates: What storage has of it: changes, and saved documents.
        failed: Called once when storage could not take changes; nothing is acknowledged any more.
        context: What it shares with the server's other documents.

    Raises:
        RemoteProtocolError: Storage holds something else.
    """

    def __init__(
        self,
        name: str,
        updates: list[bytes],
        failed: Callable[[DocumentRoom], None],
        context: RoomContext,
    ) -> None:
        self.document: AutomergeDocument = AutomergeDocument.from_rows(updates, limits=context.limits)
        self._log_rows = LogRows(self.document, updates)
        super().__init__(name, updates, failed, context, compactor=self._log_rows.compactor)
        self.document_id = name.removeprefix(storage_name(""))
        self._waiting: set[DocumentClient] = set()
        self._unsubscribe = [self.document.subscribe(self._relay_change)]
        self._counters = context.counters
        self._others = object()  # the origin of what other processes have stored
        self._tell = None if context.tell is None else partial(context.tell, name)

    def answer_request(self, peer: DocumentClient) -> None:
        """Tell a client that asked for the document, which is empty, that it is not to be had.

        Later, where another client has announced content that has not come yet: never, if it comes.
        """
        if any(other.has_announced(self.document_id) for other in self.clients):
            self._waiting.add(peer)
        else:
            peer.unavailable(self.document_id)

    def leave(self, peer: DocumentClient) -> None:
        """A client goes, and with it what it promised."""
        self.clients.discard(peer)
        waiting, self._waiting = self._waiting - {peer}, set()
        for other in waiting:
            self.answer_request(other)

    def relay(self, message: EphemeralMessage) -> None:
        """Pass on what one client said to the others that have the document open."""
        for peer in self.clients:
            peer.relay(message)
        if self._tell is not None:
            self._tell(write_message(message, sender=message.sender, target=None))

    def note_ticket(self) -> None:
        """Have the clients wait for what has just been handed to storage on another side of a bridge."""
        for peer in self.clients:
            peer.note_ticket(self.log.ticket)

    def take_in_now(self, updates: Sequence[bytes]) -> None:
        """Take in what other processes have stored, in order, and tell this process's clients of it."""
        for row in updates:
            self.log.note(row)
        chunks = [chunk.data for row in updates for chunk in split_chunks(row)]
        is_waiting = self.document.apply_changes(chunks, origin=self._others)
        if not is_waiting:  # else a saved document may lack some of it, and must not take the rows' place
            for row in updates:
                self._log_rows.note(row)

    def hear(self, sender: bytes, data: bytes) -> None:
        """Pass on what a client of another process said to those of this one."""
        del sender
        message = read_message(data)
        if not isinstance(message, EphemeralMessage) or message.document_id != self.document_id:
            raise RemoteProtocolError("not an ephemeral message of this document")
        for peer in self.clients:
            peer.relay(message)

    def _take_compacted(self) -> None:
        self._log_rows.compacted()

    def _end_document(self, what: str, reason: str) -> None:
        self.document.close(what, reason)

    def _relay_change(self, event: DocumentEvent) -> None:
        self._waiting.clear()
        self._counters.relayed += len(self.clients) * len(event.changes)
        if event.origin is not self._others:
            row = b"".join(event.changes)
            self._log_rows.note(row)
            if not self.log.append(row):
                return
        for peer in self.clients:
            peer.changed(self, event.origin)
