"""One shared document in memory, the clients in it, and its way to storage."""

from __future__ import annotations

import logging
import secrets
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from weft._codecs.yjs.merge import merge_updates
from weft._codecs.yjs.state import EMPTY_UPDATE
from weft._codecs.yjs.structs import STORED
from weft.documents.yjs.compact_log import compact_to_log
from weft.documents.yjs.log_document import LogDocument
from weft.protocols.awareness import Awareness
from weft.protocols.ysync import AnswerCache, awareness_message, update_messages
from weft.server._core.room import BaseRoom, RoomClient
from weft.server.ysync.shared_awareness import SharedAwareness
from weft.server.ysync.turn import Turn, TurnClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from weft.documents import Compacted, UpdateLog
    from weft.errors import RemoteProtocolError
    from weft.protocols.awareness import AwarenessChange
    from weft.server._core.room import RoomContext
    from weft.server.ysync.local_document import LocalDocument

__all__ = ["Room", "YClient"]

_log = logging.getLogger("weft.server")

# Bytes of updates that are joined into one: joining takes microseconds for each struct, and gains nothing for
# large ones.
_MAX_JOINED = 64 * 1024


class YClient(RoomClient, TurnClient, Protocol):
    """A client of a Yjs room, as the room knows it."""

    def tick(self, now: float) -> None:
        """Let time pass for the session."""

    def blame(self, origin: object, error: RemoteProtocolError) -> None:
        """Let the client go if it is the origin of what was refused."""


