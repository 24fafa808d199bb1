"""Clients: a document kept in sync with a server over a websocket.

They need the extra ``weft[yjs]`` or ``weft[automerge]``; importing this package alone does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.providers._core.backoff import Backoff as Backoff
    from weft.providers._core.browser import BrowserTransport as BrowserTransport
    from weft.providers._core.provider import (
        ConnectionOptions as ConnectionOptions,
        WebsocketProvider as WebsocketProvider,
    )
    from weft.providers._core.status import ProviderStatus as ProviderStatus, StatusListener as StatusListener
    from weft.providers._core.websockets import WebsocketsTransport as WebsocketsTransport
    from weft.providers.automerge_repo.document import EphemeralListener as EphemeralListener
    from weft.providers.automerge_repo.handle import DocHandle as DocHandle
    from weft.providers.automerge_repo.presence import (
        Presence as Presence,
        PresenceListener as PresenceListener,
    )
    from weft.providers.automerge_repo.provider import (
        AutomergeWebsocketProvider as AutomergeWebsocketProvider,
    )
    from weft.providers.replica.pending import Pending as Pending
    from weft.providers.replica.replica import Replica as Replica
    from weft.providers.tinybase.broadcast_channel import (
        BroadcastChannelSynchronizer as BroadcastChannelSynchronizer,
    )
    from weft.providers.tinybase.custom import (
        CustomSynchronizer as CustomSynchronizer,
        LocalSynchronizer as LocalSynchronizer,
        SendFunction as SendFunction,
    )
    from weft.providers.tinybase.provider import (
        TinyBaseChannel as TinyBaseChannel,
        TinyBaseProvider as TinyBaseProvider,
    )
    from weft.providers.ysync.provider import YWebsocketProvider as YWebsocketProvider
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "_core.backoff": "Backoff",
            "_core.browser": "BrowserTransport",
            "_core.provider": "ConnectionOptions WebsocketProvider",
            "_core.status": "ProviderStatus StatusListener",
            "_core.websockets": "WebsocketsTransport",
            "automerge_repo.document": "EphemeralListener",
            "automerge_repo.handle": "DocHandle",
            "automerge_repo.presence": "Presence PresenceListener",
            "automerge_repo.provider": "AutomergeWebsocketProvider",
            "replica.pending": "Pending",
            "replica.replica": "Replica",
            "tinybase.broadcast_channel": "BroadcastChannelSynchronizer",
            "tinybase.custom": "CustomSynchronizer LocalSynchronizer SendFunction",
            "tinybase.provider": "TinyBaseChannel TinyBaseProvider",
            "ysync.provider": "YWebsocketProvider",
        },
        extra="yjs",
        extras={
            "automerge_repo.document": "automerge",
            "automerge_repo.handle": "automerge",
            "automerge_repo.presence": "automerge",
            "automerge_repo.provider": "automerge",
        },
    )
