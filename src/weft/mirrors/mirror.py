"""The engine of every mirror: which side wrote what, and what is still owed to the other side.

One Store, one document, two directions:

* **Store to document.** When a Store transaction has finished, its net changes are written in one document
  transaction. Where the document cannot be written at that moment (we are inside one of its observers),
  the *paths* are owed, and ``flush`` writes what the Store then holds there. Paths and not values, because
  a newer value may have arrived in between.
* **Document to Store.** What an event brought becomes one Store transaction, whose origin is the mirror's
  token. Log entries made by that application are left out of what goes back: what remains is what the
  user's listeners wrote on top, the *residual*.

A document event that finds the Store inside a transaction, or calling its listeners, waits until that
transaction has ended: only then is it known whether it stands or was rolled back.
"""

from __future__ import annotations

import logging
import sys
import warnings
import weakref
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Self, TypeAlias

from weft._support.callbacks import check_callback, weakly
from weft._support.uncopied import Uncopied
from weft.errors import DocumentClosedError, MirrorError
from weft.mirrors.texts import TextDebts
from weft.mirrors.writes import DocumentWrite, Tables, another_application, is_equal
from weft.store.replica import Paths, Replica
from weft.values import UNDEFINED, Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from weft._support.owner import Hold
    from weft.deltas import Delta
    from weft.documents.owned import Owned
    from weft.store import Store
    from weft.store.replica import RawTables, RawValues, TextKey

__all__ = ["DocumentWrite", "Mirror", "Report", "another_application", "is_equal"]

_log = logging.getLogger("weft.mirrors")

Report: TypeAlias = "Callable[[Exception], None]"
Deltas: TypeAlias = "dict[TextKey, Delta] | None"
Judge: TypeAlias = "Callable[[Mapping[str, Mapping[str, Mapping[str, object]]], Mapping[str, object]], bool]"