class Room(BaseRoom[YClient]):
    """One shared Yjs document in memory. Made by a ``RoomRegistry``, which opens and closes it.

    It is a log of what clients sent, answers them with those bytes, and gives nothing to the binding. Who
    edits it in the server's process gets a document that follows it: see :meth:`edit`.

    Args:
        name: The room's name.
        updates: What storage has of it; updates go there as received.
        failed: Called once when storage could not take an update; nothing is acknowledged any more.
        context: What it shares with the server's other rooms.

    Raises:
        RemoteProtocolError: Storage holds something that is not an update.
    """

    def __init__(
        self,
        name: str,
        updates: list[bytes],
        failed: Callable[[Room], None],
        context: RoomContext,
    ) -> None:
        super().__init__(name, updates, failed, context, compactor=lambda: self._compact)
        self._compacted: UpdateLog | None = None  # of what is about to take its place in storage
        self.gc = True  # whether compaction gives up what was deleted
        self.document = LogDocument(
            updates,
            taken_in=self._taken_in,
            blamed=self._blamed,
            limits=context.limits,
            name=f"room {name!r:.200}",
        )
        self.awareness = Awareness(secrets.randbits(32), limits=context.limits)
        self.answers = AnswerCache()
        self._local: LocalDocument | None = None
        self._turn = Turn(
            self.clients,
            update_messages=self._messages_of,
            awareness_message=self.awareness_message,
            state_vector=self.document.state_vector,
            counters=context.counters,
        )
        self._unsubscribe = [self.awareness.observe(self._relay_awareness)]
        self._shared: SharedAwareness | None = None
        if context.tell is not None:
            self._shared = SharedAwareness(
                self.awareness,
                clock=context.clock,
                tell=partial(context.tell, name),
                flush=self._turn.flush,
            )
            self._unsubscribe.append(self._shared.close)

    def take_settings(self, settings: Mapping[str, Any]) -> None:
        """Take over what storage keeps with the room."""
        self.gc = settings.get("gc", True) is not False

    async def configure(self, *, gc: bool) -> None:
        """Have storage keep whether compaction gives up what was deleted.

        Raises:
            StorageError: It could not be written.
        """
        await self._storage.configure(self.name, {} if gc else {"gc": False})
        self.gc = gc

    @contextmanager
    def edit(self) -> Iterator[LocalDocument]:
        """A document that follows the room, for as long as somebody uses it; all who ask at a time share one.

        It belongs to the server's thread. When the room is closed, or the binding cannot follow it, a write
        raises ``DocumentClosedError``.

        Raises:
            RemoteProtocolError: The binding cannot be given what the room has. The room goes on.
        """
        local = self._local
        if local is None:
            # The binding comes with it: a server whose rooms nobody edits does without, and its memory.
            from weft.server.ysync.local_document import LocalDocument  # noqa: PLC0415

            local = self._local = LocalDocument(self, whole=self.document.diff(b"\0"))
        local.users += 1
        try:
            yield local
        finally:
            local.users -= 1
            if not local.users and self._local is local:
                self._local = None
                local.close("nobody holds it open any more: ask for it again")

    # For the clients

    def messages_since(self, state_vector: bytes) -> list[bytes]:
        """The update messages for a client that has what this state vector says."""
        update = self.document.diff(state_vector)
        return [] if update == EMPTY_UPDATE else update_messages(update, self.limits.max_part)

    def awareness_message(self, ids: Iterable[int] | None) -> bytes:
        """The awareness message with the states of these clients, or of all."""
        return awareness_message(self.awareness.encode(ids))

    def tick(self, now: float) -> None:
        """Let time pass for everybody in the room."""
        self.awareness.tick(now)
        self.answers.clear()
        for peer in tuple(self.clients):
            peer.tick(now)

    # What happens in the document

    def take_in_now(self, updates: Sequence[bytes]) -> None:
        """Take in what other processes have stored, in order, and tell this process's clients of it."""
        for update in updates:
            self.log.note(update)
        news = self.document.take_stored(updates)
        for each in news:
            self._turn.add_update(each, None)
        if self._local is not None:
            self._local.feed(news)

    def hear(self, sender: bytes, data: bytes) -> None:
        """Take in awareness states that another process passes on."""
        if self._shared is not None:
            self._shared.hear(sender, data)

    def own_words(self) -> Sequence[bytes]:
        """The awareness states of this process's clients."""
        return () if self._shared is None else self._shared.own_words()

    def forget(self, sender: bytes) -> None:
        """Another process is gone, and with it the clients known by it."""
        if self._shared is not None:
            self._shared.forget(sender)

    def write(self, update: bytes, origin: object) -> None:
        """Take in an update that was written in this process.

        Raises:
            RemoteProtocolError: It cannot be taken in; nothing changed.
        """
        self.document.apply(update, origin=origin, spans=self.document.check(update, STORED))

    def lose_local(self, local: LocalDocument) -> None:
        """A document that followed the room can do so no more."""
        if self._local is local:
            self._local = None

    def _taken_in(self, update: bytes, news: tuple[bytes, ...], origin: object) -> None:
        if not self.log.append(update):
            return
        for each in news:  # what others had sent, and waited for this, is news to this writer too
            self._turn.add_update(each, origin if each is update else None)
        local = self._local
        # What is written in the document may bring what others' updates waited for.
        if local is not None and (origin is not local or news != (update,)):
            local.feed(news)

    def _blamed(self, origin: object, error: RemoteProtocolError) -> None:
        for peer in tuple(self.clients):
            peer.blame(origin, error)

    def _compact(self, updates: Sequence[bytes]) -> Compacted | None:
        """Make one update out of many, and a log of it for the room itself; in a thread."""
        found = compact_to_log(updates, gc=self.gc, limits=self.limits)
        compacted, self._compacted = (None, None) if found is None else found
        return compacted

    def _take_compacted(self) -> None:
        log, self._compacted = self._compacted, None
        if log is not None:
            self.document.shrink(log)

    def _end_document(self, what: str, reason: str) -> None:
        local, self._local = self._local, None
        if local is not None:
            local.close(reason, what=what)

    def _relay_awareness(self, change: AwarenessChange, origin: object | None) -> None:
        self._turn.add_awareness(change.ids, origin)

    def _messages_of(self, updates: Sequence[bytes]) -> list[bytes]:
        """As few messages as can be, since y-websocket's clients read one of a frame."""
        if len(updates) == 1:
            return update_messages(updates[0], self.limits.max_part)
        groups: list[list[bytes]] = []
        size = _MAX_JOINED
        for update in updates:
            size += len(update)
            if size > _MAX_JOINED:
                size = len(update)
                groups.append([])
            groups[-1].append(update)
        return [
            message
            for group in groups
            for update in self._join(group)
            for message in update_messages(update, self.limits.max_part)
        ]

    def _join(self, updates: list[bytes]) -> list[bytes]:
        if len(updates) == 1:
            return updates
        try:
            return [merge_updates(updates)]
        except Exception:  # noqa: BLE001 - they were taken in, and whatever is odd about one, all are told
            _log.exception("room %.200r: updates could not be joined, and are sent one by one", self.name)
            return updates
