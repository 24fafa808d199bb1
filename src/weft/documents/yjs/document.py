"""One pycrdt document as weft shares it: where received updates come in and every update is heard.

Mirrors, providers and server rooms that share a document use one ``YDocument``, because pycrdt alone does not
tell them enough:

* Its update event can lack structs that were waiting for a gap to close, so what a peer
  sent is handed on as the bytes the peer sent, and the event serves local transactions only.
* It has no hook after a commit, and a document cannot be written inside its observers; ``apply``
  lets the mirrors write what they owe right after a received update has been applied.
* It does not ask for what it lacks when updates arrive out of order, and a gap that is closed later can spoil
  the document; ``apply`` holds back what does not follow on, and says when there is a gap.
* Updates can make it run for ever, or end the process. So what comes from elsewhere goes through a log of
  updates first: the binding gets only what follows on, and refers to what it may refer to.
"""

from __future__ import annotations

import logging
import warnings
import weakref
from _thread import get_ident
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from pycrdt import Doc, get_update

from weft._codecs.yjs.crowding import check_crowding
from weft._codecs.yjs.joining import check_joined
from weft._codecs.yjs.state import EMPTY_UPDATE, State, decode_state_vector, deleted_up_to, missing
from weft._codecs.yjs.structs import STORED, deletes_more
from weft._codecs.yjs.surrogates import split_pairs
from weft._support.arguments import wrong_kind
from weft._support.callbacks import subscribe, weakly
from weft.documents.owned import Owned
from weft.documents.yjs.binding import (
    RawTransactionEvent,
    create_doc,
    guarded,
    in_observer,
    in_transaction,
    observe_transactions,
    raise_after_commit,
)
from weft.documents.yjs.gate import Gate
from weft.documents.yjs.renewal import renew_doc
from weft.errors import (
    DocumentClosedError,
    MirrorError,
    RemoteProtocolError,
    WrongProcessError,
    WrongThreadError,
)
from weft.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from weft._codecs.yjs.update import ItemId
    from weft._support.owner import Hold
    from weft.documents.yjs.gate import Passed
    from weft.documents.yjs.update_log import CheckedUpdate

__all__ = ["YDocument", "create_doc"]

_log = logging.getLogger("weft.documents")
_EMPTY_STATE = b"\0"
_SEVERAL = object()  # the origin of what several brought: nobody's own, so that all hear of it

Subscriber = Callable[[bytes, object | None], None]
Blamed = Callable[[object, RemoteProtocolError], None]
Committed = Callable[[RawTransactionEvent, bytes | None], None]


class Attached(Protocol):
    """A mirror on the document, as :class:`YDocument` sees it."""

    def flush(self) -> None:
        """Write to the document what could not be written inside its observer."""

    def reread(self) -> None:
        """Take over what was written in the document without the mirror's hearing of it."""

    def reattach(self) -> None:
        """Find in another document of the binding what the mirror reads and observes, and reread."""


