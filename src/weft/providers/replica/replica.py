"""A document that is on disk before any of it is sent: it starts without a network and loses nothing."""

from __future__ import annotations

import asyncio
import logging
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from weft._aio.thread import WorkerThread
from weft._support.arguments import check_callable, path_of, wrong_kind
from weft._support.owner import Owner
from weft._support.uncopied import Uncopied
from weft.errors import LocalProtocolError, RemoteProtocolError, ReplicaRoomError, StorageError
from weft.limits import DEFAULT_LIMITS, Limits
from weft.protocols.automerge_repo import document_url, encode_document_id, parse_document_url
from weft.providers.replica.file import ReplicaFile, Row
from weft.providers.replica.kinds import KINDS, content_of, new_author
from weft.providers.replica.meta import Meta, begin_session, replace
from weft.providers.replica.session import Session

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from weft._support.owner import Hold
    from weft.providers.replica.commits import Durable
    from weft.providers.replica.kinds import Content
    from weft.providers.replica.meta import Kind
    from weft.providers.replica.pending import Pending

__all__ = ["Replica"]

_log = logging.getLogger("weft.replica")


class Replica(Uncopied):
    """One document, Yjs, Automerge or mergeable, kept on disk.

    ::

        async with Replica("farm.weft") as replica:
            with YjsMirror(store, replica.document):
                async with YWebsocketProvider(replica, "ws://localhost:1234", "farm"):
                    store.set_cell("readings", "1", "t", 21.5)   # on disk when the next await returns
                    await asyncio.Event().wait()

    Every update, written here or received, is on disk before it is sent or told to a server, and it is there
    at the next start, with or without a network. While it is open the document belongs to the thread that
    opened it, and the file to this replica alone. What the server has not confirmed, :attr:`pending` tells,
    across restarts.

    A file that was copied, or put back as it was some time ago, is noticed, and its document goes on under
    another client id: two that write under one never agree. So may both copies be used.
    """

    instead_of_copy = "copy its file when it is closed, and open that: it gets a client id of its own"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        kind: Kind | None = None,
        url: str | None = None,
        merge: bool = False,
        durable: Durable = "now",
        on_error: Callable[[Exception], None] | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Say where it is; nothing is opened yet.

        Args:
            path: The file. It is created if absent; others stand beside it, with the endings ``-wal`` and
                ``-shm`` while it is open, and ``-id``, by which a copy is told from the original.
            kind: ``"yjs"``, ``"automerge"`` or ``"mergeable"``. ``None`` takes what the file is; a
                new one is ``"yjs"``.
            url: Automerge: the document's. ``None`` takes the file's; a new one draws one.
            merge: Whether a file of one room, or Automerge document, may be used with another one: what both
                hold is merged there, and the file belongs to that one from then on.
            durable: ``"now"``: what was written in a turn of the event loop is on disk when the next one
                begins, which waits for it. ``"soon"``: it is written at once too, and nobody waits for it but
                what is sent.
            on_error: Called with what goes wrong where nobody waits for it: what could not be written (it is
                kept in memory and tried again). By default it is logged.
            limits: Bounds of what is received.

        Raises:
            TypeError, ValueError: An argument is none.
        """
        self.path = path_of(path)
        if kind is not None and kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(map(repr, KINDS))}, not {kind!r}")
        if durable not in {"now", "soon"}:
            raise ValueError(f"durable must be 'now' or 'soon', not {durable!r}")
        if not isinstance(limits, Limits):
            raise wrong_kind("a weft.limits.Limits", limits)
        check_callable("on_error", on_error)
        self._kind = kind
        self._url = url
        self._merge = merge
        self._durable: Durable = durable
        self._on_error = on_error
        self._limits = limits
        self._owner = Owner(f"the replica {self.path!r}")
        self._file = ReplicaFile(self.path)
        self._is_open = False
        self._session: Session | None = None  # the present one, or the last
        self._content: Content | None = None
        self._hold: Hold | None = None
        self._thread: WorkerThread | None = None
        self._closing: asyncio.Event | None = None  # set at the end of the last closing
        self._beside: list[Callable[[], Mapping[str, bytes | None]]] = []
        self._user: object = None  # the provider that it is attached to

    # --- opening and closing

    async def open(self) -> Self:
        """Fill the document from the disk.

        Raises:
            ReplicaInUseError: The file is open already, in another process or in this one.
            ReplicaRoomError: It belongs to another Automerge document, and ``merge`` was not said.
            StorageError: It cannot be opened or written, is another kind of file, of a newer format, or
                damaged, or holds another kind of document. It is as it was.
            WrongThreadError: It is open in another thread.
        """
        self._owner.check()
        if self._is_open:
            raise LocalProtocolError(f"the replica {self.path!r} is open already")
        hold = self._owner.hold()
        thread = WorkerThread("weft-replica")
        self._is_open = True
        try:
            rows, meta, is_proved = await thread.run(self._file.open)
            if rows and meta is not None and meta.is_taken and meta.kind == "yjs":
                rows, meta = await self._rename(thread, rows, meta)
            meta = self._next_session(meta, is_proved, len(rows))
            begun = asyncio.create_task(thread.run(self._file.begin, meta))
            try:
                await asyncio.sleep(0)  # what the disk takes and what the binding takes go side by side
                self._fill(thread, rows, meta)
            finally:
                await begun
        except BaseException:
            self._is_open = False
            hold.drop()
            try:
                await thread.run(self._file.close)  # also where a cancelled opening goes on there
            finally:
                await thread.close()
            raise
        self._hold, self._thread = hold, thread
        return self

    async def _rename(self, thread: WorkerThread, rows: list[Row], meta: Meta) -> tuple[list[Row], Meta]:
        """Have what nobody has seen written by somebody else."""
        from weft.providers.replica.yjs import under_another  # noqa: PLC0415 - an extra

        _log.warning("%s: its client id is used by another: what was not sent gets a new one", self.path)
        try:
            snapshot, meta = under_another(rows, meta, new_author("yjs"))
        except RemoteProtocolError as error:
            raise StorageError(f"{self.path}: its rows are no document: {error}") from error
        await thread.run(self._file.replace, snapshot, rows[-1].number, (), meta)
        return [Row(rows[-1].number, False, snapshot)], meta

    def _next_session(self, meta: Meta | None, is_proved: bool, rows: int) -> Meta:
        kind = self._kind or (meta.kind if meta is not None else "yjs")
        if meta is not None and meta.kind != kind:
            raise StorageError(f"{self.path}: it holds a document of kind {meta.kind!r}, not {kind!r}")
        if meta is None:
            meta = Meta(kind, "")
        if kind == "automerge":
            meta = self._with_url(meta)
        elif self._url is not None:
            raise ValueError(f"{self.path}: a {kind} document has no URL: the provider names its room")
        if rows and not is_proved:
            _log.info(
                "%s: nothing proves that no copy of it is in use: it goes on under a new %s",
                *(self.path, "actor id" if kind == "automerge" else "client id"),
            )
        return begin_session(
            meta,
            is_proved=is_proved,
            last=self._file.last,
            author=lambda: new_author(kind),
            token=lambda: secrets.token_hex(16),
        )

    def _with_url(self, meta: Meta) -> Meta:
        given = None if self._url is None else parse_document_url(self._url)
        if meta.url:
            if given in {None, parse_document_url(meta.url)}:
                return meta
            if not self._merge:
                raise ReplicaRoomError(self.path, meta.url, str(self._url))
            meta = replace(meta, confirmed=b"")  # of the other document the server has nothing of this
        if given is None:
            given = encode_document_id(secrets.token_bytes(16))
        return replace(meta, url=document_url(given), is_new=self._url is None)

    def _fill(self, thread: WorkerThread, rows: Sequence[Row], meta: Meta) -> None:
        session = Session(
            self._file,
            thread,
            rows,
            meta,
            durable=self._durable,
            failed=self._failed,
            beside=self._changed_beside,
        )
        try:
            self._content = session.content = content_of(meta.kind)(
                rows, session.meta, append=session.append, changed=session.queue.touch, limits=self._limits
            )
        except RemoteProtocolError as error:
            raise StorageError(f"{self.path}: its rows are no document: {error}") from error
        self._session = session

    async def close(self) -> None:
        """Write what is queued, compact what has grown, and close the file.

        The document can be read afterwards, and not be written. Close what uses it before: the provider, the
        mirror. A second call does nothing but wait for the first.

        Raises:
            StorageError: Not all could be written: what is in the document is not all in the file.
        """
        self._owner.check()
        hold, thread = self._hold, self._thread
        if hold is None or thread is None or self._session is None:
            if self._closing is not None:
                await self._closing.wait()
            return
        self._hold = self._thread = None
        closing = self._closing = asyncio.Event()
        try:
            try:
                await self._session.settle()
            finally:
                self.content.close("the document", f"its replica {self.path!r} was closed; open it again")
                await self._session.close()
        finally:
            self._is_open = False
            hold.drop()
            try:
                await thread.close()
            finally:
                closing.set()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- what users ask

    @property
    def kind(self) -> Kind:
        """Of the document: ``"yjs"``, ``"automerge"`` or ``"mergeable"``."""
        return self._kind or ("yjs" if self._session is None else self._session.meta.kind)

    @property
    def url(self) -> str:
        """Automerge: the document's URL, under which others find it. Empty for another one.

        Raises:
            LocalProtocolError: The replica was not opened.
        """
        return self._known().url

    @property
    def document(self) -> Any:
        """The document: a ``pycrdt.Doc``, a ``weft.AutomergeDocument``, or a ``MergeableDocument``.

        Raises:
            LocalProtocolError: The replica was not opened.
        """
        return self.content.doc

    @property
    def pending(self) -> Pending:
        """What was written here and the server has not confirmed, also in former sessions."""
        return self.content.pending()

    def pending_content(self) -> bytes:
        """The same as bytes, for whoever names what is in it.

        They are a Yjs update, chunks of Automerge changes, or mergeable changes as JSON text.

        Takes time linear in the document.
        """
        return self.content.pending_content()

    def pending_paths(self) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
        """Where the same stands, written and deleted.

        In a Yjs document, names of roots and keys from there on; in a mergeable one, ``t`` and the ids of
        table, row and cell, or ``v`` and a value's, all as written. Takes time by what is pending.

        Raises:
            LocalProtocolError: The replica was not opened, or is an Automerge document's.
        """
        if self.kind == "automerge":
            raise LocalProtocolError(f"{self!r} is an Automerge document's: take its pending_content()")
        content: Any = self.content
        paths: tuple[set[tuple[str, ...]], set[tuple[str, ...]]] = content.pending_paths()
        return paths

    @property
    def last_synced_at(self) -> datetime | None:
        """When the server had all that is here, and nothing that is not, last; ``None`` if it never did."""
        synced = None if self._session is None else self._session.meta.synced
        return None if synced is None else datetime.fromtimestamp(synced, UTC)

    async def saved(self) -> None:
        """Return when everything that was written or received up to now is on disk.

        Raises:
            StorageError: It could not be written. It is kept in memory, and tried again.
            LocalProtocolError: The replica is not open.
        """
        await self._opened().queue.saved()

    # --- what is kept beside the document

    @property
    def beside(self) -> Mapping[str, bytes]:
        """What is kept beside the document, by name, as it was when the file was opened."""
        return self._file.beside

    def keep_beside(self, changed: Callable[[], Mapping[str, bytes | None]]) -> Callable[[], None]:
        """Keep something beside the document, in its file: after ``kill -9`` it is as old as the document.

        Args:
            changed: Asked at each commit for what has changed since it was asked last, by name; ``None``
                removes it.

        Returns:
            A function that ends this.
        """
        self._beside.append(changed)
        return lambda: self._beside.remove(changed)

    def _changed_beside(self) -> Mapping[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for changed in self._beside:
            found.update(changed())
        return found

    def __repr__(self) -> str:
        return f"<Replica {self.path!r} {self.kind if self._is_open else 'closed'}>"

    # --- what providers ask

    @property
    def content(self) -> Content:
        """The document as a provider uses it.

        Raises:
            LocalProtocolError: The replica was not opened.
        """
        if self._content is None:
            raise self._not_open()
        return self._content

    @property
    def is_failing(self) -> bool:
        """Whether the last try to write into the file failed; it is tried again while this is open."""
        return self._session is not None and self._session.queue.is_failing

    @property
    def is_taken(self) -> bool:
        """Whether the client id was given up, as another one writes under it: open it again."""
        return self._content is not None and self._content.is_taken

    @property
    def is_new(self) -> bool:
        """Automerge: whether the URL was drawn here, so that nobody is expected to have the document."""
        return self._known().is_new

    def check_room(self, room: str) -> None:
        """Check that the document may be kept in sync with a room.

        Raises:
            ReplicaRoomError: It belongs to another one, and ``merge`` was not said.
        """
        own = self._known().room
        if own and own != room and not self._merge:
            raise ReplicaRoomError(self.path, own, room)

    def joined(self, room: str) -> None:
        """A connection to a room begins: the document belongs to it from now on."""
        self._opened().note_room(room)

    def attach(self, provider: object) -> None:
        """Let a provider alone say what the server has.

        Raises:
            LocalProtocolError: Another one does already.
        """
        if self._user not in {None, provider}:
            raise LocalProtocolError(
                f"the replica {self.path!r} has a provider already: it knows of one server what that has"
            )
        self._user = provider

    def detach(self, provider: object) -> None:
        """End :meth:`attach`."""
        if self._user is provider:
            self._user = None

    async def durable(self) -> None:
        """Return when all that is here up to now is on disk, however often that must be tried."""
        if self._session is not None:
            await self._session.queue.durable()

    def note_synced(self) -> None:
        """The server and the document are equal now."""
        if self._hold is not None:
            self._opened().note_synced()

    def _opened(self) -> Session:
        self._owner.check()
        if self._session is None or not self._is_open:
            raise self._not_open()
        return self._session

    def _known(self) -> Meta:
        if self._session is None:
            raise self._not_open()
        return self._session.meta

    def _not_open(self) -> LocalProtocolError:
        return LocalProtocolError(f"the replica {self.path!r} is not open: use 'async with', or await open()")

    def _failed(self, error: StorageError) -> None:
        if self._on_error is None:
            _log.error("%s; it is kept in memory, and tried again", error)
            return
        try:
            self._on_error(error)
        except Exception:  # noqa: BLE001 - it is the last resort for errors, and it is logged
            _log.exception("%s: the error handler failed", self.path)
