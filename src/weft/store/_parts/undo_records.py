"""The steps of an undo manager as bytes, for a stack that is kept.

Format: JSON. A record of each step, ``{"label", "meta", "cells", "values", "gone"}``, in which a cell is
``[table, row, cell, before, after, inverse, is_shared]``, a value ``[value, before, after]``, and what stood
there ``[]`` for nothing, ``[cell]``, or ``[text, 1]`` for a list or dictionary; and one record of all of
them, ``{"undo", "redo", "texts"}``: the numbers of the steps, and a checksum of each text that they edit.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any, Final

from weft.store._parts.stack_item import Edit, StackItem
from weft.values import UNDEFINED, EncodedCell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from weft.store._parts.undo_stacks import UndoStacks
    from weft.values import Stored, Undefined

__all__ = ["UndoRecords"]

_MOST_BYTES: Final = 1 << 20  # of all steps that are kept: they are written in the event loop's turn


class UndoRecords:
    """What of the steps is kept already.

    Args:
        name: What the names of the records begin with.
        stacks: The steps.
        current: Gives the stored form of a cell.
    """

    def __init__(
        self, name: str, stacks: UndoStacks, current: Callable[[tuple[str, str, str]], Stored | Undefined]
    ) -> None:
        self._name = name
        self._stacks = stacks
        self._current = current
        self._numbers: dict[int, tuple[StackItem, int, int]] = {}  # by id: the step, its number and version
        self._following = 0
        self._index = b""

    def load(self, records: Mapping[str, bytes]) -> None:
        """Take the steps that were kept, as far as their texts are still what they were."""
        index = json.loads(records.get(self._name, b"{}"))
        for stack, numbers in (
            (self._stacks.undo, index.get("undo", ())),
            (self._stacks.redo, index.get("redo", ())),
        ):
            for number in numbers:
                item = _read(json.loads(records[f"{self._name}/{number}"]))
                stack.append(item)
                self._numbers[id(item)] = item, number, item.version
                self._following = max(self._following, number + 1)
        for table_id, row_id, cell_id, checksum in index.get("texts", ()):
            if self._checksum((table_id, row_id, cell_id)) != checksum:
                self._stacks.forget_cell(table_id, row_id, cell_id)
        self._stacks.drop_empty()
        for item in (*self._stacks.undo, *self._stacks.redo):
            self._stacks.cover(item)

    def changed(self) -> dict[str, bytes | None]:
        """The records that have changed since this was last called; ``None`` for those that are to go."""
        found: dict[str, bytes | None] = {}
        kept: dict[int, tuple[StackItem, int, int]] = {}
        left = _MOST_BYTES
        index: dict[str, Any] = {"undo": [], "redo": [], "texts": []}
        texts: dict[tuple[str, str, str], None] = {}
        for which, stack in (("undo", self._stacks.undo), ("redo", self._stacks.redo)):
            for item in reversed(stack):
                left -= item.size
                if left < 0:
                    break
                _, number, version = self._numbers.get(id(item), (item, self._following, -1))
                if number == self._following:
                    self._following += 1
                if version != item.version:
                    found[f"{self._name}/{number}"] = _written(item)
                kept[id(item)] = item, number, item.version
                index[which].append(number)
                texts.update(dict.fromkeys(item.texts))
            index[which].reverse()
        for key, (_, number, _) in self._numbers.items():
            if key not in kept:
                found[f"{self._name}/{number}"] = None
        self._numbers = kept
        index["texts"] = [[*key, self._checksum(key)] for key in texts]
        data = json.dumps(index).encode()
        if data != self._index:
            self._index = found[self._name] = data
        return found

    def _checksum(self, key: tuple[str, str, str]) -> int:
        cell = self._current(key)
        return zlib.crc32(cell.encode("utf-8", "surrogatepass")) if isinstance(cell, str) else -1


def _written(item: StackItem) -> bytes:
    try:
        meta = json.loads(json.dumps(item.meta))
    except (TypeError, ValueError):
        meta = {}  # it holds what is no JSON
    return json.dumps(
        {
            "label": item.label,
            "meta": meta,
            "cells": [
                [*key, _cell(edit.before), _cell(edit.after), edit.inverse, edit.is_shared]
                for table_id, rows in item.cells.items()
                for row_id, edits in rows.items()
                for cell_id, edit in edits.items()
                for key in [(table_id, row_id, cell_id)]
            ],
            "values": [[id_, _cell(edit.before), _cell(edit.after)] for id_, edit in item.values.items()],
            "gone": [list(place) for place in item.gone],
        }
    ).encode()


def _read(record: dict[str, Any]) -> StackItem:
    item = StackItem(record["label"], record["meta"])
    for table_id, row_id, cell_id, before, after, inverse, is_shared in record["cells"]:
        edit = Edit(_stored(before), _stored(after), inverse)
        edit.is_shared = is_shared
        item.note_cell(table_id, row_id, cell_id, edit)
    for value_id, before, after in record["values"]:
        item.note_value(value_id, Edit(_stored(before), _stored(after)))
    item.gone.update((table_id, row_id) for table_id, row_id in record["gone"])
    return item


def _cell(cell: Stored | Undefined) -> list[Any]:
    if cell is UNDEFINED:
        return []
    return [str(cell), 1] if isinstance(cell, EncodedCell) else [cell]


def _stored(written: list[Any]) -> Stored | Undefined:
    if not written:
        return UNDEFINED
    cell: Stored = EncodedCell(written[0]) if len(written) == 2 else written[0]
    return cell
