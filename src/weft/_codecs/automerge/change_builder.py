"""Making an Automerge change by hand.

Format: the Automerge binary document format specification, version 1: the same bytes as the binding's. Only
new content can be written: what an operation overwrites would have to be named in it, and the binding tells
the winner alone.
"""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import TYPE_CHECKING

from weft._codecs.automerge.change import MAKE_MAP, MAKE_TEXT, SET
from weft._codecs.automerge.chunks import CHANGE, MAGIC
from weft._codecs.automerge.columns import (
    Spec,
    write_column,
    write_columns,
    write_flags,
    write_string,
)
from weft._codecs.automerge.leb128 import write_bytes, write_int, write_uint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weft._codecs.automerge.change import OpId

__all__ = ["ChangeBuilder"]

_FALSE, _TRUE, _INT, _F64, _STRING = 1, 2, 4, 5, 6  # types of values; 0 is null
_ASCII = 1 << 4 | _STRING  # what is said of a character of one byte


class ChangeBuilder:
    """Collects the operations of one change.

    Args:
        actor: Who makes it.
        seq: The number, from 1, of the change among the actor's.
        start_op: Counter of its first operation: one more than any in the document.
        deps: Heads of the document.
    """

    def __init__(self, *, actor: bytes, seq: int, start_op: int, deps: Iterable[bytes]) -> None:
        self._actor = actor
        self.seq = seq
        self.start_op = start_op
        self._deps = sorted(deps)
        self._actors = {actor: 0}  # each with its number, in the order in which they turned up
        self._objects: list[tuple[int, int] | None] = []
        self._keys: list[str | None] = []
        # Of texts: behind whose operation, and its number as the difference to the last one. They lag behind
        # the other columns.
        self._element_actors: list[int | None] = []
        self._deltas: list[int | None] = []
        self._last_element = 0
        self._actions: list[int] = []
        self._metas: list[int] = []
        self._values: list[bytes] = []

    @property
    def max_op(self) -> int:
        """Counter of its last operation."""
        return self.start_op + len(self) - 1

    def __len__(self) -> int:
        return len(self._actions)

    def put(self, obj: OpId | None, key: str, value: int | float | None) -> None:
        """Set a key of a map, the root if ``None``; ``int`` and ``float`` are different types here."""
        kind, raw = 0, b""
        if isinstance(value, bool):
            kind = _TRUE if value else _FALSE
        elif isinstance(value, int):
            kind, raw = _INT, write_int(value)
        elif value is not None:
            kind, raw = _F64, struct.pack("<d", value)
        self._add(obj, key, SET, len(raw) << 4 | kind)
        if raw:
            self._values.append(raw)

    def make_map(self, obj: OpId | None, key: str) -> OpId:
        """Make a map at a key of a map."""
        self._add(obj, key, MAKE_MAP, 0)
        return self._actor, self.start_op + len(self) - 1

    def make_text(self, obj: OpId | None, key: str, text: str) -> OpId:
        """Make a text at a key of a map."""
        self._add(obj, key, MAKE_TEXT, 0)
        made = self.start_op + len(self) - 1
        count = len(text)
        if count:
            others = [None] * (len(self) - len(self._deltas))
            self._element_actors += [*others, None, *[0] * (count - 1)]  # nobody's in front of the first
            self._deltas += [*others, -self._last_element]
            if count > 1:
                self._deltas += [made + 1, *[1] * (count - 2)]
            self._last_element = made + count - 1 if count > 1 else 0
            self._objects += [(0, made)] * count
            self._keys += [None] * count
            self._actions += [SET] * count
            raw = text.encode()
            self._values.append(raw)
            if len(raw) == count:
                self._metas += [_ASCII] * count
            else:
                self._metas += [len(char.encode()) << 4 | _STRING for char in text]
        return self._actor, made

    def _add(self, obj: OpId | None, key: str, action: int, meta: int) -> None:
        if obj is None:
            self._objects.append(None)
        else:
            actor, counter = obj
            self._objects.append((self._actors.setdefault(actor, len(self._actors)), counter))
        self._keys.append(key)
        self._actions.append(action)
        self._metas.append(meta)

    def chunk(self) -> bytes:
        """The change as a chunk."""
        others = sorted(self._actors.keys() - {self._actor})
        place = {
            number: 0 if actor == self._actor else others.index(actor) + 1
            for actor, number in self._actors.items()
        }
        behind = [None] * (len(self) - len(self._deltas))
        deltas = [*self._deltas, *behind]
        element_actors = [*self._element_actors, *behind]
        actors = [None if obj is None else place[obj[0]] for obj in self._objects]
        counters = [None if obj is None else obj[1] for obj in self._objects]
        columns = write_columns(
            (
                (Spec.OBJECT_ACTOR, write_column(actors, write_uint)),
                (Spec.OBJECT_COUNTER, write_column(counters, write_uint)),
                (Spec.ELEMENT_ACTOR, write_column(element_actors, write_uint)),
                (Spec.ELEMENT_COUNTER, write_column(deltas, write_int)),
                (Spec.KEY, write_column(self._keys, write_string)),
                (Spec.INSERT, write_flags([delta is not None for delta in deltas])),
                (Spec.ACTION, write_column(self._actions, write_uint)),
                (Spec.VALUE_META, write_column(self._metas, write_uint)),
                (Spec.VALUE, b"".join(self._values)),
                (Spec.PREDECESSOR_COUNT, write_column([0] * len(self), write_uint)),
            )
        )
        body = b"".join(
            (
                write_uint(len(self._deps)), *self._deps, write_bytes(self._actor), write_uint(self.seq),
                write_uint(self.start_op), b"\0\0",  # no time, no message
                write_uint(len(others)), *map(write_bytes, others), columns,
            )
        )  # fmt: skip
        named = bytes([CHANGE]) + write_uint(len(body)) + body
        return MAGIC + sha256(named).digest()[:4] + named
