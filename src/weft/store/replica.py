"""The one seam for whatever keeps a Store equal with another place: read, hear changes, apply received ones.

Mirrors and persisters, and the oracles of tests, see a Store through a :class:`Replica`. Nothing of it lies
on the way of a write.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal, NamedTuple

from weft._support.arguments import wrong_kind
from weft.deltas import apply, from_cell, is_styled
from weft.store._core.cursor import follow
from weft.store._core.state import StoreState
from weft.store._parts.context_mark import is_current
from weft.store._parts.log import ADDED, CELL, ROW
from weft.store._parts.paths import Paths
from weft.store._parts.signatures import Refused
from weft.store._parts.texts import TextKey, TextSource, own_edits
from weft.store._parts.writes import WriteVisitor, visit_writes
from weft.values import UNDEFINED, is_same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from weft._support.owner import Hold
    from weft.changes import StoredTables, StoredValues
    from weft.deltas import Delta
    from weft.store._core.store import Store
    from weft.store._parts.log import Entry, Touched, TouchedValues
    from weft.values import Stored, Undefined

__all__ = ["Paths", "RawTables", "RawValues", "Refused", "Replica", "TextKey", "TextSource", "WriteVisitor"]

# What another place holds at a path, before the Store has judged it.
RawTables = dict[str, dict[str, dict[str, object]]]
RawValues = dict[str, object]


_KEPT_TWICE = (
    "this Store is mirrored, and a persister loads and saves it by itself, too: at the next start what was"
    " deleted offline comes back, and what was edited offline loses to the document, as a place that keeps a"
    " Store knows of neither. Keep the document instead, as weft.connect(address, offline=FILE) does, or"
    " load() once and start nothing automatic:"
    " docs/persisting.md"
)


class _Received(NamedTuple):
    """What is being applied, and between which entries of the transaction's log."""

    tables: RawTables
    values: RawValues
    refused: set[tuple[str, ...]]
    entries: tuple[int, int]


