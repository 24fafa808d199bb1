"""Replicas with a Store mirrored in them, and on a server."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from weft import Replica, Store
from weft.mirrors import AutomergeMirror, YjsMirror
from weft.providers import AutomergeWebsocketProvider, YWebsocketProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["KINDS", "Provider", "connected", "joined", "mirrored"]

KINDS = ["yjs", "flat", "automerge"]
Provider = YWebsocketProvider | AutomergeWebsocketProvider


@asynccontextmanager
async def mirrored(path: Path, kind: str = "yjs", **options: Any) -> AsyncIterator[tuple[Replica, Store]]:
    """A Store in a replica; of kind "flat" in the flat layout of a Yjs document."""
    if kind == "automerge":
        options["kind"] = kind
    async with Replica(path, **options) as replica:
        store = Store()
        document = replica.document
        mirror = (
            AutomergeMirror(store, document)
            if kind == "automerge"
            else YjsMirror(store, document, layout="flat" if kind == "flat" else "tinybase")
        )
        with mirror:
            yield replica, store


def joined(replica: Replica, url: str, **options: Any) -> Provider:
    """A provider for it."""
    if replica.kind == "automerge":
        return AutomergeWebsocketProvider(replica, url, **options)
    return YWebsocketProvider(replica, url, "farm", **options)


@asynccontextmanager
async def connected(
    path: Path, url: str, kind: str = "yjs", *, like: Replica | None = None
) -> AsyncIterator[tuple[Replica, Store, Provider]]:
    """A Store in a replica, in sync with a server; of the same document as another one."""
    options = {} if like is None or kind != "automerge" else {"url": like.url}
    async with mirrored(path, kind, **options) as (replica, store), joined(replica, url) as provider:
        await provider.wait_synced()
        yield replica, store, provider
