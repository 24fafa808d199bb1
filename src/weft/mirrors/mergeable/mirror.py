"""The mirror of a Store in a mergeable document."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from weft._support.callbacks import weakly
from weft.documents.mergeable import MergeableDocument
from weft.errors import MirrorError
from weft.mirrors.mergeable.stamping import CountedWrites, DefaultWrites, OwnWrites, ReceivedWrites
from weft.mirrors.mirror import DocumentWrite, Mirror
from weft.mirrors.places import changes_at
from weft.store.replica import Paths
from weft.values import UNDEFINED, is_same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from weft.changes import Changes
    from weft.documents.mergeable import MergeableChanges, MergeableEvent, Undo
    from weft.mirrors.mirror import Deltas
    from weft.mirrors.places import Place
    from weft.store import Store
    from weft.store.replica import RawTables, RawValues, Refused

__all__ = ["MergeableMirror"]


class MergeableMirror(Mirror):
    """Keeps a Store and a :class:`~weft.mergeable.MergeableDocument` equal, both ways, at once.

    Unlike the other mirrors, which write what a transaction came to, this one walks its log: each write
    takes the next stamp of the document's clock, in the order in which they were made, also one that was
    undone by a later one. So the stamps are those that TinyBase's MergeableStore gives the same program.

    * What a schema adds to a row gets the empty stamp, which everything else beats.
    * What a schema refuses of what was received stays in the document, hidden, also when the schema goes.
    * What middleware and mutators make of what was received gets stamps of its own.
    * A transaction that is rolled back leaves no stamps, but the clock goes on.

    Args:
        store: The Store.
        document: The document.
        on_error: Called with what could not be mirrored and with exceptions of listeners during a remote
            change; without it they are logged to ``weft.mirrors`` at WARNING.
    """

    _document: MergeableDocument

    def __init__(
        self,
        store: Store,
        document: MergeableDocument,
        *,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        super().__init__(store, on_error=on_error)
        if not isinstance(document, MergeableDocument):
            raise TypeError(f"document must be a MergeableDocument, not {type(document).__name__}")
        self._document = document
        self._own = OwnWrites(document)
        self._unobserve_document: Callable[[], None] | None = None
        # Of the running transaction: its log, how many entries of it are stamped, and what is to be told, or
        # taken back, of the stamps that were asked for in its middle.
        self._log: object = None
        self._done = 0
        self._undo: list[Undo] = []
        self._is_applying = False  # what was received: its entries are looked at when all is there
        self._inside = False  # apply, or set_content, called in an open transaction
        self._applied_inside = Paths()
        self._to_replace = False
        self.expects_start = True

    @property
    def document(self) -> MergeableDocument:
        """The mirrored document."""
        return self._document

    def changes_at(self, written: Iterable[Place], deleted: Iterable[Place]) -> Changes:
        """What the Store holds at places of the document, in TinyBase's form of changes.

        Args:
            written: Places at which something was written, or deleted.
            deleted: Further ones.
        """
        return changes_at(self._replica.tables, self._replica.values, written, deleted)

    def deleted_at(self, paths: Paths) -> set[tuple[str, ...]]:
        """Which of these places the document knows to be deleted: nothing was ever at the others.

        Returns:
            Table, row and cell ids, and value ids.
        """
        (tables, *_), (values, *_), _ = self._document.get_stamps(paths.tables, paths.values)
        deleted = {
            (table_id, row_id, cell_id)
            for table_id, table in tables.items()
            for row_id, row in table[0].items()
            for cell_id, stamp in row[0].items()
            if stamp[0] is UNDEFINED
        }
        return deleted | {(value_id,) for value_id, stamp in values.items() if stamp[0] is UNDEFINED}

    # -- what a MergeableStore calls -------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Stamp what the open transaction has written so far, for who looks at the stamps before its end."""
        if self._is_applying or not self._replica.is_busy or not self.running:
            return
        with self._document.transaction(origin=self._token, undo=self._undo):
            self._stamp()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Have what is merged into the document reach the Store at once, in its open transaction.

        What was merged stays in the document where that is rolled back, and comes into the Store after it.
        """
        self.catch_up()
        was, self._inside = self._inside, self._replica.is_busy
        try:
            yield
        finally:
            self._inside = was

    @contextmanager
    def defaults(self) -> Iterator[None]:
        """Give what is written meanwhile in an open transaction the empty stamp; what has another stays."""
        self.catch_up()
        was = self._own
        self._own = own = DefaultWrites(self._document)
        try:
            yield
            self.catch_up()
        finally:
            self._own = was
        with self.inside():
            self._receive(*self._read(own.beaten))

    def transaction_changes(self, *, with_hashes: bool = False) -> MergeableChanges:
        """The stamps of all places that the open, or just finishing, transaction has written to so far."""
        self.catch_up()
        return self._document.get_stamps(*self._replica.touched(), with_hashes=with_hashes)

    # -- Store to document -----------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._ends.append(self._replica.on_rollback(self._store_rolls_back))
        super()._begin()

    def _store_finished(self) -> None:
        # The commonest transaction takes the shortest way: one write of a cell, of which nobody asked before.
        if self._judge is None and not self._done and (write := self._replica.only_write()) is not None:
            try:
                self._document.write_cell(*write, self._token)
            except Exception as error:  # noqa: BLE001 - as below
                self._keep_owed(error)
            else:
                self._log, self._done = self._replica.log, 1
            return
        if refused := self._replica.refused():
            self._owed.discard(refused)
            *path, cell = refused[0]
            self._report(
                MirrorError(
                    f"the new schema refuses {len(refused)} cells or values, which have left the Store and "
                    f"stay in the document; the first, at {path!r}: {cell!r:.200}"
                )
            )
        if not self._replica.log and not self._undo:
            return
        if self._judge is not None and not self._judge(*self._replica.changes()):
            self._log, self._done = self._replica.log, len(self._replica.log)
            return
        try:
            with self._document.transaction(origin=self._token):
                self._document.tell(self._undo)
                self._undo = []
                self._stamp()
        except Exception as error:  # noqa: BLE001 - reported, and what was not written is owed
            self._keep_owed(error)

    def _keep_owed(self, error: Exception) -> None:
        self._report(error)
        self._owed.add(*self._replica.changes())
        self._schedule_flush()

    def _stamp(self, end: int | None = None) -> None:
        """Stamp what was written since this was last called in the running transaction."""
        replica = self._replica
        log = replica.log
        if log is not self._log:
            self._log, self._done = log, 0
        end = len(log) if end is None else end
        if end > self._done:
            replica.visit_writes(self._own, self._done, end)
            self._done = end

    def _store_rolls_back(self, start: int) -> None:
        replica, log = self._replica, self._replica.log
        done = self._done if log is self._log else 0
        # TinyBase takes a stamp for each write, and for each that restores what was there.
        counted = CountedWrites()
        replica.visit_writes(counted, max(start, done))
        tables, values = replica.changes()
        restored = sum(len(cells) for rows in tables.values() for cells in rows.values()) + len(values)
        self._document.clock.skip(counted.count + restored)
        undo, self._undo = self._undo, []
        self._document.take_back(undo)
        self._done = 0  # what stays is stamped anew
        self._to_reread.update(self._applied_inside)

    def _store_ended(self) -> None:
        self._log, self._done = None, 0
        if self._applied_inside:
            self._applied_inside = Paths()
        if self._to_replace:
            self._to_replace = False
            self._to_reread = Paths()
            self._receive(*self._read_all(), is_whole=True)
        super()._store_ended()

    # -- document to Store -----------------------------------------------------------------------------------

    def _observe(self) -> None:
        self._unobserve_document = self._document.subscribe(weakly(self._document_changed), but=self._token)

    def _unobserve(self) -> None:
        if self._unobserve_document is not None:
            self._unobserve_document()
            self._unobserve_document = None

    def _document_changed(self, event: MergeableEvent) -> None:
        tables = {
            table_id: {
                row_id: {cell_id: stamp[0] for cell_id, stamp in row[0].items()}
                for row_id, row in table[0].items()
            }
            for table_id, table in event.changes[0][0].items()
        }
        values = {value_id: stamp[0] for value_id, stamp in event.changes[1][0].items()}
        self._receive(tables, values, is_whole=event.is_whole)

    def _receive(
        self,
        tables: RawTables,
        values: RawValues,
        deltas: Deltas = None,
        *,
        are_written: bool = True,
        is_whole: bool = False,
    ) -> None:
        if not tables and not values and not is_whole:
            return
        if self._replica.is_busy:
            if not self._inside:
                self._to_reread.add(tables, values)
                self._to_replace |= is_whole
                return
            self._applied_inside.add(tables, values)
        self._is_applying = True
        try:
            found = self._replica.receive(
                tables,
                values,
                self._report,
                partial(self._applied, tables, values),
                replacing=is_whole,
                deltas=deltas,
                are_written=are_written,
            )
        finally:
            self._is_applying = False
        for *path, cell in found:
            self._report(MirrorError(f"the document holds at {path!r} what the Store cannot: {cell!r:.200}"))

    def _applied(
        self, tables: RawTables, values: RawValues, starts: tuple[int, int], refused: list[Refused]
    ) -> None:
        """Received data is in the Store, and no listener has heard of it yet."""
        self._is_applying = False
        replica = self._replica
        with self._document.transaction(origin=self._token, undo=self._undo):
            self._stamp(starts[0])
            if replica.has_rules:
                replica.visit_writes(ReceivedWrites(self._own, tables, values, refused), starts[1])
        self._done = len(replica.log)

    def _read_all(self) -> tuple[RawTables, RawValues]:
        return self._document.get_living()  # type: ignore[return-value]

    def _read(self, paths: Paths) -> tuple[RawTables, RawValues]:
        get_cell, get_value = self._document.get_cell, self._document.get_value
        return {
            table_id: {
                row_id: {cell_id: get_cell(table_id, row_id, cell_id) for cell_id in cell_ids}
                for row_id, cell_ids in rows.items()
            }
            for table_id, rows in paths.tables.items()
        }, {value_id: get_value(value_id) for value_id in paths.values}

    def refusal(self) -> MirrorError | None:
        """Nothing else can stand in such a document."""
        return None

    def _blocked(self) -> bool:
        return False

    def _write(self, changes: DocumentWrite, *, compare: bool) -> None:
        document = self._document
        with document.transaction(origin=self._token):
            for table_id, rows in changes.tables.items():
                for row_id, cells in rows.items():
                    for cell_id, cell in cells.items():
                        if not compare or not is_same(document.get_cell(table_id, row_id, cell_id), cell):
                            document.set_cell(table_id, row_id, cell_id, cell)
            for value_id, value in changes.values.items():
                if not compare or not is_same(document.get_value(value_id), value):
                    document.set_value(value_id, value)
