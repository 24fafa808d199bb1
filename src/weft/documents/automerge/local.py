"""What an Automerge document does without a peer: it is looked at and written, and tells of each change."""

from __future__ import annotations

from _thread import get_ident
from contextlib import contextmanager
from typing import TYPE_CHECKING

from weft._codecs.automerge.chunks import change_hash
from weft._support.callbacks import subscribe
from weft.documents.automerge.binding import contained, make_immortal, merged
from weft.documents.automerge.events import DocumentEvent, EventQueue, Heads
from weft.documents.automerge.known_changes import KnownChanges
from weft.documents.owned import Owned
from weft.errors import LocalProtocolError, MirrorError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from weft._codecs.automerge.change import Decoded
    from weft.documents.automerge.binding import CoreChange, CoreDocument, CoreTransaction
    from weft.documents.automerge.history import ChangeNumbers

__all__ = ["LocalDocument"]


class LocalDocument(Owned):
    """The half of :class:`~weft.documents.automerge.document.AutomergeDocument` that receives nothing.

    Args:
        core: The binding's document.
        actor: Under whose id it is written.
    """

    __slots__ = (
        "_actor", "_core", "_events", "_heads", "_in_transaction", "_known", "_saved", "_was_loaded",
    )  # fmt: skip

    def __init__(self, core: CoreDocument, actor: bytes) -> None:
        super().__init__()
        self._actor = actor
        self._core = core
        self._heads: Heads | None = None  # if known
        self._known = KnownChanges(core)
        self._events = EventQueue()
        self._in_transaction = False
        self._was_loaded = False  # a large document, as a whole, and not written since
        self._saved: tuple[Heads, bytes] | None = None  # what it was loaded from

    # -- looking ---------------------------------------------------------------------------------------------

    @property
    def core(self) -> CoreDocument:
        """The binding's document, for reading only. Another takes its place when something is refused."""
        return self._core

    @property
    def actor(self) -> bytes:
        """Under whose id local changes are made."""
        return self._actor

    @property
    def heads(self) -> Heads:
        """Hashes of the changes that no other change follows on, sorted: they name the document's state."""
        if self._in_transaction:
            return tuple(sorted(self._core.get_heads()))
        if self._heads is None:
            self._heads = tuple(sorted(self._core.get_heads()))
        return self._heads

    @property
    def _numbers(self) -> ChangeNumbers:
        return self._known.catch_up(self._core)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, so that nothing else can be done with the document than read it."""
        return self._in_transaction

    def save(self) -> bytes:
        """The whole document with its history.

        Raises:
            LocalProtocolError: A transaction is open.
        """
        self._expect_idle("saved")
        return bytes(self._core.save())

    def saved(self) -> bytes:
        """A saved form of the document to read it from: what it was loaded from, until it changes.

        Raises:
            LocalProtocolError: A transaction is open.
        """
        if self._saved is not None:
            heads, data = self._saved
            if heads == self.heads:
                return data
            self._saved = None
        return self.save()

    def changes_since(self, heads: Iterable[bytes]) -> list[bytes]:
        """The changes that a document with these heads lacks, as chunks in an order to apply them in.

        Args:
            heads: All of them known here; otherwise every change is given.
        """
        with contained("read the changes"):
            return [change.raw_bytes for change in self._core.get_changes(list(heads))]

    # -- writing ---------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, *, origin: object = None) -> Iterator[CoreTransaction]:
        """Write to the document: commit at the end of the block, roll back on an exception, then tell of it.

        Args:
            origin: Who writes; handed to the subscribers.

        Raises:
            LocalProtocolError: A transaction is open already.
            MirrorError: The binding panicked. The document is as it was before the transaction.
        """
        self._expect_write()
        before = self.heads
        self._known.catch_up(self._core)  # what is written may make the binding panic
        transaction = self._core.transaction()
        self._in_transaction = True
        try:
            yield transaction
        except BaseException as error:
            self._end(transaction.rollback, before, error)
            raise
        else:
            self._end(transaction.commit, before, None)
        finally:
            self._in_transaction = False
        self._heads = None
        changes = self._core.get_changes(before)
        self._known.remember(self._core, [change.raw_bytes for change in changes])
        self._changed(before, changes, origin, {})

    def write(self, write: Callable[..., object], *arguments: object, origin: object = None) -> None:
        """Write by a function, in a transaction at which the binding does not panic; then tell of it.

        For single letters: half the price of :meth:`transaction`.

        Args:
            write: Is given the transaction, and the arguments. What it puts was checked: no value that the
                binding panics at.
            arguments: Of the function.
            origin: Who writes; handed to the subscribers.

        Raises:
            LocalProtocolError: A transaction is open already.
        """
        if self._in_transaction or self._was_loaded or get_ident() != self._owner.thread:
            self._expect_write()
        core, before = self._core, self._heads or self.heads
        transaction = core.transaction()
        self._in_transaction = True
        try:
            write(transaction, *arguments)
            transaction.commit()
        except BaseException as error:
            self._end(transaction.rollback, before, error)
            raise
        finally:
            self._in_transaction = False
        after = tuple(core.get_heads())
        if len(after) == 1 and after != before:  # else nothing was written
            self._heads = after
            self._known.note_later(before)
            if self._events.is_heard(origin):
                self._events.tell(DocumentEvent(before, after, self._only_change, origin))

    def _only_change(self, event: DocumentEvent) -> tuple[bytes, ...]:
        """The change that made the one head after an event."""
        changes = self.changes_since(event.before)
        if len(changes) > 1:
            changes = [change for change in changes if (change_hash(change),) == event.after]
        return tuple(changes)

    def _end(self, end: Callable[[], None], before: Heads, error: BaseException | None) -> None:
        try:
            with contained("end the transaction"):
                end()
        except RemoteProtocolError as failure:
            make_immortal(self._core)
            self._restore(before)
            cause = error or failure
            raise MirrorError(f"the transaction is lost, the document is as before: {cause}") from cause

    def _restore(self, heads: Heads, chunks: Sequence[bytes] = ()) -> None:
        """Put a document as it was in the place of one that a panic or a refused change has spoilt."""
        self._heads = None
        self._core = self._known.rebuild(self._actor, chunks)
        if self.heads != heads:
            raise MirrorError("the document could not be restored: load it again")

    # -- events ----------------------------------------------------------------------------------------------

    def subscribe(
        self, callback: Callable[[DocumentEvent], None], *, but: object = None
    ) -> Callable[[], None]:
        """Hear of each change of the document, once and in order.

        The callback runs outside any transaction and may write; what it writes is told after. What it raises
        is logged.

        Args:
            callback: Called with each event.
            but: An origin, of whose events it is not told.

        Returns:
            A function that ends the subscription; calling it again does nothing.

        Raises:
            WrongThreadError: The document belongs to another thread.
            DocumentClosedError: The document was closed.
        """
        hold = self._owner.hold()
        end = self._until_ended(subscribe(self._events.subscribers, callback), hold)
        if but is not None:
            self._events.spare(callback, but)
        return end

    def _changed(
        self,
        before: Heads,
        changes: Sequence[CoreChange],
        origin: object,
        decoded: Mapping[bytes, Decoded],
    ) -> None:
        after = self.heads
        if after == before:
            return
        chunks: list[bytes] = []
        known: dict[bytes, Decoded] = {}
        for change in changes:
            chunks.append(change.raw_bytes)
            name = self._numbers.add(change)
            if name in decoded:
                known[chunks[-1]] = decoded[name]
        self._events.tell(DocumentEvent(before, after, tuple(chunks), origin, known))

    def _expect_write(self, what: str = "written") -> None:
        """Be ready for a change. A large document that was loaded gets the form that is quickly written.

        That takes twice as long as to load it, once; who only reads a document does not wait for it.
        """
        self._expect_idle(what)
        if self._was_loaded:
            self._was_loaded = False
            with contained("get the document ready to be written"):
                self._core = merged(self._core)
                self._core.set_actor(self._actor)
            self._known.begin_again(self._core)

    def _expect_idle(self, what: str) -> None:
        self.check_owner()
        if self._in_transaction:
            raise LocalProtocolError(f"the document cannot be {what} while a transaction is open")
