"""Undo and redo: checkpoints over what a Store's transactions changed.

TinyBase's model. The checkpoints form a line: those backward, the current one, those forward. The current
one is ``None`` as soon as the Store has changed since; ``go_backward`` then makes a checkpoint of those
changes first, so that ``go_forward`` can bring them back. A change forgets the checkpoints forward.

Undo is one's own: what mirrors and persisters bring is no change here, and where others have written
since, going back or forward sets a cell only if it still holds what is undone.
``include_remote=True`` is TinyBase's behaviour, which takes everybody's changes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self, TypeAlias, TypedDict

from weft._support.callbacks import check_callback
from weft._support.uncopied import Uncopied
from weft.store._parts.listener_tree import Leaf, call, matching
from weft.store._parts.row_ids import RowIdPool
from weft.store._parts.undo_step import Overwritten, UndoStep
from weft.values import UNDEFINED, encode_cell

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.store._core.store import Store
    from weft.values import Cell, Stored, Undefined, Value

__all__ = ["CheckpointIds", "CheckpointListenerStats", "Checkpoints", "create_checkpoints"]

CheckpointIds: TypeAlias = tuple[list[str], str | None, list[str]]
"""Ids backward (the nearest last), the current one or ``None``, ids forward (the nearest first)."""

_BEFORE: Final = 0
_AFTER: Final = 1


class CheckpointListenerStats(TypedDict):
    """How many listeners of each kind checkpoints have."""

    checkpoint_ids: int
    checkpoint: int


def create_checkpoints(store: Store, *, include_remote: bool | None = None) -> Checkpoints:
    """Get the checkpoints of a Store; it has one set of them, made at the first call.

    Args:
        store: The Store.
        include_remote: As for :class:`Checkpoints`; without it as the Store's are, and false for new ones.

    Raises:
        ValueError: It has checkpoints that were made the other way. ``destroy()`` them first.
    """
    checkpoints = store._checkpoints
    if not isinstance(checkpoints, Checkpoints):
        checkpoints = store._checkpoints = Checkpoints(store, include_remote=bool(include_remote))
    elif include_remote is not None and include_remote != checkpoints.include_remote:
        raise ValueError(
            f"this Store's checkpoints were made with include_remote={checkpoints.include_remote}; "
            "destroy() them before others are made"
        )
    return checkpoints


class Checkpoints(Uncopied):
    """The checkpoints of a Store. Made by :func:`create_checkpoints`.

    Args:
        store: The Store.
        include_remote: Whether what mirrors and persisters bring is a change that is undone like one's own,
            and going back sets each cell whatever it holds, as in TinyBase.

    Attributes:
        include_remote: As given.
    """

    def __init__(self, store: Store, *, include_remote: bool = False) -> None:
        self.include_remote = include_remote
        self._store = store
        self._overwritten = Overwritten()
        self._size = 100
        self._following = 0
        self._current: str | None = None
        self._backward: list[str] = []
        self._forward: list[str] = []
        self._deltas: dict[str, UndoStep] = {}
        self._labels: dict[str, str] = {}
        self._open = UndoStep()
        self._listening = True
        self._changed = False
        self._ids = RowIdPool()
        self._ids_listeners = Leaf()
        self._listeners: dict[str | None, Leaf] = {}
        self._paths: dict[str, str | None] = {}
        self._store_listeners = [
            store.add_cell_listener(None, None, None, self._cell_changed),
            store.add_value_listener(None, self._value_changed),
        ]
        self.clear()

    # The line of checkpoints.

    def set_size(self, size: int) -> Self:
        """Set how many checkpoints backward are kept; 100 unless set. Older ones are forgotten."""
        self._size = size
        self._trim()
        return self

    def add_checkpoint(self, label: str = "") -> str:
        """Make a checkpoint of the Store as it is, unless it stands at one; give the current id."""
        id_ = self._add(label)
        self._tell()
        return id_

    def set_checkpoint(self, checkpoint_id: str, label: str) -> Self:
        """Label a checkpoint."""
        if checkpoint_id in self._deltas and self._labels.get(checkpoint_id) != label:
            self._labels[checkpoint_id] = label
            self._call_listeners(checkpoint_id)
        return self

    def get_store(self) -> Store:
        """Get the Store."""
        return self._store

    def get_checkpoint_ids(self) -> CheckpointIds:
        """Get all ids: backward, current, forward."""
        return list(self._backward), self._current, list(self._forward)

    def for_each_checkpoint(self, callback: Callable[[str, str], object]) -> None:
        """Call ``callback(checkpoint_id, label)`` for each checkpoint."""
        for id_, label in list(self._labels.items()):
            callback(id_, label)

    def has_checkpoint(self, checkpoint_id: str) -> bool:
        """Tell whether a checkpoint is there."""
        return checkpoint_id in self._deltas

    def get_checkpoint(self, checkpoint_id: str) -> str | None:
        """Get the label of a checkpoint; ``None`` where there is no such checkpoint."""
        return self._labels.get(checkpoint_id)

    def go_backward(self) -> Self:
        """Undo: bring the Store to the checkpoint before. Nothing happens where there is none."""
        self._back()
        self._tell()
        return self

    def go_forward(self) -> Self:
        """Redo: bring the Store to the checkpoint after. Nothing happens where there is none."""
        self._forth()
        self._tell()
        return self

    def go_to(self, checkpoint_id: str) -> Self:
        """Bring the Store to a checkpoint. Nothing happens where there is none of this id."""
        # Listeners may move or forget checkpoints meanwhile: each step looks again.
        if checkpoint_id in self._backward:
            while self._current != checkpoint_id and checkpoint_id in self._backward:
                self._back()
        elif checkpoint_id in self._forward:
            while self._current != checkpoint_id and checkpoint_id in self._forward:
                self._forth()
        self._tell()
        return self

    def clear(self) -> Self:
        """Forget all checkpoints, and begin again with one of the Store as it is."""
        self._forget(self._backward, len(self._backward))
        self._forget(self._forward, len(self._forward))
        if self._current is not None:
            self._forget_one(self._current)
        self._current = None
        self._following = 0
        self._open = UndoStep()
        self._overwritten = Overwritten()
        self.add_checkpoint()
        return self

    def clear_forward(self) -> Self:
        """Forget the checkpoints forward."""
        if self._forward:
            self._forget(self._forward, len(self._forward))
            call([self._ids_listeners], self)
        return self

    def destroy(self) -> None:
        """Stop listening to the Store. Its next ``create_checkpoints`` makes new ones."""
        for listener_id in self._store_listeners:
            self._store.del_listener(listener_id)
        self._store_listeners = []
        if self._store._checkpoints is self:
            self._store._checkpoints = None

    # Listeners.

    def add_checkpoint_ids_listener(self, listener: Callable[[Checkpoints], object]) -> str:
        """Listen to the line of checkpoints: ``(checkpoints)``."""
        check_callback(listener)
        listener_id = self._ids.take(reuse=True)
        self._ids_listeners.add(listener_id, listener)
        self._paths[listener_id] = ""
        return listener_id

    def add_checkpoint_listener(
        self, checkpoint_id: str | None, listener: Callable[[Checkpoints, str], object]
    ) -> str:
        """Listen to a checkpoint's label, ``None`` for any: ``(checkpoints, checkpoint_id)``."""
        check_callback(listener)
        listener_id = self._ids.take(reuse=True)
        self._listeners.setdefault(checkpoint_id, Leaf()).add(listener_id, listener)
        self._paths[listener_id] = checkpoint_id
        return listener_id

    def del_listener(self, listener_id: str) -> Self:
        """Remove a listener; nothing happens where there is none."""
        if listener_id in self._paths:
            path = self._paths.pop(listener_id)
            if listener_id in self._ids_listeners.by_id:
                self._ids_listeners.remove(listener_id)
            else:
                self._listeners[path].remove(listener_id)
                if not self._listeners[path].by_id:
                    del self._listeners[path]
            self._ids.give_back(listener_id)
        return self

    def get_listener_stats(self) -> CheckpointListenerStats:
        """Count the listeners by kind."""
        return {
            "checkpoint_ids": len(self._ids_listeners.by_id),
            "checkpoint": sum(len(leaf.by_id) for leaf in self._listeners.values()),
        }

    def _call_listeners(self, checkpoint_id: str) -> None:
        call(matching(self._listeners, checkpoint_id), self, checkpoint_id)

    def _tell(self) -> None:
        if self._changed:
            call([self._ids_listeners], self)
            self._changed = False

    # The steps.

    def _add(self, label: str) -> str:
        if self._current is None:
            self._current = str(self._following)
            self._following += 1
            self._deltas[self._current] = self._open
            self._open = UndoStep()
            self.set_checkpoint(self._current, label)
            self._changed = True
        return self._current

    def _back(self) -> None:
        if self._backward:
            current = self._add("")
            self._forward.insert(0, current)
            self._restore(current, _BEFORE)
            # A listener of that may have forgotten the checkpoints.
            self._current = self._backward.pop() if self._backward else None
            self._changed = True

    def _forth(self) -> None:
        if self._forward and self._current is not None:
            self._backward.append(self._current)
            current = self._current = self._forward.pop(0)
            self._restore(current, _AFTER)
            self._changed = True

    def _restore(self, checkpoint_id: str, which: int) -> None:
        """Write the old (0) or new (1) form of all that a checkpoint covers, past the middleware."""
        deltas = self._deltas[checkpoint_id]
        store, others = self._store, self._overwritten
        if others:
            there = _AFTER if which == _BEFORE else _BEFORE
            deltas.forget_overwritten(others, store._tables, store._values, there)
        self._listening = False
        try:
            store.transaction(lambda: store._restore(deltas.cells, deltas.values, which, others.cells))
        finally:
            self._listening = True

    def _forget(self, ids: list[str], number: int) -> None:
        forgotten = ids[:number]
        del ids[:number]
        for id_ in forgotten:
            self._forget_one(id_)

    def _forget_one(self, checkpoint_id: str) -> None:
        self._deltas.pop(checkpoint_id, None)
        self._labels.pop(checkpoint_id, None)
        self._call_listeners(checkpoint_id)

    def _trim(self) -> None:
        if len(self._backward) > self._size:
            self._forget(self._backward, len(self._backward) - self._size)

    def _store_changed(self) -> None:
        if self._current is not None:
            self._backward.append(self._current)
            self._trim()
            self._forget(self._forward, len(self._forward))
            self._current = None
            self._changed = True

    def _cell_changed(
        self,
        _store: Store,
        table_id: str,
        row_id: str,
        cell_id: str,
        new: Cell | Undefined,
        old: Cell | Undefined,
        _get_cell_change: object,
    ) -> None:
        if self._store._is_received and not self.include_remote:
            self._overwritten.note_cell(table_id, row_id, cell_id)
            # What was changed since the last checkpoint does not stand there any more.
            if not self._open.forget_cell(table_id, row_id, cell_id):
                return
        elif not self._listening:
            return
        else:
            self._store_changed()
            self._overwritten.cover_row(table_id, row_id)
            self._open.note_cell(table_id, row_id, cell_id, _stored(old), _stored(new))
        self._maybe_unchanged()
        self._tell()

    def _value_changed(
        self,
        _store: Store,
        value_id: str,
        new: Value | Undefined,
        old: Value | Undefined,
        _get_value_change: object,
    ) -> None:
        if self._store._is_received and not self.include_remote:
            self._overwritten.note_value(value_id)
            if self._open.values.pop(value_id, None) is None:
                return
        elif not self._listening:
            return
        else:
            self._store_changed()
            self._overwritten.cover_value(value_id)
            self._open.note_value(value_id, _stored(old), _stored(new))
        self._maybe_unchanged()
        self._tell()

    def _maybe_unchanged(self) -> None:
        """Stand at the checkpoint before again where everything is as it was there."""
        if self._overwritten.is_due:
            self._overwritten.keep([*self._deltas.values(), self._open])
        if not self._open:
            self._current = self._backward.pop() if self._backward else None
            self._changed = True


def _stored(cell: Cell | Undefined) -> Stored | Undefined:
    return UNDEFINED if cell is UNDEFINED else encode_cell(cell)