class Replica:
    """A Store, seen by what keeps it equal with another place.

    Args:
        store: The Store.

    Attributes:
        store: The Store.
        tables: Its tables, cells in their stored form: the Store's own dictionaries, which are never
            replaced. To be read only.
        values: Its values, likewise.
        origin: The origin of the transactions that :meth:`receive` makes, a token to be compared by identity.
    """

    __slots__ = ("_received", "origin", "store", "tables", "values")

    def __init__(self, store: Store) -> None:
        if not isinstance(store, StoreState):
            raise wrong_kind("a weft.Store", store)
        self.store = store
        self.tables: StoredTables = store._tables
        self.values: StoredValues = store._values
        self.origin = object()
        self._received: _Received | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a transaction is open or its listeners are being called."""
        return self.store._depth != 0

    @property
    def is_open_here(self) -> bool:
        """Whether the calling task itself holds a transaction open, across an ``await``."""
        opener = self.store._opener
        return opener is not None and is_current(opener)

    @property
    def has_rules(self) -> bool:
        """Whether schemas or middleware may change, or stop, what is written."""
        store = self.store
        return store._schema is not None or store._values_schema is not None or store._middleware is not None

    def kinds(self) -> dict[str, dict[str, str]]:
        """Give TinyBase's types of what the schemas name: of cells by table and cell, of values by ``""``."""
        kinds = {
            table_id: {
                cell_id: "string" if cell_id in rule.texts else str(cell.schema.get("type"))
                for cell_id, cell in rule.cells.items()
            }
            for table_id, rule in (self.store._schema or {}).items()
        }
        values = self.store._values_schema
        if values:
            kinds[""] = {value_id: str(rule.schema.get("type")) for value_id, rule in values.items()}
        return kinds

    def hold(self) -> Hold:
        """Make the Store the calling thread's, until the hold is dropped.

        Raises:
            WrongThreadError: It is another's already. Nothing changed.
        """
        return self.store._hold()

    def check_owner(self) -> None:
        """Let only the thread pass that the Store belongs to, if it belongs to one.

        Raises:
            WrongThreadError: It is another's.
            DocumentClosedError: The document that the Store is mirrored in was closed.
        """
        if (owner := self.store._owner) is not None:
            owner.check()

    # -- what the Store did ------------------------------------------------------------------------------

    def on_finish(self, hook: Callable[[], None]) -> Callable[[], None]:
        """Call ``hook()`` when a transaction that changed something is committed, while its log stands.

        Who hears is keeping another place equal: rows added from now on have ids that no other peer gives,
        unless the Store was told otherwise. That stays so, as what was shared may be shared again.

        Returns:
            A function that ends this.
        """
        self.store._share_row_ids()
        listener_id = self.store.add_did_finish_transaction_listener(lambda _store: hook())

        def end() -> None:
            self.store.del_listener(listener_id)

        return end

    def kept_by(self, what: Literal["mirror", "persister"]) -> Callable[[], None]:
        """Say that the Store follows a document, or is loaded from and saved to a place by itself.

        Both at once is warned of, once for each Store: it looks like an offline cache and is none.

        Returns:
            A function that ends this.
        """
        if self.store.is_mergeable():  # what keeps it, keeps its document
            return lambda: None
        kept = self.store._kept
        if "warned" not in kept and kept.keys() - {what}:
            kept["warned"] = 1
            # Where a warning is an error it ends whoever asks, before that has begun.
            warnings.warn(_KEPT_TWICE, UserWarning, stacklevel=4)
        kept[what] = kept.get(what, 0) + 1

        def end() -> None:
            kept[what] -= 1
            if not kept[what]:
                del kept[what]

        return end

    def on_transaction_end(self, hook: Callable[[], object]) -> Callable[[], None]:
        """Call ``hook()`` when an outermost transaction is over, committed or rolled back.

        It may write; it must not raise.

        Returns:
            A function that ends this.
        """
        return self.store._on_transaction_end(hook)

    def on_rollback(self, hook: Callable[[int], None]) -> Callable[[], None]:
        """Call ``hook(start)`` when the entries of :attr:`log` from ``start`` on are about to be rolled back.

        It must not write and must not raise.

        Returns:
            A function that ends this.
        """
        hooks = self.store._rollback_hooks
        hooks.append(hook)
        return lambda: hooks.remove(hook)

    @property
    def log(self) -> Sequence[Entry]:
        """The log of the running, or just finishing, transaction, another object for each: to be counted."""
        return self.store._log or ()

    def visit_writes(self, visitor: WriteVisitor, start: int, end: int | None = None) -> None:
        """Tell of each write of the running transaction in its order, whoever made it.

        What a schema set in this transaction put out, or wrote anew as it was, is no write.

        Args:
            visitor: Who is told.
            start: Where in :attr:`log` to begin.
            end: Where to end; by default where it ends.
        """
        store, log = self.store, self.log
        end = len(log) if end is None else end
        for effect in store._schema_effects:
            first, last = effect.entries
            if start <= first < end:
                visit_writes(log[start:first], self.tables, visitor)
                effect.visit_writes(log, self.tables, self.values, visitor)
                start = last
        visit_writes(log[start:end] if start or end < len(log) else log, self.tables, visitor)

    def only_write(self) -> tuple[str, str, str, Stored | Undefined] | None:
        """The one write of the running transaction, where it is one of a cell and no more was logged."""
        log = self.store._log
        if log is None or len(log) != 1:
            return None
        entry = log[0]
        kind = entry[0]
        if kind == CELL:
            return entry[1], entry[2], entry[3], entry[5]
        if kind == ADDED:
            _, table_id, row_id, cell_id = entry
        elif kind == ROW and entry[3] > 0 and len(entry[4]) == 1:
            _, table_id, row_id, _, (cell_id,) = entry
        else:
            return None
        return table_id, row_id, cell_id, self.tables[table_id][row_id][cell_id]

    def touched(self) -> tuple[Touched, TouchedValues]:
        """All places that the running transaction has written to, in their order, received ones too."""
        store = self.store
        store._catch_up()
        return store._touched, store._touched_values

    def changes(self) -> tuple[Touched, TouchedValues]:
        """Get the net changes of the finishing transaction but what :meth:`receive` wrote, cell by cell.

        Every removed cell is listed as ``UNDEFINED``, also those of removed rows and tables. A cell that was
        received and written again is listed with its final form, whatever it was before.
        """
        received = self._received
        return self.store._stored_changes(() if received is None else (received.entries,))

    def edits(self) -> tuple[Touched, TouchedValues]:
        """Get the net changes of the finishing transaction that are not as received.

        Unlike :meth:`changes` this tells of what defaults and middleware made of what was received.
        """
        received = self._received
        if received is None or not self.has_rules:
            return self.changes()
        tables, values = self.store._stored_changes()
        own: Touched = {}
        for table_id, rows in tables.items():
            for row_id, cells in rows.items():
                given = received.tables.get(table_id, {}).get(row_id, {})
                for cell_id, cell in cells.items():
                    if (
                        not is_same(given.get(cell_id, UNDEFINED), cell)
                        and (table_id, row_id, cell_id) not in received.refused
                    ):
                        own.setdefault(table_id, {}).setdefault(row_id, {})[cell_id] = cell
        return own, {
            value_id: value
            for value_id, value in values.items()
            if not is_same(received.values.get(value_id, UNDEFINED), value)
            and (value_id,) not in received.refused
        }

    def removed(self) -> tuple[set[str], set[tuple[str, str]]]:
        """Get the tables, and the (table, row) pairs, deleted as containers and absent now.

        Deleted as containers: by ``del_table``, ``del_row`` or a ``set_…`` that left them out, and not by
        deleting their last cell. The rows of a deleted table are among the pairs.
        """
        return self.store._removed()

    def refused(self) -> list[Refused]:
        """Get what a schema set in the finishing transaction put out of the Store, or replaced by a default.

        It is in none of :meth:`changes`, :meth:`edits` and :meth:`removed`: nobody has deleted it, so it
        stays where it is in other places.

        Returns:
            As :meth:`receive` does, cells and values as a caller would write them.
        """
        return self.store._refused_by_schemas()

    # -- shared texts ------------------------------------------------------------------------------------

    @property
    def has_texts(self) -> bool:
        """Whether some cells are shared texts."""
        store = self.store
        if store._texts is None and store._schema is None:
            return False
        return store._known_texts().has_any(store._schema)

    def is_text(self, table_id: str, row_id: str, cell_id: str) -> bool:
        """Whether a cell is a shared text, or would be one if it were there."""
        store = self.store
        return store._known_texts().is_text(store._schema, (table_id, row_id, cell_id))

    def declare_text(self, table_id: str, cell_id: str, row_id: str | None = None) -> Callable[[], None]:
        """Make a cell of one row, or of all rows of a table, a shared text without a schema.

        Returns:
            A function that ends this.
        """
        return self.store._known_texts().declare(table_id, cell_id, row_id)

    def serve_texts(self, source: TextSource) -> Callable[[], None]:
        """Serve the formats and positions of texts.

        Returns:
            A function that ends this.
        """
        texts = self.store._known_texts()
        texts.sources.append(source)
        texts.is_formatted.clear()
        if texts.hook is not None:  # so that who listens to texts is called when the document has the edit
            self.store.del_listener(texts.hook)
            texts.hook = None
            follow(self.store, texts)

        def end() -> None:
            texts.sources.remove(source)
            texts.is_formatted.clear()

        return end

    def text_edits(self) -> dict[TextKey, Delta]:
        """Get the net edits of texts in the finishing transaction, but what :meth:`receive` wrote.

        Each is relative to what another place holds: the text before the transaction, or as received in it. A
        string that was set as a whole comes as its smallest edit. A text that was not there is in it only
        where it has formats or embeds: as what makes it of an empty one. One that has gone is not in it.
        """
        store, received = self.store, self._received
        log = store._log
        if not log or not self.has_texts:
            return {}
        texts = store._known_texts()
        entries = (0, 0) if received is None else received.entries
        return own_edits(log, texts, store._schema, entries, store._stored)

    def only_text_edit(self) -> tuple[TextKey, str, Delta] | None:
        """Get the one edit of a text that the finishing transaction is, where it is no more.

        Returns:
            Its key, the string before it, and how it changed; ``None`` where :meth:`text_edits` has to tell.
        """
        log, texts = self.store._log, self.store._texts
        if texts is None or log is None or len(log) != 1 or self._received is not None:
            return None
        entry, delta = log[0], texts.noted(log, 0)
        if delta is None or entry[0] != CELL or not isinstance(entry[4], str):
            return None
        return entry[1:4], from_cell(entry[4]), delta

    # -- what comes from elsewhere -----------------------------------------------------------------------

    def receive(
        self,
        tables: RawTables,
        values: RawValues,
        report: Callable[[Exception], object],
        applied: Callable[[tuple[int, int], list[Refused]], object] | None = None,
        *,
        replacing: bool = False,
        deltas: Mapping[TextKey, Delta] | None = None,
        are_written: bool = False,
    ) -> list[Refused]:
        """Apply what another place holds at these paths, in a transaction of its own.

        Never raises for bad data: what is refused is left out, and so is the cell that stood in its place, as
        the place has another there now. What listeners raise is reported and stops nothing.

        Args:
            tables: Cells; ``UNDEFINED`` where the place holds nothing.
            values: Values, likewise.
            report: Takes what listeners raise.
            applied: Called in the transaction, before its listeners, with how many entries :attr:`log` had
                before it and before what was received, and with what was refused.
            replacing: Whether the place holds nothing else.
            deltas: How texts among the cells changed, for cursors and who listens to texts; of others it is
                the smallest edit. A text of which only formats changed is among the cells too.
            are_written: Whether somebody has just written all of these, also those that are as they were:
                what undo takes for one's own is not one's own there any more.

        Returns:
            What was refused: ``(table_id, row_id, cell_id, cell)`` or ``(value_id, value)``.
        """
        store, before = self.store, self._received
        try:
            with store._received_transaction(self.origin, report):
                before_all = store._log_length()
                if replacing:
                    store._clear_received()
                start = store._log_length()
                refused = store._apply_stored(tables, values)
                if store._texts is not None:
                    self._note_received(start, deltas or {})
                self._received = _Received(
                    tables, values, {item[:-1] for item in refused}, (start, store._log_length())
                )
                for hook in store._receive_hooks:
                    hook(tables, values, (before_all, store._log_length()), are_written)
                if applied is not None:
                    applied((before_all, start), refused)
        finally:
            self._received = before  # another one's, where a hook of its end received more
            if store._texts is not None:
                store._texts.received = (0, 0)
        return refused

    def _note_received(self, start: int, deltas: Mapping[TextKey, Delta]) -> None:
        """Note how the texts among what was just received changed."""
        store = self.store
        texts, log = store._known_texts(), store._log
        assert log is not None  # noqa: S101 - a transaction is open
        written: dict[TextKey, int] = {}
        if deltas:
            written = {entry[1:4]: at for at, entry in enumerate(log[start:], start) if entry[0] == CELL}
        for key, delta in deltas.items():
            cell = store._stored(key)
            if not isinstance(cell, str):
                continue
            at = written.get(key)
            if at is None:
                at = len(log)
                log.append((CELL, *key, cell, cell))
            old = log[at][4]
            if isinstance(old, str) and apply(from_cell(old), delta) == from_cell(cell):
                texts.note(log, at, delta)
                if is_styled(delta):
                    texts.is_formatted[key] = True
        texts.received = (start, len(log))
