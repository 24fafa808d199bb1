"""Replicas with a Store mirrored in them, and on a server."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from weft import Replica, Store
from weft.documents import YDocument
from weft.mergeable import from_json
from weft.mirrors import AutomergeMirror, MergeableMirror, YjsMirror
from weft.providers import AutomergeWebsocketProvider, TinyBaseProvider, YWebsocketProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["KINDS", "Provider", "apply_pending", "connected", "joined", "mirrored", "of_kind"]

KINDS = ["yjs", "flat", "automerge", "mergeable"]
Provider = YWebsocketProvider | AutomergeWebsocketProvider | TinyBaseProvider


def of_kind(path: Path, kind: str, **options: Any) -> Replica:
    """A replica; of kind "flat" for the flat layout of a Yjs document."""
    if kind not in {"yjs", "flat"}:
        options["kind"] = kind
    return Replica(path, **options)


@asynccontextmanager
async def mirrored(path: Path, kind: str = "yjs", **options: Any) -> AsyncIterator[tuple[Replica, Store]]:
    """A Store in a replica."""
    async with of_kind(path, kind, **options) as replica:
        store = Store()
        with _mirror(store, replica.document, kind):
            yield replica, store


def _mirror(store: Store, document: Any, kind: str) -> YjsMirror | AutomergeMirror | MergeableMirror:
    if kind == "automerge":
        return AutomergeMirror(store, document)
    if kind == "mergeable":
        return MergeableMirror(store, document)
    return YjsMirror(store, document, layout="flat" if kind == "flat" else "tinybase")


def apply_pending(replica: Replica, pending: bytes) -> None:
    """Put what another one has pending into its document."""
    if replica.kind == "automerge":
        replica.document.apply_changes([pending] if pending else [])
    elif replica.kind == "mergeable":
        replica.document.apply(from_json(pending or b"[[{}],[{}],1]"))
    else:
        YDocument.of(replica.document).apply(pending, origin=None)


def joined(replica: Replica, url: str, **options: Any) -> Provider:
    """A provider for it."""
    if replica.kind == "automerge":
        return AutomergeWebsocketProvider(replica, url, **options)
    if replica.kind == "mergeable":
        return TinyBaseProvider(replica, f"{url}/farm", **options)
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
