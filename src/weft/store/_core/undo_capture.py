"""Capturing of undo: which transactions become steps, and what others take out of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from weft._support.callbacks import check_callback
from weft._support.uncopied import Uncopied
from weft.store._parts.own_changes import own_changes
from weft.store._parts.row_ids import RowIdPool
from weft.store._parts.stack_item import Edit, StackItem
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.store._core.schemas import Schemas
    from weft.store._parts.own_changes import OwnChanges
    from weft.store._parts.undo_scope import UndoScope
    from weft.store._parts.undo_stacks import UndoStacks

__all__ = ["Stack", "UndoCapture", "UndoEvent"]

Stack: TypeAlias = Literal["undo", "redo"]


@dataclass(frozen=True, slots=True)
class UndoEvent:
    """What happened to a step of an undo manager.

    Attributes:
        kind: ``"added"``, on top of a stack; ``"updated"``, by a transaction that joined it; ``"popped"``, as
            it was undone or redone; ``"dropped"``, as it was the oldest of too many, or others have
            overwritten all of it; ``"cleared"``.
        item: The step.
        stack: Which stack it was on, or is.
    """

    kind: Literal["added", "updated", "popped", "dropped", "cleared"]
    item: StackItem
    stack: Stack


_Received: TypeAlias = "tuple[dict[str, dict[str, dict[str, object]]], dict[str, object]]"


class UndoCapture(Uncopied):
    """The part of an undo manager that hears the Store.

    Args:
        store: The Store.
        stacks: The steps.
        scope: What is captured.
        include: Whether the transactions of an origin are captured.
        clock: Gives seconds.
        capture_timeout: As of the manager.
    """

    def __init__(
        self,
        store: Schemas,
        stacks: UndoStacks,
        scope: UndoScope,
        include: Callable[[object], bool] | None,
        clock: Callable[[], float],
        capture_timeout: float,
    ) -> None:
        self.capture_timeout = capture_timeout
        self._store = store
        self._stacks = stacks
        self._scope = scope
        self._include = include
        self._clock = clock
        self._open: StackItem | None = None  # the step that the next transaction may join
        self._captured_at = 0.0
        self._by_hand: StackItem | None = None  # of the block of step(), before anything is in it
        self._taken: StackItem | None = None  # what is being undone or redone
        self._outcome: StackItem | None = None  # what takes that back
        self._rolled_back = False
        self._log: object = None  # of the transaction in which something was received
        self._received = (0, 0)
        self._rewritten: list[_Received] = []
        self._ids = RowIdPool()
        self._listeners: dict[str, Callable[..., object]] = {}
        self._events: list[UndoEvent] = []
        self._ends: list[Callable[[], object]] = []
        store._run_owned(self._begin)

    def _begin(self) -> None:
        store = self._store
        store._receive_hooks.append(self._note_received)
        store._rollback_hooks.append(self._roll_back)
        self._ends.append(lambda: store._receive_hooks.remove(self._note_received))
        self._ends.append(lambda: store._rollback_hooks.remove(self._roll_back))
        listener_id = store._hear_first(self._finished)
        self._ends.append(lambda: store.del_listener(listener_id))

    # -- who listens -------------------------------------------------------------------------------------

    def add_listener(self, listener: Callable[[Self, UndoEvent], object]) -> str:
        """Be called ``(manager, event)`` for each step that comes, changes or goes. It cannot write.

        Returns:
            The listener's id.
        """
        check_callback(listener)
        listener_id = self._ids.take(reuse=True)
        self._listeners[listener_id] = self._store._called_as_asked(listener)
        return listener_id

    def del_listener(self, listener_id: str) -> Self:
        """Remove a listener; nothing happens where there is none."""
        if self._listeners.pop(listener_id, None) is not None:
            self._ids.give_back(listener_id)
        return self

    def _note(self, kind: Any, item: StackItem, stack: Stack) -> None:
        if self._listeners:
            self._events.append(UndoEvent(kind, item, stack))

    def _tell(self) -> None:
        events, self._events = self._events, []
        failed: BaseException | None = None
        for event in events:
            for listener in list(self._listeners.values()):
                try:
                    listener(self, event)
                except BaseException as error:  # noqa: BLE001 - raised when the others have been called
                    failed = failed or error
        if failed is not None:
            raise failed

    # -- capturing ---------------------------------------------------------------------------------------

    def _note_received(
        self,
        tables: dict[str, dict[str, dict[str, object]]],
        values: dict[str, object],
        entries: tuple[int, int],
        is_written: bool,
    ) -> None:
        """Take what was received in the running transaction."""
        log = self._store._log
        if self._log is not log:
            self._log, self._received, self._rewritten = log, entries, []
        elif entries[1] > entries[0]:
            start, end = self._received
            self._received = (min(start, entries[0]), entries[1]) if end > start else entries
        if is_written:
            self._rewritten.append((tables, values))

    def _roll_back(self, start: int) -> None:
        if start == 0:
            self._rolled_back = True
            self._rewritten = []
        if self._log is self._store._log:
            self._received = (min(self._received[0], start), min(self._received[1], start))

    def _finished(self, store: Schemas) -> None:
        log = store._log
        assert log is not None  # noqa: S101 - a transaction is finishing
        is_mine = self._log is log
        received, rewritten = (self._received, self._rewritten) if is_mine else ((0, 0), [])
        self._log, self._received, self._rewritten = None, (0, 0), []
        if not log and not rewritten:
            return
        origin = store._origin
        if origin is not self and (store._is_received or not self._is_included(origin)):
            received = (0, len(log))
        for effect in store._schema_effects:  # what a schema puts out has been deleted by nobody
            start, end = effect.entries
            received = (min(received[0], start), max(received[1], end)) if received[1] else (start, end)
        texts = store._texts
        if texts is None and store._schema is not None:
            texts = store._known_texts()
        if texts is not None and not texts.has_any(store._schema):
            texts = None
        found = own_changes(log, received, store._tables, store._values, texts, store._schema, store._stored)
        if self._stacks.undo or self._stacks.redo:
            self._take_others(found, rewritten)
        self._capture(found, origin)
        self._tell()

    def _is_included(self, origin: object) -> bool:
        if isinstance(origin, UndoCapture):
            return origin is self
        return self._include is None or bool(self._include(origin))

    def _take_others(
        self,
        found: OwnChanges,
        rewritten: list[_Received],
    ) -> None:
        """Let go of what others have written."""
        store, stacks = self._store, self._stacks
        covered = stacks.edited_rows(found.others)
        for table_id, row_id in covered:
            if row_id not in store._tables.get(table_id, ()):
                stacks.forget_row(table_id, row_id)
                continue
            for cell_id in found.others[table_id][row_id]:
                key = table_id, row_id, cell_id
                edits = found.others_edits.get(key)
                if edits is None:
                    stacks.forget_cell(*key)
                for delta in edits or ():
                    stacks.follow(*key, delta)
        if found.others_values:
            stacks.forget_values(found.others_values)
        has_values = bool(found.others_values)
        for tables, values in rewritten:
            rows = stacks.edited_rows(tables)
            covered += rows
            for table_id, row_id in rows:
                for cell_id in tables[table_id][row_id]:
                    key = table_id, row_id, cell_id
                    if key not in found.others_edits and not self._is_text(*key):
                        stacks.forget_cell(*key)
            if values:
                has_values = True
                stacks.forget_values(values)
        if covered or has_values:
            for item in stacks.drop_empty():
                self._note("dropped", item, "undo")

    def _is_text(self, table_id: str, row_id: str, cell_id: str) -> bool:
        store, key = self._store, (table_id, row_id, cell_id)
        return (
            store._texts is not None
            and store._texts.is_text(store._schema, key)
            and isinstance(store._stored(key), str)
        )

    def _capture(self, found: OwnChanges, origin: object) -> None:
        """Take one's own changes into a step."""
        item = self._target(origin)
        is_new = item.is_empty
        if not (found.cells or found.values or found.inverses) or not self._fill(item, found):
            return
        stacks = self._stacks
        if origin is self:
            self._outcome = item
            return
        self._captured_at = self._clock()
        for undone in stacks.redo:
            self._note("cleared", undone, "redo")
        stacks.redo.clear()
        if item.is_empty and is_new:
            return
        if item.is_empty:
            stacks.undo.remove(item)
            self._open = None
            self._note("dropped", item, "undo")
            return
        if is_new:
            stacks.undo.append(item)
        self._open = item
        self._note("added" if is_new else "updated", item, "undo")
        for oldest in stacks.trim():
            self._note("dropped", oldest, "undo")

    def _target(self, origin: object) -> StackItem:
        """The step that a transaction belongs to."""
        if origin is self:
            assert self._taken is not None  # noqa: S101 - nobody else has this origin
            return StackItem(self._taken.label, self._taken.meta)
        top = self._stacks.undo[-1] if self._stacks.undo else None
        if self._by_hand is not None:
            return top if top is not None and top is self._open else self._renewed(self._by_hand)
        if top is not None and top is self._open and self._clock() - self._captured_at < self.capture_timeout:
            return top
        return StackItem()

    def _renewed(self, item: StackItem) -> StackItem:
        """The step of a block; another one where others have overwritten all that was in it."""
        return item if item.is_empty else StackItem(item.label, item.meta)

    def _fill(self, item: StackItem, found: OwnChanges) -> bool:
        """Note the changes that are in the scope; whether there are any."""
        scope, tables = self._scope, self._store._tables
        has_any = False
        for table_id, rows in found.cells.items():
            if not scope.has_table(table_id):
                continue
            for row_id, cells in rows.items():
                if not scope.has_row(table_id, row_id):
                    continue
                has_old = False
                for cell_id, (old, new) in cells.items():
                    if scope.has_cell(table_id, row_id, cell_id):
                        inverse = found.inverses.get((table_id, row_id, cell_id))
                        item.note_cell(table_id, row_id, cell_id, Edit(old, new, inverse))
                        has_old |= old is not UNDEFINED
                        has_any = True
                if not has_any:
                    continue
                self._stacks.cover_row(table_id, row_id)
                if row_id in tables.get(table_id, ()):
                    item.gone.discard((table_id, row_id))
                elif has_old:
                    item.gone.add((table_id, row_id))
        for key, inverse in found.inverses.items():
            # Of a text of which only formats changed there is no other string.
            if key[2] not in found.cells.get(key[0], {}).get(key[1], {}) and scope.has_cell(*key):
                item.note_cell(*key, Edit("", "", inverse))
                self._stacks.cover_row(*key[:2])
                has_any = True
        for value_id, (old, new) in found.values.items():
            if scope.has_value(value_id):
                item.note_value(value_id, Edit(old, new))
                has_any = True
        return has_any
