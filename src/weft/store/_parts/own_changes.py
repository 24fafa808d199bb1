"""Which changes of a finishing transaction are one's own, and which are others'."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weft.deltas import from_cell, invert, text_of
from weft.store._parts.log import net_cells, net_values, touch
from weft.store._parts.texts import runs
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.deltas import Delta
    from weft.store._parts.log import Entry, Net, OldAndNew, Touched, TouchedValues
    from weft.store._parts.schema_rules import TableRule
    from weft.store._parts.texts import TextKey, Texts
    from weft.values import Stored

__all__ = ["OwnChanges", "own_changes"]


class OwnChanges(NamedTuple):
    """The changes of one transaction.

    Attributes:
        cells: One's own, net: old and new. What others wrote after them is not in it.
        values: The values likewise.
        inverses: Of the texts among these cells that are there now: what takes the edit back.
        others: The cells that others wrote.
        others_values: The values likewise.
        others_edits: Of the texts among the others' cells that were there and still are: their edits in
            their order.
    """

    cells: Net
    values: dict[str, OldAndNew]
    inverses: dict[TextKey, Delta]
    others: Touched
    others_values: TouchedValues
    others_edits: dict[TextKey, list[Delta]]


def own_changes(
    log: list[Entry],
    received: tuple[int, int],
    tables: dict[str, dict[str, dict[str, Stored]]],
    values: dict[str, Stored],
    texts: Texts | None,
    rules: dict[str, TableRule] | None,
    current: Callable[[TextKey], object],
) -> OwnChanges:
    """Tell one's own changes from others'.

    Args:
        log: The transaction's log.
        received: The half-open range of its entries that are others'.
        tables: The Store's tables as they are now.
        values: Its values.
        texts: What is known of its texts; ``None`` where it has none.
        rules: Of the schema.
        current: Gives a cell in its stored form.
    """
    start, end = received
    own: Touched = {}
    own_values: TouchedValues = {}
    others: Touched = {}
    others_values: TouchedValues = {}
    touch(log[start:end] if end > start else (), others, others_values)
    touch(log[:start] if end > start else log, own, own_values)
    if end > start:
        for table_id, rows in others.items():
            if table_id in own:
                for row_id, cells in rows.items():
                    for cell_id in cells.keys() & own[table_id].get(row_id, {}).keys():
                        del own[table_id][row_id][cell_id]
        for value_id in others_values.keys() & own_values.keys():
            del own_values[value_id]
        touch(log[end:], own, own_values)
    found = OwnChanges(net_cells(own, tables), net_values(own_values, values), {}, others, others_values, {})
    if texts is not None:
        _split_texts(found, own, log, received, texts, rules, current)
    return found


def _split_texts(
    found: OwnChanges,
    own: Touched,
    log: list[Entry],
    received: tuple[int, int],
    texts: Texts,
    rules: dict[str, TableRule] | None,
    current: Callable[[TextKey], object],
) -> None:
    for key, delta, is_local in runs(log, texts, rules, received, current):
        table_id, row_id, cell_id = key
        if not isinstance(current(key), str):
            continue
        theirs = found.others.get(table_id, {}).get(row_id, {})
        if cell_id in theirs and not (is_local and key in found.others_edits):
            # One's own edit before theirs counts as theirs: it is not taken back.
            if isinstance(theirs[cell_id], str):
                found.others_edits.setdefault(key, []).append(delta)
            continue
        old = own.get(table_id, {}).get(row_id, {}).get(cell_id, UNDEFINED)
        if not isinstance(old, str) and old is not UNDEFINED:
            continue
        found.inverses[key] = _inverse(texts, key, delta, from_cell(old) if isinstance(old, str) else "")


def _inverse(texts: Texts, key: TextKey, delta: Delta, text: str) -> Delta:
    """Make the delta that takes an edit of a text back."""
    if not any("delete" in operation or "attributes" in operation for operation in delta):
        return invert(delta, [{"retain": 1 << 53}])  # what was typed alone: the text need not be walked over
    base: Delta | None = None
    if texts.sources and texts.is_formatted.get(key) is not False:
        base = texts.source_delta(key)
        if base is not None and text_of(base) != text:
            base = None
    return invert(delta, base or ([{"insert": text}] if text else []))
