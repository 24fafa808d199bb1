"""Rows of one shape share their keys, which takes a third off the memory of a large table.

CPython lets the attribute dictionaries of a class's instances share one table of keys (PEP 412), and a copy
of such a dictionary shares it too. So the rows that a bulk write makes begin as copies of one: they hold
their values only. They are ordinary dictionaries in every respect; a row that comes to differ gets a table
of its own. Where an interpreter does not share keys, or saves nothing by it, plain dictionaries are used.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weft.values import Stored

__all__ = ["SharedKeys"]

_MIN_ROWS: Final = 64  # rows of a shape before its keys are shared: a few rows are not worth a class
_MAX_SHAPES: Final = 1_000  # shapes remembered; a Store with more has no shapes to speak of
_MAX_KEYS: Final = 30  # CPython's bound on shared keys (SHARED_KEYS_MAX_SIZE)
# CPython 3.11 to 3.13 reserve room for 30 attributes, and one less with each instance that was made.
_INSTANCES: Final = _MAX_KEYS + 2


class SharedKeys:
    """The shapes of rows, by their sequence of cell ids: how many there were, or a row to copy."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], int | dict[str, Stored]] = {}

    def row(self, cell_ids: Iterable[str]) -> dict[str, Stored]:
        """Make a row to be filled: empty, or with ``None`` for each of its cells, in their order."""
        shape = tuple(cell_ids)
        known = self._known.get(shape, 0)
        if isinstance(known, dict):
            return known.copy()
        if known >= 0:
            if known + 1 < _MIN_ROWS:
                if not known and len(self._known) >= _MAX_SHAPES:
                    self._known.clear()
                self._known[shape] = known + 1
            else:
                self._known[shape] = _shared(shape)
        return {}


def _shared(shape: tuple[str, ...]) -> dict[str, Stored] | int:
    """Make a row whose copies share its keys; -1 where that would not save anything."""
    kind = type("Row", (), {})
    # Names that every object has, like __class__, cannot be set as plain attributes.
    if not 0 < len(shape) <= _MAX_KEYS or any(type(id_) is not str or hasattr(kind, id_) for id_ in shape):
        return -1
    for _ in range(_INSTANCES):
        instance = kind()
        for cell_id in shape:
            setattr(instance, cell_id, None)
    row: dict[str, Stored] = vars(instance)
    plain = dict.fromkeys(shape)
    if list(row) != list(shape) or sys.getsizeof(row.copy()) >= sys.getsizeof(plain):
        return -1
    return row
