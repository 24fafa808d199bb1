"""A Yjs document that is a log of updates, with the methods by which a protocol session knows a document.

A server's room is one, and so is what else keeps a document without editing it. Nothing of it reaches the
binding.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from weft._codecs.yjs.crowding import check_crowding
from weft.documents.yjs.update_log import UpdateLog
from weft.errors import RemoteProtocolError
from weft.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from weft._codecs.yjs.state import State
    from weft.documents.yjs.update_log import Added, CheckedUpdate

__all__ = ["LogDocument", "unreadable_updates"]

_log = logging.getLogger("weft.documents")


class LogDocument:
    """A document that keeps what its writers sent, and does not know what it means.

    Args:
        updates: Yjs v1 updates that are stored of it, in any order.
        taken_in: Called with each update that must be stored: the update as received; what of it, and of
            those that waited for it, is news to everybody else (perhaps nothing); and the origin given to
            :meth:`apply`. It must not raise.
        blamed: Called when something that had waited is refused: with the origin given to :meth:`apply` for
            it, and why. It must not raise.
        limits: Bounds of what is received.
        name: How the log of the program calls the document.

    Raises:
        RemoteProtocolError: One of the updates is none.
    """

    __slots__ = ("_blamed", "_limits", "_name", "_taken_in", "log")

    def __init__(
        self,
        updates: Iterable[bytes] = (),
        *,
        taken_in: Callable[[bytes, tuple[bytes, ...], object], None],
        blamed: Callable[[object, RemoteProtocolError], None] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        name: str = "a document",
    ) -> None:
        self.log = UpdateLog(limits=limits, max_held=limits.max_held, max_crowd=limits.max_crowd)
        self._limits = limits
        self._taken_in = taken_in
        self._blamed = blamed
        self._name = name
        for update in updates:
            self._report(self.log.add(update, stored=True))

    def check(self, update: bytes, limits: Limits) -> CheckedUpdate:
        """Walk through an update, before anything of the message it came in has an effect.

        Raises:
            RemoteProtocolError: It is none, breaks a limit, or is one that a document of weft's must not be
                given, which could not join any more.
        """
        checked = self.log.check(update, limits)
        check_crowding(checked.runs, limits.max_crowd)
        return checked

    def check_clients(self, spans: CheckedUpdate, limits: Limits, *, brought: int) -> int:
        """Bound whom an update brings that the document does not know.

        Args:
            spans: What :meth:`check` gave for it.
            limits: ``max_clients`` and ``max_new_clients``.
            brought: How many its sender has brought before.

        Returns:
            How many it has brought with these.

        Raises:
            RemoteProtocolError: It would be more than may be.
        """
        new = self.log.count_new(spans)
        if not new:
            return brought
        for bound, count, what in (
            ("max_new_clients", brought + new, "from one connection"),
            ("max_clients", self.log.clients + new, "in one document"),
        ):
            most = getattr(limits, bound)
            if count > most:
                text = f"{count} Yjs client ids {what}; {most} are allowed ({bound})"
                raise RemoteProtocolError(text, bound=bound)
        return brought + new

    def deletes_more(self, spans: CheckedUpdate) -> bool:
        """Whether an update deletes anything not known as deleted, and that Yjs does not delete by itself."""
        return self.log.deletes_more(spans)

    def apply(self, update: bytes, *, origin: object, spans: CheckedUpdate | None = None) -> bool:
        """Take in a received update.

        Args:
            update: Yjs v1 update.
            origin: Who brought it.
            spans: What :meth:`check` gave for it, where it was called.

        Returns:
            Whether something that was received waits for what is missing: resync from the state vector.

        Raises:
            RemoteProtocolError: It cannot be taken in. The document is as before.
        """
        added = self.log.add(update if spans is None else spans, origin=origin)
        if added.refused:
            self._report(added)
        if added.is_new:
            self._taken_in(update, added.updates, origin)
        return self.log.is_waiting

    def take_stored(self, updates: Iterable[bytes]) -> list[bytes]:
        """Take in what is stored already, by another process, and give what is news of it.

        What is no update is left out, and reported.
        """
        news: list[bytes] = []
        for update in updates:
            try:
                added = self.log.add(update, stored=True)
            except RemoteProtocolError as error:
                _log.error("%s: a stored row is left out: %s", self._name, error)
                continue
            self._report(added)
            news += added.updates
        return news

    def shrink(self, log: UpdateLog) -> None:
        """Hold a compacted log in the place of what it stands for; what came later stays as it was sent.

        Args:
            log: Of what ``compact_updates`` has made of updates of this document.
        """
        log.add(self.log.diff(log.state_vector()), stored=True)
        for update in self.log.held():
            log.add(update, stored=True, origin=self.log.origin_of(update))
        if log.state() == self.log.state() and log.deletes() == self.log.deletes():
            self.log = log

    def state(self) -> State:
        """For each client, up to which clock its structs are known."""
        return self.log.state()

    def lacking(self, wanted: State) -> State:
        """What the document lacks of a state."""
        return self.log.lacking(wanted)

    def state_vector(self) -> bytes:
        """The same as a Yjs state vector."""
        return self.log.state_vector()

    def diff(self, state_vector: bytes) -> bytes:
        """The update that brings a peer with that state vector up to date.

        Raises:
            RemoteProtocolError: The bytes are not a state vector.
        """
        return self.log.diff(state_vector)

    @property
    def is_waiting(self) -> bool:
        """Whether received updates wait for structs that are missing."""
        return self.log.is_waiting

    def _report(self, added: Added) -> None:
        for reason, (_, origin) in zip(added.refused, added.dropped, strict=True):
            _log.warning("%s: an update that had waited is left out: %s", self._name, reason)
            if self._blamed is not None and origin is not None:
                self._blamed(origin, RemoteProtocolError(reason))


def unreadable_updates(updates: Sequence[bytes]) -> dict[int, str]:
    """What is wrong with the stored updates of which no document can be made, by their places."""
    log = UpdateLog()
    faults: dict[int, str] = {}
    for at, update in enumerate(updates):
        try:
            log.add(update, stored=True)
        except RemoteProtocolError as error:
            faults[at] = str(error) or "it is not an update"
    return faults
