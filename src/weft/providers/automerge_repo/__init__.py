"""The automerge-repo client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.providers.automerge_repo.document import EphemeralListener as EphemeralListener
    from weft.providers.automerge_repo.handle import DocHandle as DocHandle
    from weft.providers.automerge_repo.presence import (
        Presence as Presence,
        PresenceListener as PresenceListener,
    )
    from weft.providers.automerge_repo.provider import (
        AutomergeWebsocketProvider as AutomergeWebsocketProvider,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "document": "EphemeralListener",
            "handle": "DocHandle",
            "presence": "Presence PresenceListener",
            "provider": "AutomergeWebsocketProvider",
        },
        extra="automerge",
    )
