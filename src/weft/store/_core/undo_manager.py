"""One's own undo: steps of what one has edited, taken back without touching what others did.

The names are those of Yjs' ``UndoManager`` and pycrdt's. It works on the Store, and so in the same way
whatever document or place the Store is kept in. A step is a set of places with what stood there before and
after. What others write at a place is theirs from then on: no step takes it back. Of texts a step holds the
inverse delta, which is transformed by what others do to the text, so that it takes back exactly one's own
letters.

Others are all but the transactions that the manager captures: peers and persisters, what listeners write in
answer to these, transactions that ``include`` leaves out, and the undoing and redoing of other managers.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from weft._support.callbacks import check_callback
from weft.deltas import is_styled
from weft.errors import LocalProtocolError, ReadOnlyError
from weft.store._core.text import Text
from weft.store._core.undo_capture import UndoCapture, UndoEvent
from weft.store._parts.stack_item import StackItem
from weft.store._parts.undo_records import UndoRecords
from weft.store._parts.undo_scope import UndoScope
from weft.store._parts.undo_stacks import UndoStacks
from weft.store._parts.undo_writes import undo_writes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from weft.store._core.schemas import Schemas
    from weft.store._core.undo_capture import Stack
    from weft.store._parts.undo_writes import UndoWrites

__all__ = ["StackItem", "UndoEvent", "UndoManager"]

_log = logging.getLogger("weft")

_CAPTURE_S: Final = 0.5
_SIZE: Final = 100
_MAX_BYTES: Final = 64 * 1024 * 1024


class UndoManager(UndoCapture):
    """Undo and redo of one's own edits of a Store. ``store.undo_manager()`` makes it.

    While it undoes or redoes, the Store's ``transaction_origin`` is the manager.

    Attributes:
        capture_timeout: Seconds within which a transaction joins the step before; 0: each is a step.
        is_undoing: Whether it is undoing at the moment: for listeners of the Store.
        is_redoing: Whether it is redoing.
    """

    instead_of_copy = "store.undo_manager() makes another one"

    def __init__(
        self,
        store: Schemas,
        *,
        capture_timeout: float = _CAPTURE_S,
        scope: Iterable[str | tuple[str, ...]] | None = None,
        values: bool | Iterable[str] | None = None,
        include: Callable[[object], bool] | None = None,
        size: int = _SIZE,
        max_bytes: int = _MAX_BYTES,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """See ``Store.undo_manager``."""
        if include is not None:
            check_callback(include, "include")
        for name, number in (("size", size), ("max_bytes", max_bytes)):
            if type(number) is not int or number < 1:
                raise ValueError(f"{name} must be a positive whole number, not {number!r}")
        if not capture_timeout >= 0:
            raise ValueError(f"capture_timeout must be seconds from 0 on, not {capture_timeout!r}")
        self.is_undoing = False
        self.is_redoing = False
        super().__init__(
            store,
            UndoStacks(size, max_bytes),
            UndoScope(scope, values),
            include,
            clock or time.monotonic,
            capture_timeout,
        )

    # -- what users call ---------------------------------------------------------------------------------

    @property
    def undo_stack(self) -> tuple[StackItem, ...]:
        """What can be undone, the next one last."""
        return tuple(self._stacks.undo)

    @property
    def redo_stack(self) -> tuple[StackItem, ...]:
        """What can be redone, the next one last."""
        return tuple(self._stacks.redo)

    def can_undo(self) -> bool:
        """Tell whether there is a step to undo."""
        return bool(self._stacks.undo)

    def can_redo(self) -> bool:
        """Tell whether there is a step to redo."""
        return bool(self._stacks.redo)

    def undo(self) -> bool:
        """Take back the last step that there is something left of, in one transaction.

        Returns:
            Whether something changed.

        Raises:
            LocalProtocolError: A transaction is open. Nothing changed.
            ReadOnlyError: Called by a listener of the Store. Nothing changed.
            WrongThreadError, WrongTaskError: As for any write. Nothing changed.

        An exception of a mutator rolls it back, and the step stays where it was.
        """
        return self._store._run_owned(self._take, "undo")

    def redo(self) -> bool:
        """Do again what was undone last; as :meth:`undo`."""
        return self._store._run_owned(self._take, "redo")

    def stop_capturing(self) -> None:
        """Have the next transaction begin a new step."""
        self._open = None

    @contextmanager
    def step(self, label: str = "", meta: dict[str, Any] | None = None) -> Iterator[None]:
        """Make all transactions of a block one step, however long it takes: ``with manager.step("Paste"):``.

        A block in another one is part of that. Where nothing was changed there is no step.

        Args:
            label: What the step is called.
            meta: What is kept with it.
        """
        if self._by_hand is not None:
            yield
            return
        self._open = None
        self._by_hand = StackItem(label, meta)
        try:
            yield
        finally:
            self._by_hand = self._open = None

    def clear(self, *, undo: bool = True, redo: bool = True) -> None:
        """Forget the steps.

        Args:
            undo: Those to be undone.
            redo: Those to be redone.
        """
        self._store._run_owned(self._clear, undo, redo)

    def close(self) -> None:
        """Let go of the Store, and forget the steps. A second call does nothing."""
        self._store._run_owned(self._close)

    def keep(
        self,
        name: str,
        records: Mapping[str, bytes],
        keep: Callable[[Callable[[], Mapping[str, bytes | None]]], Callable[[], None]],
    ) -> None:
        """Begin with steps that were kept, and keep them: for who opens the Store.

        Args:
            name: Of what is kept.
            records: What was kept.
            keep: Takes a function that gives what has changed since it was called last.
        """
        found = UndoRecords(name, self._stacks, self._store._stored)
        try:
            found.load(records)
        except (KeyError, TypeError, ValueError) as error:
            _log.warning("the undo stack %r is damaged, and is begun anew: %r", name, error)
            self._stacks.undo.clear()
            self._stacks.redo.clear()
        self._ends.append(keep(found.changed))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        stacks = self._stacks
        return f"<UndoManager of {self._store!r}: {len(stacks.undo)} to undo, {len(stacks.redo)} to redo>"

    # -- undoing -----------------------------------------------------------------------------------------

    def _take(self, which: Stack) -> bool:
        store = self._store
        store._check_writer()
        if store._depth < 0:
            raise ReadOnlyError(f"{which}() was called by a listener, which may only look: call it later")
        if store._depth > 0:
            raise LocalProtocolError(f"{which}() was called inside a transaction: finish that first")
        self._open = None
        stacks = self._stacks
        source, other = (stacks.undo, stacks.redo) if which == "undo" else (stacks.redo, stacks.undo)
        while source:
            item = source.pop()
            writes = undo_writes(item, store._tables, store._values)
            for place in writes.passed_over:
                # What a step below does there comes before something that is not one's own.
                stacks.forget_cell(*place)
            if not writes:
                self._note("dropped", item, which)
                continue
            if not self._write(item, which, writes):
                source.append(item)
                return False
            self._note("popped", item, which)
            if self._outcome is not None:
                other.append(self._outcome)
                self._note("added", self._outcome, "redo" if which == "undo" else "undo")
            source[:] = [item for item in source if not item.is_empty]
            self._outcome = None
            self._tell()
            return True
        self._tell()
        return False

    def _write(self, item: StackItem, which: Stack, writes: UndoWrites) -> bool:
        """Write what a step says; whether it stands."""
        store = self._store
        self._begin_taking(item, which)
        try:
            with store.transaction(origin=self):
                self._write_texts_and_cells(writes)
        except BaseException:
            if self._outcome is None:  # otherwise it came from a listener, when all was done
                self._put_back(item, which)
                raise
            self._put_back(self._outcome, "redo" if which == "undo" else "undo")
            self._note("popped", item, which)
            self._tell()
            raise
        finally:
            self.is_undoing = self.is_redoing = False
            self._taken = None
        return not self._rolled_back

    def _begin_taking(self, item: StackItem, which: Stack) -> None:
        self._taken, self._outcome, self._rolled_back = item, None, False
        self.is_undoing, self.is_redoing = which == "undo", which == "redo"

    def _put_back(self, item: StackItem, which: Stack) -> None:
        (self._stacks.undo if which == "undo" else self._stacks.redo).append(item)

    def _write_texts_and_cells(self, writes: UndoWrites) -> None:
        store = self._store
        store._restore(writes.sets, writes.values, 0, {})
        # As checkpoints do it: what stood there has been through the middleware.
        was, store._middleware = store._middleware, None
        try:
            for key, delta in writes.edits.items():
                texts = store._known_texts()
                if is_styled(delta) and not texts.sources:
                    delta = [{k: v for k, v in op.items() if k != "attributes"} for op in delta]  # noqa: PLW2901
                Text(store, texts, *key).apply_delta(delta)
        finally:
            store._middleware = was
        store._restore(writes.deletes, {}, 0, writes.shared)

    # -- the rest ----------------------------------------------------------------------------------------

    def _clear(self, undo: bool, redo: bool) -> None:
        stacks = self._stacks
        self._open = None
        if undo:
            for item in stacks.undo:
                self._note("cleared", item, "undo")
            stacks.undo.clear()
        if redo:
            for item in stacks.redo:
                self._note("cleared", item, "redo")
            stacks.redo.clear()
        self._tell()

    def _close(self) -> None:
        ends, self._ends = self._ends, []
        for end in ends:
            end()
        self._clear(undo=True, redo=True)
