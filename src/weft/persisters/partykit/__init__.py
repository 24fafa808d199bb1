"""Persisting to a PartyKit room that runs TinyBase's `TinyBasePartyKitServer`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.persisters.partykit.persister import PartyKitPersister as PartyKitPersister
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__, {"persister": "PartyKitPersister"}, extra="http", extras={"persister": "http"}
    )
