"""What the operations of an Automerge change did in texts, and the elements of a text in a saved document.

Format: the Automerge binary document format specification, version 1. A text is a list of elements, each one
code point (or a block, a map), named by the operation that inserted it; one that was deleted stays in
the list. The two ends of a mark are elements too, which no reader sees.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weft._codecs.automerge.change import DEL, MARK, read_columns, readable
from weft._codecs.automerge.columns import Spec, read_column, read_deltas, read_flags
from weft._codecs.automerge.leb128 import read_uint
from weft._codecs.automerge.saved_document import read_operations

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from weft._codecs.automerge.change import OpId

__all__ = ["TextOps", "read_elements", "read_text_ops"]


@dataclass(slots=True)
class TextOps:
    """What changes did in one text.

    Attributes:
        inserted: Elements, but the ends of marks, in the order of their operations.
        is_run: Whether each of them was inserted right behind the one before it, so that they are one piece.
        deleted: Elements that were deleted; some may be among the inserted, or have been deleted before.
        has_marks: Whether a mark was set or taken away.
        is_plain: Whether nothing else was done, such as putting another value in the place of an element.
    """

    inserted: list[OpId] = field(default_factory=list)
    is_run: bool = True
    deleted: set[OpId] = field(default_factory=set)
    has_marks: bool = False
    is_plain: bool = True


def read_text_ops(change: bytes, texts: Container[OpId | None], found: dict[OpId, TextOps]) -> None:
    """Add what a change did in texts to what others did before it.

    Args:
        change: One chunk, whose operations on these texts are such as texts can have.
        texts: Of which texts to tell.
        found: What was done, by text; added to.

    Raises:
        RemoteProtocolError: It is no change.
    """
    with readable():
        _, actors, _, start_op, columns = read_columns(change)
        column = columns.get
        actions = read_column(column(Spec.ACTION, b""), read_uint)
        total = len(actions)
        inserts = read_flags(column(Spec.INSERT, b""), total)
        obj_actors = read_column(column(Spec.OBJECT_ACTOR, b""), read_uint, total)
        obj_counters = read_column(column(Spec.OBJECT_COUNTER, b""), read_uint, total)
        element_actors = read_column(column(Spec.ELEMENT_ACTOR, b""), read_uint, total)
        element_counters = read_deltas(column(Spec.ELEMENT_COUNTER, b""), total)
        author = actors[0]
        at: tuple[int | None, int | None] | None = None
        ops: TextOps | None = None
        for number, action in enumerate(actions):
            obj = obj_actors[number], obj_counters[number]
            if obj != at:
                at, ops = obj, None
                if obj[0] is not None and obj[1] is not None:
                    text = actors[obj[0]], obj[1]
                    if text in texts:
                        ops = found.setdefault(text, TextOps())
            if ops is None:
                continue
            actor, counter = element_actors[number], element_counters[number]
            element = None if actor is None or not counter else (actors[actor], counter)
            if action == MARK:
                ops.has_marks = True
            elif inserts[number]:
                if ops.inserted and ops.inserted[-1] != element:
                    ops.is_run = False
                ops.inserted.append((author, start_op + number))
            elif action == DEL and element is not None:
                ops.deleted.add(element)
            else:
                ops.is_plain = False


def read_elements(saved: bytes, text: OpId) -> dict[OpId, OpId | None]:
    """Give all elements of a text in a saved document in their order, deleted ones and ends of marks too.

    Takes time linear in the document.

    Returns:
        The elements, each with the one that it was inserted behind, which may stand further before it by now;
        ``None`` for the text's start.

    Raises:
        RemoteProtocolError: It is no saved document.
    """
    actors, total, columns = read_operations(saved)

    def ids(actor_spec: int, counter_spec: int) -> Iterator[OpId | None]:
        numbers = read_column(columns.get(actor_spec, b""), read_uint, total)
        counters = read_deltas(columns.get(counter_spec, b""), total)
        for actor, counter in zip(numbers, counters, strict=True):
            yield (actors[actor], counter) if actor is not None and counter else None

    with readable():
        obj_actors = read_column(columns.get(Spec.OBJECT_ACTOR, b""), read_uint, total)
        obj_counters = read_column(columns.get(Spec.OBJECT_COUNTER, b""), read_uint, total)
        place = actors.index(text[0]) if text[0] in actors else None, text[1]
        rows = zip(
            zip(obj_actors, obj_counters, strict=True),
            read_flags(columns.get(Spec.INSERT, b""), total),
            ids(Spec.ID_ACTOR, Spec.ID_COUNTER),
            ids(Spec.ELEMENT_ACTOR, Spec.ELEMENT_COUNTER),
            strict=True,
        )
        return {
            element: after
            for obj, is_insert, element, after in rows
            if obj == place and is_insert and element is not None
        }
