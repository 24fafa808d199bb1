"""Reading and writing rooms in the server's own process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

from weft.server.versions import Versions
from weft.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from pycrdt import Doc

    from weft.mirrors import Shapes
    from weft.server.automerge_repo.documents import Documents
    from weft.server.automerge_repo.room import DocumentRoom
    from weft.server.tinybase.room import MergeableRoom
    from weft.server.tinybase.rooms import MergeableRooms
    from weft.server.versions import VersionPlace
    from weft.server.ysync.room import Room

__all__ = ["EditableRooms"]

_MERGEABLE = "mergeable:"


class EditableRooms(ABC):
    """Rooms that are served, and may be edited in the process that serves them.

    Attributes:
        documents: The Automerge documents, if those are served.
        mergeable: The rooms of TinyBase's clients.
        version_place: Where versions of rooms are kept.
    """

    documents: Documents | None
    mergeable: MergeableRooms
    version_place: VersionPlace

    @abstractmethod
    def use(self, name: str) -> AbstractAsyncContextManager[Room]:
        """Hold a room open."""

    async def configure(self, name: str, *, gc: bool) -> None:
        """Say how a room is kept; storage remembers it.

        Args:
            name: A room.
            gc: Whether what is deleted in it is given up when its log is compacted, as Yjs does. Without, the
                log keeps all that was ever written.

        Raises:
            StorageError: It could not be written.
        """
        async with self.use(name) as room:
            await room.configure(gc=gc)

    def versions(self, name: str) -> Versions:
        """The saved versions of a room.

        Args:
            name: A room, an Automerge document's URL, or ``mergeable:`` and a room of TinyBase's clients.
        """
        return Versions(self, name, self.version_place)

    def use_document(self, url: str) -> AbstractAsyncContextManager[DocumentRoom]:
        """Hold an Automerge document open.

        Args:
            url: Its URL, or its id.

        Raises:
            StorageError: It could not be loaded.
            ValueError: It is none, or those are not served.
        """
        if self.documents is None:
            raise ValueError("automerge-repo documents are not served: weft[automerge] is missing")
        from weft.protocols.automerge_repo import parse_document_url  # noqa: PLC0415 - an extra

        return self.documents.use(parse_document_url(url))

    def use_mergeable(self, name: str) -> AbstractAsyncContextManager[MergeableRoom]:
        """Hold a room of TinyBase's clients open.

        Args:
            name: What stands behind the server's URL, as it is; of a channel with that behind.

        Raises:
            StorageError: It could not be loaded.
        """
        return self.mergeable.use(name)

    def open(
        self,
        name: str,
        root: str = "tinybase",
        layout: Literal["tinybase", "flat"] | Shapes = "tinybase",
        *,
        on_error: Callable[[Exception], None] | None = None,
    ) -> AbstractAsyncContextManager[Store]:
        """A Store of a room's tables, to be read and written in this process.

        ::

            async with server.open("farm") as store:
                store.set_cell("pets", "fido", "species", "dog")

        What is written is stored and relayed like a client's, and is on disk when the block ends without an
        error. Each call gives a Store of its own. When the room fails or cannot be followed any more, a write
        raises ``DocumentClosedError``, and the room goes on without it.

        Args:
            name: A room, an Automerge document's URL, or ``mergeable:`` and a room of TinyBase's clients.
            root: Under which name the document has the tables; TinyBase's default.
            layout: As for ``YjsMirror``; of an Automerge document as for ``AutomergeMirror``.
            on_error: Called with what could not be mirrored; without it that is logged.

        Raises:
            StorageError: At the beginning: the room cannot be loaded. At the end: what was written could not
                be stored.
            RemoteProtocolError: At the beginning: the binding cannot be given what the room has. At the end:
                the room does not take what was written, such as a list nested too deep.
            ValueError: It is an Automerge document's URL, and not a right one, or those are not served.
        """
        if name.startswith(_MERGEABLE):
            return _open_mergeable(self.use_mergeable(name.removeprefix(_MERGEABLE)), on_error=on_error)
        if name.startswith("automerge:"):
            return _open_automerge(self.use_document(name), root, layout, on_error=on_error)
        return _open_store(self.use(name), root, layout, on_error=on_error)

    def open_document(self, name: str) -> AbstractAsyncContextManager[Doc[Any]]:
        """A ``pycrdt.Doc`` that follows a room, to be read and written in this process; see :meth:`open`.

        All who hold one of the same room at a time share it.

        Args:
            name: A room.

        Raises:
            StorageError: As for :meth:`open`.
            RemoteProtocolError: As for :meth:`open`.
        """
        return _open_document(self.use(name))


@asynccontextmanager
async def _open_document(held: AbstractAsyncContextManager[Room]) -> AsyncIterator[Doc[Any]]:
    """A document that follows a room for as long as it is held."""
    async with held as room:
        with room.edit() as local:
            yield local.doc
        if local.refusal is not None:
            raise local.refusal
        await room.log.stored(room.log.ticket)


@asynccontextmanager
async def _open_store(
    held: AbstractAsyncContextManager[Room],
    root: str,
    layout: Literal["tinybase", "flat"] | Shapes,
    *,
    on_error: Callable[[Exception], None] | None,
) -> AsyncIterator[Store]:
    """A Store of a room's tables."""
    from weft.mirrors.yjs import YjsMirror  # noqa: PLC0415 - who only serves need not load it

    store = Store()
    async with _open_document(held) as doc:
        with YjsMirror(store, doc, root, layout, on_error=on_error):
            yield store


@asynccontextmanager
async def _open_automerge(
    held: AbstractAsyncContextManager[DocumentRoom],
    root: str,
    layout: Any,
    *,
    on_error: Callable[[Exception], None] | None,
) -> AsyncIterator[Store]:
    """A Store of an Automerge document's tables."""
    from weft.mirrors.automerge import AutomergeMirror  # noqa: PLC0415 - an extra

    store = Store()
    async with held as room:
        with AutomergeMirror(store, room.document, root, layout=layout, on_error=on_error):
            yield store
        await room.log.stored(room.log.ticket)


@asynccontextmanager
async def _open_mergeable(
    held: AbstractAsyncContextManager[MergeableRoom], *, on_error: Callable[[Exception], None] | None
) -> AsyncIterator[Store]:
    """A Store of a mergeable document's tables."""
    from weft.mirrors.mergeable import MergeableMirror  # noqa: PLC0415 - who only serves need not load it

    store = Store()
    async with held as room:
        with MergeableMirror(store, room.document, on_error=on_error):
            yield store
        await room.log.stored(room.log.ticket)