class YDocument(Owned):
    """Everything weft needs of one ``pycrdt.Doc``. Get it with :meth:`of`; there is one per document.

    While anybody listens, the document belongs to the thread that attached the listener. In another one all
    that writes raises ``WrongThreadError``. Of a transaction of the ``pycrdt.Doc`` itself the writer gets the
    error at its end, in pycrdt's ``ExceptionGroup``; it stands, and is told to all in the document's thread.
    """

    __slots__ = (
        "__weakref__",
        "_applying",
        "_blamed",
        "_changed",
        "_committing",
        "_doc",
        "_gate",
        "_mirrors",
        "_subscribers",
        "_unheard",
        "_unobserve",
    )

    def __init__(self, doc: Doc[Any]) -> None:
        super().__init__()
        self._doc = weakref.ref(doc)
        self._subscribers: list[Subscriber] = []
        self._blamed: list[Blamed] = []
        self._mirrors: list[tuple[weakref.ref[Attached], Committed, Hold]] = []
        self._unheard: list[bytes] = []  # local updates from other threads, told to nobody so far
        # What is being applied: no local change. A mirror looks in it for what the event has lost already.
        self._applying: bytes | None = None
        self._changed = False
        self._committing = False
        self._gate = Gate(is_behind=doc.get_state() != _EMPTY_STATE)
        self._observe()

    @classmethod
    def of(cls, doc: Doc[Any] | YDocument) -> YDocument:
        """The one for a document, made at the first call and kept as long as the document lives."""
        if isinstance(doc, YDocument):
            return doc
        if not isinstance(doc, Doc):
            raise wrong_kind("a pycrdt.Doc, such as weft.create_doc() makes,", doc)
        document = _documents.get(doc)
        if document is None:
            if doc.client_id >= 1 << 32:
                warnings.warn(
                    "a client id of 53 bits, as pycrdt.Doc() draws it, wins every concurrent write against "
                    "JavaScript peers, whose ids have 32: make documents by weft.create_doc()",
                    UserWarning,
                    stacklevel=3,
                )
            document = _documents[doc] = cls(doc)
        return document

    def _observe(self) -> None:
        # Held also because with the function the observation would end.
        self._unobserve = observe_transactions(self.doc, weakly(self._committed))

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

    def check(self, update: bytes, limits: Limits = DEFAULT_LIMITS) -> CheckedUpdate:
        """Look at an update before it is applied: the binding must not be given every one.

        Raises:
            RemoteProtocolError: It is malformed, breaks a limit, or would harm the binding.
        """
        joined = check_joined(update, limits).data
        checked = self._gate.log.check(joined, limits if joined is update else STORED)
        check_crowding(checked.runs)
        return checked

    def deletes_more(self, spans: CheckedUpdate) -> bool:
        """Whether an update deletes anything that is not deleted here. Takes time linear in the document."""
        return deletes_more(spans.update, self.diff(self.state_vector()))

    def apply(self, update: bytes, *, origin: object, spans: CheckedUpdate | None = None) -> bool:
        """Take in one received update, let the mirrors write what they owe, and tell the subscribers.

        What does not follow on from what is known is held back, told to nobody: given it, yrs 0.28 integrates
        across the gap, and closing that leaves the document with a length below zero in its encoding, which
        no peer can read. An update that brings nothing is told to nobody, lest it go round in circles.

        What was held back and cannot be taken in when its gap closes is dropped; whoever brought it hears of
        it by :meth:`on_blamed`.

        Args:
            update: Yjs v1 update.
            origin: Who brought it; handed to the subscribers, compared by identity.
            spans: What :meth:`check` returned, where the caller has called it; otherwise it is called here.

        Returns:
            Whether the document lacks structs that received ones wait for. Nobody else asks for them: resync
            from the state vector at once.

        Raises:
            RemoteProtocolError: The bytes are not an update, refer to what they must not, or the binding
                refused them. Nothing was applied, nobody was told.
            WrongThreadError: The document belongs to another thread. Nothing was applied.
            DocumentClosedError: The document was closed, by a room that was unloaded. Nothing was applied.
        """
        if get_ident() != self._owner.thread:
            self._owner.check()
        if spans is None:
            spans = self.check(update)
        passed = self._gate.read_local(self)  # first what was written here: it may be referred to
        received = self._gate.add(spans, origin, self)
        if passed:
            self._take_in(passed)
        self._take_in(received, spans)
        self._flush()
        return self._gate.is_waiting

    def _take_in(self, passed: Passed, spans: CheckedUpdate | None = None) -> None:
        """Give the binding what has passed the gate, and tell of it.

        Args:
            passed: What has.
            spans: What is being received: if the binding refuses it, that is raised.
        """
        for origin, error in passed.refused:
            self._blame(origin, error)
        for part in passed.updates:
            checked = spans if spans is not None and part is spans.update else None
            try:
                # What was released together may be long runs of small structs.
                is_news = self._integrate(part if checked else check_joined(part, STORED).data, checked)
            except RemoteProtocolError as error:
                self._gate.mistrust()
                if checked:
                    raise
                for origin in passed.origins:
                    self._blame(origin, error)
            except BaseException:
                self._gate.mistrust()
                raise
            else:
                if is_news:
                    self._tell(part, passed.origins[0] if len(passed.origins) == 1 else _SEVERAL)

    def _integrate(self, update: bytes, spans: CheckedUpdate | None = None) -> bool:
        """Give the binding an update all of which follows on; whether anything changed."""
        cut = self._gate.pairs.take(update, spans)
        if cut:
            update = self._split(cut, update)
        before = self._applying, self._changed
        self._applying, self._changed = update, False
        try:
            with guarded():
                self.doc.apply_update(update)
        except ExceptionGroup:
            # pycrdt raises what observers of the user's own raised, after the commit: the update stands.
            _log.exception("an observer of the document failed; the update it was called for stands")
            return True
        else:
            return self._changed
        finally:
            self._applying, self._changed = before

    def _split(self, cut: Collection[ItemId], update: bytes) -> bytes:
        """Have the surrogate pairs that an update cuts as halves, in the document and in the update."""
        whole = self.diff(_EMPTY_STATE)
        halved = split_pairs(whole, cut)
        if halved is not whole:
            with guarded():
                renew_doc(self.doc, halved, end=self._unobserve, begin=self._observe)
            for mirror in self._living():
                mirror.reattach()
        self._gate.pairs.forget(cut)
        return split_pairs(update, cut)

    def _blame(self, origin: object, error: RemoteProtocolError) -> None:
        _log.warning("an update that had waited is left out: %s", error)
        for callback in tuple(self._blamed):
            callback(origin, error)

    def flush(self) -> None:
        """Apply what need not be held back any more, and let every mirror write what it owes.

        Raises:
            WrongThreadError: The document belongs to another thread.
        """
        self.check_owner()
        self._flush()

    def _flush(self) -> None:
        if self._unheard:
            self._collect()
        if self._gate.is_waiting and self.is_writable and (passed := self._gate.read_local(self)):
            self._take_in(passed)
        for mirror in self._living():
            mirror.flush()

    def _living(self) -> Iterator[Attached]:
        for entry in tuple(self._mirrors):
            mirror = entry[0]()
            if mirror is None:
                self._mirrors.remove(entry)
            else:
                yield mirror

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Hear each update that enters the document, once and in order.

        Args:
            callback: ``callback(update, origin)``: for a received update the bytes as received and the origin
                given to :meth:`apply`, or, where what others brought had waited for it, one that is nobody's;
                for a local transaction pycrdt's update and ``None``. It is called
                inside the commit of a local transaction, so it must neither touch the document nor raise.

        Returns:
            A function that ends the subscription; calling it again does nothing.

        Raises:
            WrongThreadError: The document belongs to another thread.
        """
        hold = self._owner.hold()
        return self._until_ended(subscribe(self._subscribers, callback), hold)

    def on_blamed(self, callback: Blamed) -> Callable[[], None]:
        """Hear of updates that had waited, and were refused when what they waited for came.

        Args:
            callback: ``callback(origin, error)`` with the origin given to :meth:`apply` for that update. It
                must neither touch the document nor raise.

        Returns:
            A function that ends it.
        """
        return subscribe(self._blamed, callback)

    def attach(self, mirror: Attached, committed: Committed) -> None:
        """Have the mirror's ``flush`` called after each received update. The mirror is held weakly.

        Args:
            mirror: The mirror.
            committed: A method of it, called at the end of each transaction with the binding's event and, if
                it applied a received update, the bytes received; nothing may touch the document.

        Raises:
            WrongThreadError: The document belongs to another thread.
        """
        hold = self._owner.hold()
        # A mirror that is collected is not detached.
        self._mirrors.append((weakref.ref(mirror, lambda _: hold.drop()), weakly(committed), hold))

    def detach(self, mirror: Attached) -> None:
        """End :meth:`attach`."""
        for entry in tuple(self._mirrors):
            if entry[0]() in {mirror, None}:
                self._mirrors.remove(entry)
                entry[2].drop()

    def _collect(self) -> None:
        """Tell, in the document's own thread, of what other threads wrote."""
        if not self._unheard or not self.is_writable:
            return
        if in_transaction(self.doc) and (loop := self._owner.loop) is not None:
            loop.call_later(0.001, self._collect)  # the other thread has not ended its commit yet
            return
        unheard, self._unheard = self._unheard, []
        for update in unheard:
            self._tell(update, None)
        for mirror in self._living():
            mirror.reread()
            mirror.flush()

    def state_vector(self) -> bytes:
        """The document's state vector: for each client, how many of its clock ticks are known."""
        return self.doc.get_state()

    def state(self) -> State:
        """The same, decoded: for each client, up to which clock its structs are known."""
        return decode_state_vector(self.state_vector())

    def lacking(self, wanted: State) -> State:
        """What the document lacks of a state."""
        return missing(self.state(), wanted)

    def diff(self, state_vector: bytes) -> bytes:
        """The update that brings a peer with that state vector up to date.

        Raises:
            RemoteProtocolError: The bytes are not a state vector.
        """
        with guarded():
            return self.doc.get_update(self._gate.pairs.beside(state_vector))

    def is_covered(self, update: bytes) -> bool:
        """Whether the document, which was given an update, has taken in all of it: nothing of it waits.

        yrs leaves what waits out of ``get_update``: structs beyond the state vector, and deletions that reach
        beyond the clock known of their client.

        Raises:
            RemoteProtocolError: The bytes are not an update.
        """
        with guarded():
            rest = get_update(update, self.state_vector())
            return rest == EMPTY_UPDATE or (rest[0] == 0 and not self.lacking(deleted_up_to(rest[1:])))

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open: an asynchronous one stays open while its task waits."""
        return in_transaction(self.doc)

    @property
    def is_waiting(self) -> bool:
        """Whether received updates wait for structs that are missing."""
        return self._gate.is_waiting

    @property
    def is_idle(self) -> bool:
        """Whether nothing is going on in it, and nothing waits."""
        return not (self._committing or self._gate.is_waiting or in_transaction(self.doc))

    @property
    def is_writable(self) -> bool:
        """Whether the document can be written: no observer of it is being called."""
        return not (self._committing or in_observer(self.doc))

    def _committed(self, event: RawTransactionEvent) -> None:
        if self._applying is None:
            self._gate.wrote(event.update)
        if get_ident() != self._owner.thread:
            try:
                self._owner.check()
            except (WrongThreadError, DocumentClosedError) as error:
                self._refuse(event.update, error)
                return
        self._committing = True
        try:
            for _, committed, _ in self._mirrors:
                committed(event, self._applying)
        finally:
            self._committing = False
        self._changed = True
        if self._applying is None:
            self._tell(event.update, None)

    def _refuse(self, update: bytes, error: WrongThreadError | DocumentClosedError) -> None:
        """Say of a transaction that is over already that it should not have been."""
        raise_after_commit(self.doc, error)
        if isinstance(error, WrongProcessError | DocumentClosedError):
            return  # nobody is there to be told
        error.add_note("this was a transaction of the pycrdt.Doc itself: it stands, and is told to all")
        self._unheard.append(update)
        if (loop := self._owner.loop) is not None:
            loop.call_soon_threadsafe(self._collect)

    def _tell(self, update: bytes, origin: object | None) -> None:
        for callback in tuple(self._subscribers):
            callback(update, origin)


_documents: weakref.WeakKeyDictionary[Doc[Any], YDocument] = weakref.WeakKeyDictionary()