class Mirror(Uncopied, ABC):
    """Keeps one Store and one document equal, both ways, synchronously.

    While it runs, the Store and the document belong to the thread that started it: see docs/threads.md.
    """

    instead_of_copy = "make another one, of a Store and a document of its own"
    # Whether never to start it is a mistake. A constructor sets it when it is through: one that raises
    # makes no mirror.
    expects_start = False

    _document: Owned

    def __init__(self, store: Store, *, on_error: Callable[[Exception], None] | None) -> None:
        self._replica = Replica(store)
        if on_error is not None:
            check_callback(on_error, "on_error")
        self._on_error = on_error
        self._token = self._replica.origin  # of the document's transactions too
        self._owed = Paths()
        self._to_reread = Paths()
        self._text_debts = TextDebts(self._replica)
        self._ends: list[Callable[[], object]] = []
        self._hold: Hold | None = None
        self._judge: Judge | None = None

    # -- what users call ---------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The mirrored Store."""
        return self._replica.store

    @property
    def origin(self) -> object:
        """What ``store.transaction_origin`` is while the Store is given what came into the document."""
        return self._token

    @property
    def running(self) -> bool:
        """Whether the two sides follow each other at the moment."""
        return bool(self._ends)

    def start(self) -> Self:
        """Make both sides equal and keep them so.

        Where only one side has a cell, the other gets it; where both have one and they differ, the document
        wins. Nothing is deleted: a mirror that was not running cannot know what was deleted meanwhile.

        Returns:
            The mirror. Starting a running mirror does nothing.

        Raises:
            MirrorError: What stands at the mirror's root in the document is no Store's but another
                application's, or no map. Both sides are as they were.
            WrongThreadError: The Store or the document belongs to another thread. Nothing was started.
            DocumentClosedError: The document was closed. Nothing was started.

        What ``on_error`` raises here ends the start as well: the mirror does not run then, and holds neither
        side; what had been taken over by then stays.
        """
        self.expects_start = False
        self._replica.check_owner()
        self._document.check_owner()
        if self.running:
            return self
        if (refusal := self.refusal()) is not None:
            raise refusal
        try:
            self._hold = self._replica.hold()
            self._ends.append(self._replica.kept_by("mirror"))
            self._begin()
        except BaseException:
            self._end()
            raise
        return self

    def _begin(self) -> None:
        """Follow both sides; where a step raises, :meth:`_end` takes back those before it."""
        # The Store holds its mirror, so a running mirror needs no other reference; the document does not.
        self._ends.append(self._replica.on_finish(self._store_finished))
        self._ends.append(self._replica.on_transaction_end(self._store_ended))
        closed = self._document.on_close(weakly(self._document_closed))
        self._ends.append(self._until_collected(closed))
        self._observe()
        self._reconcile()
        self.flush()

    def _end(self) -> None:
        """Take back the steps of :meth:`start`, as far as it has come."""
        ends, self._ends = self._ends, []
        for end in ends:
            end()
        self._unobserve()
        if self._hold is not None:
            self._hold.drop()
            self._hold = None
        self._owed = Paths()
        self._to_reread = Paths()
        self._text_debts.clear()

    def stop(self) -> None:
        """Write what is still owed, then let the two sides go their own ways. Stopping twice does nothing.

        Raises:
            WrongThreadError: The Store belongs to another thread. The mirror goes on.
        """
        self.expects_start = False  # who ends it knows that it is there
        if self._hold is None:
            return
        with suppress(DocumentClosedError):  # this one's, or another's on the same Store
            self._replica.check_owner()
        self._write_owed()
        self._end()

    def close(self) -> None:
        """Stop, as :meth:`stop` does: the name that everything with a beginning and an end has."""
        self.stop()

    def flush(self) -> None:
        """Write to the document what could not be written inside its observer.

        Called by the mirror itself after each Store transaction, by the document after each
        received update, and by a running event loop at its next turn; needed by hand only where a document
        is changed without any of them. Does nothing while the document cannot be written.

        Raises:
            WrongThreadError: The Store belongs to another thread. Nothing was written.
            DocumentClosedError: The document was closed; what is owed is in the Store alone.
        """
        self._replica.check_owner()
        self._write_owed()

    def _write_owed(self) -> None:
        """:meth:`flush`, in the right thread."""
        if not self._owed or self._replica.is_busy or self._blocked() or self._is_closed:
            return  # what an open transaction has written may yet be rolled back
        owed, self._owed = self._owed, Paths()
        texts = self._text_debts.take_owed()
        changes = self._current(owed, texts)
        if self._judge is not None and not self._judge(changes.tables, changes.values):
            return
        try:
            self._write(changes, compare=True)
        except Exception as error:  # noqa: BLE001 - reported, and the debt is kept
            self._owed.update(owed)
            self._text_debts.owe(texts)
            self._report(error)

    # -- what a bridge of two documents calls ------------------------------------------------------------

    def judged_by(self, judge: Judge) -> None:
        """Ask a function about what the Store has and the document is to be given.

        Args:
            judge: Called with cells and values, ``UNDEFINED`` where they are gone; returns whether to write
                them. What it refuses is not owed: it comes another way, or is given to :meth:`write_again`.
        """
        self._judge = judge

    def read_places(self, paths: Paths) -> tuple[RawTables, RawValues]:
        """What the document holds at these places; ``UNDEFINED`` where it holds nothing."""
        return self._read(paths)

    def take_over(self, paths: Paths) -> None:
        """Have the Store take over what the document holds at these places."""
        self._receive(*self._read(paths))

    def write_again(self, paths: Paths) -> None:
        """Write what the Store holds at these places, where the document holds something else."""
        self._owed.update(paths)
        self._write_owed()

    def __repr__(self) -> str:
        state = "running" if self.running else "never started" if self.expects_start else "stopped"
        return f"<{type(self).__name__} of {self.store!r}, {state}>"

    def __del__(self) -> None:
        if self.expects_start:
            warnings.warn(
                f"a {type(self).__name__} was never started, so nothing was mirrored: use it with `with`, or "
                "call start()",
                RuntimeWarning,
                stacklevel=2,
            )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # -- Store to document -------------------------------------------------------------------------------

    def _store_finished(self) -> None:
        if refused := self._replica.refused():
            self._owed.discard(refused)
            *path, cell = refused[0]
            self._report(
                MirrorError(
                    f"the new schema refuses {len(refused)} cells or values, which have left the Store and "
                    f"stay in the document; the first, at {path!r}: {cell!r:.200}"
                )
            )
        tables, values = self._replica.changes()
        texts = self._text_debts.rebase_own(self._replica.text_edits()) if self._replica.has_texts else {}
        if not tables and not values and not texts:
            return
        if self._judge is not None and not self._judge(tables, values):
            return
        changes = DocumentWrite(tables, values, *self._replica.removed(), texts, self._text_debts.late)
        if not self._blocked():
            try:
                self._write(changes, compare=False)
            except Exception as error:  # noqa: BLE001 - reported, and what was not written is owed
                self._report(error)
            else:
                return
        self._owed.add(changes.tables, changes.values, changes.removed_tables, changes.removed_rows)
        for table_id, row_id, cell_id in texts:
            self._owed.add({table_id: {row_id: [cell_id]}})
        self._text_debts.owe(texts)
        self._schedule_flush()

    def _schedule_flush(self) -> None:
        """Have the running event loop flush, if there is one and something is owed."""
        asyncio = sys.modules.get("asyncio")  # a program that never imported it has no loop
        if asyncio is None or not self._owed:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        loop.call_soon(weakly(self._write_owed))

    def _current(self, owed: Paths, texts: Mapping[TextKey, Delta]) -> DocumentWrite:
        """What the Store holds now at the owed paths."""
        store_tables, store_values = self._replica.tables, self._replica.values
        empty: Mapping[str, Mapping[str, Stored]] = {}
        tables: Tables = {}
        for table_id, rows in owed.tables.items():
            store_rows = store_tables.get(table_id, empty)
            tables[table_id] = {
                row_id: {cell_id: store_rows.get(row_id, {}).get(cell_id, UNDEFINED) for cell_id in cell_ids}
                for row_id, cell_ids in rows.items()
            }
        return DocumentWrite(
            tables,
            {value_id: store_values.get(value_id, UNDEFINED) for value_id in owed.values},
            owed.removed_tables - store_tables.keys(),
            {
                (table_id, row_id)
                for table_id, row_id in owed.removed_rows
                if row_id not in store_tables.get(table_id, empty)
            },
            texts,
        )

    # -- document to Store -------------------------------------------------------------------------------

    def _receive(
        self, tables: RawTables, values: RawValues, deltas: Deltas = None, *, are_written: bool = True
    ) -> None:
        """Apply what the document now holds at these paths; ``UNDEFINED`` where it holds nothing.

        Args:
            tables: Cells.
            values: Values.
            deltas: How texts among the cells changed, where that is known.
            are_written: As in ``Replica.receive``.
        """
        if not tables and not values:
            return
        if self._replica.is_busy:
            self._to_reread.add(tables, values)
            if deltas:
                self._text_debts.wait(deltas)
            return
        if deltas:
            self._text_debts.rebase_received(tables, deltas)
        refused = self._replica.receive(tables, values, self._report, deltas=deltas, are_written=are_written)
        for *path, found in refused:
            self._report(MirrorError(f"the document holds at {path!r} what the Store cannot: {found!r:.200}"))

    def _reconcile(self) -> None:
        """Bring what the document holds into the Store, and owe the document what only the Store holds."""
        tables, values = self._read_all()
        for table_id, rows in self._replica.tables.items():
            for row_id, cells in rows.items():
                lacking = cells.keys() - tables.get(table_id, {}).get(row_id, {}).keys()
                if lacking:
                    self._owed.add({table_id: {row_id: lacking}})
        self._owed.add({}, self._replica.values.keys() - values.keys())
        self._receive(tables, values, are_written=False)

    def _store_ended(self) -> None:
        if self._to_reread:
            paths, self._to_reread = self._to_reread, Paths()
            self._receive(*self._read(paths), self._text_debts.take_waiting())
        self._write_owed()

    def reread(self) -> None:
        """Take over what was written to the document where the mirror could not hear of it.

        Unlike :meth:`start`, it knows that both were equal, but for what is owed: what the document has not
        got was deleted there.
        """
        tables, values = self._read_all()
        owed = self._owed
        for table_id, rows in self._replica.tables.items():
            for row_id, cells in rows.items():
                own = owed.tables.get(table_id, {}).get(row_id, {})
                for cell_id in cells.keys() - tables.get(table_id, {}).get(row_id, {}).keys() - own.keys():
                    if self._keeps((table_id, row_id, cell_id)):
                        tables.setdefault(table_id, {}).setdefault(row_id, {})[cell_id] = UNDEFINED
        lacking = self._replica.values.keys() - values.keys() - owed.values.keys()
        lacking = {value_id for value_id in lacking if self._keeps((value_id,))}
        self._receive(tables, values | dict.fromkeys(lacking, UNDEFINED), are_written=False)

    def _until_collected(self, end: Callable[[], None]) -> Callable[[], object]:
        """Have ``end()`` called at the latest when the mirror, which nobody stopped, is collected."""
        ending = weakref.finalize(self, end)
        ending.atexit = False
        return ending

    @property
    def _is_closed(self) -> bool:
        return self._hold is not None and self._hold.reason is not None

    def _document_closed(self, what: str, reason: str) -> None:
        """Refuse all writes of the Store from now on, as they would stand in a document that nobody reads."""
        if self._hold is not None:
            self._hold.close(what, reason)

    def _report(self, error: Exception) -> None:
        if self._on_error is not None:
            self._on_error(error)
        else:
            _log.warning("%s", error, exc_info=error if not isinstance(error, MirrorError) else None)

    # -- what a kind of document provides ----------------------------------------------------------------

    def _keeps(self, path: tuple[str, ...]) -> bool:
        """Whether a cell or value has a place in the document."""
        return True

    @abstractmethod
    def _observe(self) -> None:
        """Begin to hear the document."""

    @abstractmethod
    def _unobserve(self) -> None:
        """Cease to hear the document."""

    @abstractmethod
    def _read_all(self) -> tuple[RawTables, RawValues]:
        """All that the document holds."""

    @abstractmethod
    def refusal(self) -> MirrorError | None:
        """Why the document cannot hold the Store at all, such as a root of another type."""

    @abstractmethod
    def _blocked(self) -> bool:
        """Whether the document cannot be written at the moment."""

    @abstractmethod
    def _write(self, changes: DocumentWrite, *, compare: bool) -> None:
        """Write changes in one document transaction that carries the token.

        Args:
            changes: The changes.
            compare: Whether the document may hold the same already, so that a look saves an update.
        """

    @abstractmethod
    def _read(self, paths: Paths) -> tuple[RawTables, RawValues]:
        """What the document holds at these paths."""
