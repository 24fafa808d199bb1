"""JavaScript clients in a bridged room: TinyBase on Yjs, on automerge-repo and with its own synchronizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.bridged import DOCUMENT, ROOM
from weft.protocols.automerge_repo import document_url

if TYPE_CHECKING:
    from support.node import JsPeer

__all__ = ["cut", "join", "rejoin"]


async def join(js: JsPeer, kind: str, url: str) -> None:
    """A TinyBase Store that is kept in the room, under the name of its kind."""
    if kind == "yjs":
        await js("store.create", name=kind, autoLoad=False, autoSave=False)
        await js("socket.connect", name=kind, url=url, room=ROOM)
        await js("socket.wait", name=kind, condition="synced")
        await js("persister.call", name=kind, method="startAutoPersisting")
    elif kind == "automerge":
        await js("repo.create", name="repo")
        await js("repo.connect", name="repo", url=url)
        await js("repo.find", name=kind, repo="repo", url=document_url(DOCUMENT))
        await js("repo.state.wait", name=kind, state="ready")
        await js("am.store", name=kind)
    else:
        await js("sync.create", name=kind)
        await js("sync.connect", name=kind, url=f"{url}/{ROOM}")


async def cut(js: JsPeer, kind: str) -> None:
    """Break its connection."""
    if kind == "yjs":
        await js("socket.cut", name=kind)
    elif kind == "automerge":
        await js("repo.cut", name="repo")
    else:
        await js("sync.cut", name=kind)


async def rejoin(js: JsPeer, url: str) -> None:
    """Bring back TinyBase's synchronizer, which unlike the others does not come back by itself."""
    await js("sync.disconnect", name="tinybase")
    await js("sync.connect", name="tinybase", url=f"{url}/{ROOM}")
