"""The hub of one pycrdt document: where received updates come in and every update is heard.

Mirrors, providers and server rooms that share a document meet here, because pycrdt alone does not tell them
enough:

* Its update event can lack structs that were waiting for a gap to close (facts F1 to F3), so what a peer
  sent is handed on as the bytes the peer sent, and the event serves local transactions only.
* It has no hook after a commit, and a document cannot be written inside its observers; the hub lets the
  mirrors write what they owe right after a received update has been applied.
* It does not ask for what it lacks when updates arrive out of order; ``apply`` says when there is a gap.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pycrdt import Doc, get_update

from weft.errors import MirrorError
from weft.mirrors._lineage import decode_state_vector
from weft.mirrors._pycrdt import RawTransactionEvent, create_doc, guarded, observe_transactions

__all__ = ["YDocument", "create_doc", "decode_state_vector"]

_log = logging.getLogger("weft.mirrors")

Subscriber = Callable[[bytes, object | None], None]


class Attached(Protocol):
    """A mirror on the document, as the hub sees it."""

    def flush(self) -> None:
        """Write to the document what could not be written inside its observer."""

    def _committed(self, event: RawTransactionEvent, received: bytes | None) -> None:
        """A transaction is about to end; nothing may touch the document."""


class YDocument:
    """Everything weft needs of one ``pycrdt.Doc``. Get it with :meth:`of`; there is one per document.

    Not thread-safe, like the document.
    """

    __slots__ = ("__weakref__", "_applying", "_doc", "_mirrors", "_subscribers", "_unobserve")

    _hubs: weakref.WeakKeyDictionary[Doc[Any], YDocument] = weakref.WeakKeyDictionary()

    def __init__(self, doc: Doc[Any]) -> None:
        self._doc = weakref.ref(doc)
        self._subscribers: list[Subscriber] = []
        self._mirrors: list[weakref.ref[Attached]] = []
        # The received bytes while they are being applied: their own event must not be heard as a local one,
        # and a mirror may look into them for what the event has lost already.
        self._applying: bytes | None = None
        hub = weakref.ref(self)  # the document holds the callback: a strong reference would be a cycle

        def committed(event: RawTransactionEvent) -> None:
            target = hub()
            if target is not None:
                target._committed(event)

        self._unobserve = observe_transactions(doc, committed)

    @classmethod
    def of(cls, doc: Doc[Any] | YDocument) -> YDocument:
        """The hub of a document, made at the first call and kept as long as the document lives."""
        if isinstance(doc, YDocument):
            return doc
        hub = cls._hubs.get(doc)
        if hub is None:
            hub = cls._hubs[doc] = cls(doc)
        return hub

    @property
    def doc(self) -> Doc[Any]:
        """The document.

        Raises:
            MirrorError: It has been garbage-collected; whoever needs it must hold it.
        """
        doc = self._doc()
        if doc is None:
            raise MirrorError("the document is gone: keep a reference to the pycrdt.Doc while it is in use")
        return doc

    def apply(
        self, update: bytes, *, origin: object, ends: Mapping[int, int] | None = None
    ) -> bool:
        """Apply one received update, let the mirrors write what they owe, and tell the subscribers.

        Args:
            update: Yjs v1 update that has passed ``weft._yupdate.check_update``: the binding overflows the stack on
                hostile ones.
            origin: Who brought it; handed to the subscribers, compared by identity.
            ends: Clock after the last struct of each client in the update, where the caller knows it
                (``check_update`` returns it); it makes the test for a gap cheap on a large update.

        Returns:
            Whether the update left a gap: structs it holds wait for others that are missing, and yrs does not
            ask for them. Resync from the state vector at once.

        Raises:
            RemoteProtocolError: The binding refused the bytes. Nothing was applied, nobody was told.
        """
        doc = self.doc
        before, self._applying = self._applying, update
        try:
            with guarded():
                doc.apply_update(update)
        except ExceptionGroup:
            # pycrdt raises what observers of the user's own raised, after the commit: the update stands.
            _log.exception("an observer of the document failed; the update it was called for stands")
        finally:
            self._applying = before
        self._tell(update, origin)
        self.flush()
        return self._has_gap(update, ends)

    def flush(self) -> None:
        """Let every mirror on the document write what it could not write inside an observer."""
        for reference in tuple(self._mirrors):
            mirror = reference()
            if mirror is None:
                self._mirrors.remove(reference)
            else:
                mirror.flush()

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Hear each update that enters the document, once and in order.

        Args:
            callback: ``callback(update, origin)``: for a received update the bytes as received and the origin
                given to :meth:`apply`; for a local transaction pycrdt's update and ``None``. It is called
                inside the commit of a local transaction, so it must neither touch the document nor raise.

        Returns:
            A function that ends the subscription; calling it again does nothing.
        """
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    def attach(self, mirror: Attached) -> None:
        """Have the mirror's ``flush`` called after each received update. The mirror is held weakly."""
        self._mirrors.append(weakref.ref(mirror))

    def detach(self, mirror: Attached) -> None:
        """End :meth:`attach`."""
        self._mirrors = [reference for reference in self._mirrors if reference() not in {mirror, None}]

    def state_vector(self) -> bytes:
        """The document's state vector: for each client, how many of its clock ticks are known."""
        return self.doc.get_state()

    def diff(self, state_vector: bytes) -> bytes:
        """The update that brings a peer with that state vector up to date.

        Raises:
            RemoteProtocolError: The bytes are not a state vector.
        """
        with guarded():
            return self.doc.get_update(state_vector)

    def _committed(self, event: RawTransactionEvent) -> None:
        for reference in self._mirrors:
            mirror = reference()
            if mirror is not None:
                mirror._committed(event, self._applying)
        if self._applying is None:
            self._tell(event.update, None)

    def _tell(self, update: bytes, origin: object | None) -> None:
        for callback in tuple(self._subscribers):
            callback(update, origin)

    def _has_gap(self, update: bytes, ends: Mapping[int, int] | None) -> bool:
        if ends is None:
            # Not empty: the document's state does not cover the update, so part of it is waiting.
            return get_update(update, self.doc.get_state())[0] != 0
        state = decode_state_vector(self.doc.get_state())
        return any(state.get(client, 0) < end for client, end in ends.items())
