"""The Automerge document; ``binding.py`` alone imports the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.documents.automerge.document import AutomergeDocument as AutomergeDocument
    from weft.documents.automerge.events import DocumentEvent as DocumentEvent, Heads as Heads
    from weft.documents.automerge.sync_state import PeerSyncState as PeerSyncState
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "document": "AutomergeDocument",
            "events": "DocumentEvent Heads",
            "sync_state": "PeerSyncState",
        },
        extra="automerge",
    )
