"""The documents of automerge-repo's clients, where what they need is installed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.server._core.room import RoomContext
    from weft.server.auth import Auth
    from weft.server.automerge_repo.documents import Documents
    from weft.server.fanout.hub import Hub

__all__ = ["open_documents"]

_log = logging.getLogger("weft.server")


def open_documents(
    context: RoomContext, hub: Hub | None, *, auth: Auth, auth_timeout: float
) -> Documents | None:
    """The documents of a server; ``None`` without the extra ``weft[automerge]``."""
    try:
        from weft.server.automerge_repo.documents import Documents  # noqa: PLC0415 - an extra
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in {"automerge", "cbor2"}:
            raise
        _log.info("automerge-repo clients are not served: %s is not installed", error.name)
        return None
    return Documents(context, auth=auth, auth_timeout=auth_timeout, followers=hub)
