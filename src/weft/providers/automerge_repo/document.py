"""What a provider knows of one of its Automerge documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from weft.errors import RemoteProtocolError
from weft.protocols.automerge_repo import decode, document_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.documents.automerge import AutomergeDocument, DocumentEvent
    from weft.errors import ProviderError
    from weft.protocols.automerge_repo import EphemeralMessage
    from weft.providers._core.confirmations import Confirmations
    from weft.providers.automerge_repo.kept import Kept
    from weft.providers.automerge_repo.presence import Presence

__all__ = ["EphemeralListener", "SharedDocument"]

EphemeralListener: TypeAlias = "Callable[[object, str], None]"
"""Called with what was said and the name of the peer that said it."""


@dataclass(slots=True, eq=False)
class SharedDocument:
    """One document of a provider.

    Attributes:
        document_id: Its id.
        document: It.
        is_new: It was made here, so that nobody is expected to have it.
        confirmations: Who waits for it.
        synced: What the server had has been received on the present connection.
        unavailable: The server said on this connection that nobody has it, and has not brought it since.
        denied: What the server said on this connection of changes that it does not take.
        kept: The replica that keeps it on disk, if one does.
        told_at: When the server was last told of changes.
        listeners: Who hears what others broadcast.
        presence: Who else has it open, if that is asked for.
    """

    document_id: str
    document: AutomergeDocument
    is_new: bool
    confirmations: Confirmations
    synced: bool = False
    unavailable: bool = False
    denied: ProviderError | None = None
    kept: Kept | None = None
    told_at: float = -inf
    listeners: list[EphemeralListener] = field(default_factory=list)
    presence: Presence | None = None
    _unsubscribe: Callable[[], None] | None = None

    @property
    def url(self) -> str:
        """The document's URL."""
        return document_url(self.document_id)

    def attach(self, heard: Callable[[SharedDocument, DocumentEvent], None]) -> None:
        """Listen to the document."""
        if self.kept is not None:
            self.kept.attach()
        self._unsubscribe = self.document.subscribe(lambda event: heard(self, event))
        if self.document.heads if self.kept is None else self.kept.content.pending():
            self.confirmations.wrote()  # whatever is there, nobody has said that the server has it

    def detach(self) -> None:
        """Listen no longer."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self.kept is not None:
            self.kept.detach()

    def disconnected(self) -> None:
        """What was known is of a connection that is over."""
        self.confirmations.void_questions()
        self.synced = self.unavailable = False
        self.denied = None
        if self.presence is not None:
            self.presence.disconnected()

    def note_synced(self) -> None:
        """The server's state has been received."""
        self.synced = True
        self.unavailable = False
        self.confirmations.note_synced()
        if self.presence is not None:
            self.presence.announce()

    def receive(self, message: EphemeralMessage, report: Callable[[Exception], None]) -> None:
        """Tell the listeners what somebody has said; what they raise, and what is no CBOR, is reported."""
        if not self.listeners and self.presence is None:
            return
        try:
            value = decode(message.data)
        except RemoteProtocolError as error:
            # Another peer made it and the server only passed it on: no fault of the connection.
            report(error)
            return
        if self.presence is not None:
            self.presence.receive(value, message.sender)
        for listener in tuple(self.listeners):
            try:
                listener(value, message.sender)
            except Exception as error:  # noqa: BLE001 - the user's listener must not end the connection
                report(error)
