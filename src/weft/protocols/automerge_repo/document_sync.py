"""One document on one automerge-repo connection: where both ends stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weft._codecs.automerge.chunks import DOCUMENT, change_hash
from weft._codecs.automerge.sync_message import parse_sync_message
from weft.documents.automerge.history import sized_changes
from weft.protocols.effects import Flushed

if TYPE_CHECKING:
    from weft.documents.automerge import AutomergeDocument, PeerSyncState

__all__ = ["DocumentSync"]


@dataclass(slots=True, eq=False)
class DocumentSync:
    """A document on the present connection."""

    document: AutomergeDocument
    state: PeerSyncState
    read_only: bool
    started: bool = False  # something was sent
    answered: bool = True  # something came since
    synced: bool = False
    refused: bool = False
    wanted: bool = False  # it was asked for, and is neither here nor known to be unavailable
    unacknowledged: bool = False  # changes were received that no sent message has announced yet
    heard: bool = False  # whether the other end has said what it has
    peer_heads: tuple[bytes, ...] = ()
    flushes: dict[int, tuple[bytes, ...]] = field(default_factory=dict)  # token to the heads to be covered

    def all_changes(self) -> list[tuple[bytes, int]]:
        """Every change of the document, with the number of its operations, in an order to apply them in.

        Raises:
            RemoteProtocolError: The binding cannot tell.
        """
        return sized_changes(self.document.core)

    def brings_news(self, data: bytes) -> bool:
        """Whether a sync message brings changes, deletions like any, that are not here."""
        chunks = parse_sync_message(data).chunks
        is_whole = any(chunk.kind == DOCUMENT for chunk in chunks)
        return is_whole or not self.document.includes([chunk.hash for chunk in chunks])

    def covered(self) -> list[Flushed]:
        """The flushes that are done: the other end announced heads that build upon what was there then."""
        if not self.flushes or not self.document.includes(self.peer_heads):
            return []
        ahead: set[bytes] | None = None
        done: list[Flushed] = []
        for token, wanted in tuple(self.flushes.items()):
            if not set(wanted) <= set(self.peer_heads):
                if ahead is None:  # what the other end lacks
                    ahead = set(map(change_hash, self.document.changes_since(self.peer_heads)))
                if not ahead.isdisjoint(wanted):
                    continue
            del self.flushes[token]
            done.append(Flushed(token))
        return done
