"""Automerge documents and their clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.server.automerge_repo.documents import Documents as Documents
    from weft.server.automerge_repo.room import DocumentRoom as DocumentRoom
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "documents": "Documents",
            "room": "DocumentRoom",
        },
        extra="automerge",
    )
