"""What a Store knows of its texts beside their strings: which cells they are, and how each was edited.

The string of a text is a cell like any other. How it was edited is noted beside the transaction's log, for
the entry that the edit made: an entry that was rolled back takes its note with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias
from weakref import WeakSet  # noqa: TC003

from weft.deltas import attributes_before, compose, from_cell, is_styled, smallest_edit, text_of
from weft.store._parts.log import ADDED, CELL, ROW, TABLE
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from weft.deltas import Delta
    from weft.store._parts.log import Entry
    from weft.store._parts.schema_rules import TableRule
    from weft.values import Stored, Undefined

__all__ = ["TextEdit", "TextKey", "TextSource", "Texts", "inheriting", "own_edits", "runs"]

TextKey: TypeAlias = tuple[str, str, str]
"""Table, row and cell of a text."""


class TextSource(Protocol):
    """A document that keeps texts with formats and positions: what a mirror serves."""

    def delta(self, table_id: str, row_id: str, cell_id: str) -> Delta | None:
        """The text with its formats; ``None`` where the document has no text there."""

    def position(
        self, table_id: str, row_id: str, cell_id: str, offset: int, assoc: int
    ) -> dict[str, Any] | str | None:
        """A relative position in the form of the document's JavaScript library; ``None`` likewise."""

    def offset(self, table_id: str, row_id: str, cell_id: str, position: Any) -> int | None:
        """Where a relative position is now; ``None`` where it is in no such text."""


class TextEdit(NamedTuple):
    """One entry of a log that wrote a text.

    Attributes:
        is_local: Whether it is not as received.
        old: What the cell was before, where that is known of the entry.
        delta: How it changed; ``None`` where it came, went, or was no string.
    """

    is_local: bool
    old: Stored | Undefined
    delta: Delta | None


@dataclass(slots=True)
class Texts:
    """The texts of a Store.

    Attributes:
        declared: Cells declared by layouts: table and cell id to the rows (``None`` for all), counted.
        sources: The documents that keep them.
        is_formatted: Whether a text has formats; those that nobody has looked at are not in it.
        listeners: By text: who hears of its edits, by listener id.
        cursors: By text: what follows its edits.
        received: Which entries of the running transaction's log wrote what was received.
        followed: The log that the cursors have followed to its end.
        hook: The id of the Store's listener that makes cursors and listeners follow, while there is one.
    """

    declared: dict[tuple[str, str], dict[str | None, int]] = field(default_factory=dict)
    sources: list[TextSource] = field(default_factory=list)
    is_formatted: dict[TextKey, bool] = field(default_factory=dict)
    listeners: dict[TextKey, dict[str, Callable[..., object]]] = field(default_factory=dict)
    cursors: dict[TextKey, WeakSet[Any]] = field(default_factory=dict)
    received: tuple[int, int] = (0, 0)
    followed: list[Entry] | None = None
    hook: str | None = None
    _log: list[Entry] | None = None
    _notes: dict[int, tuple[Entry, Delta]] = field(default_factory=dict)
    _rules: Mapping[str, TableRule] | None = None
    _has_rules: bool = False

    def has_any(self, rules: Mapping[str, TableRule] | None) -> bool:
        """Whether some cells are texts, by these rules of a schema or declared."""
        if rules is not self._rules:
            self._rules = rules
            self._has_rules = any(rule.texts for rule in (rules or {}).values())
        return self._has_rules or bool(self.declared)

    def is_text(self, rules: Mapping[str, TableRule] | None, key: TextKey) -> bool:
        """Whether a cell is a text, or would be one if it were there."""
        table_id, row_id, cell_id = key
        if rules is not None and (rule := rules.get(table_id)) is not None and cell_id in rule.texts:
            return True
        rows = self.declared.get((table_id, cell_id)) if self.declared else None
        return rows is not None and (None in rows or row_id in rows)

    def declare(self, table_id: str, cell_id: str, row_id: str | None) -> Callable[[], None]:
        """Make cells texts, until the function that is returned is called."""
        rows = self.declared.setdefault((table_id, cell_id), {})
        rows[row_id] = rows.get(row_id, 0) + 1

        def end() -> None:
            rows[row_id] -= 1
            if not rows[row_id]:
                del rows[row_id]
            if not rows and self.declared.get((table_id, cell_id)) is rows:
                del self.declared[table_id, cell_id]

        return end

    def note(self, log: list[Entry], index: int, delta: Delta) -> None:
        """Note how the entry at an index of the running transaction's log changed a text."""
        if log is not self._log:
            self._log, self._notes = log, {}
        self._notes[index] = (log[index], delta)

    def source_delta(self, key: TextKey) -> Delta | None:
        """The text with its formats, as a document has it."""
        for source in self.sources:
            if (delta := source.delta(*key)) is not None:
                return delta
        return None

    def whole_edit(self, key: TextKey, old: str, new: str, *, is_first: bool) -> Delta:
        """Make the edit of a string that was set as a whole, in the formats that stand there."""
        delta = smallest_edit(old, new)
        if is_first and self.sources and self.is_formatted.get(key) is not False:
            base = self.source_delta(key)
            # It may be of after the transaction already.
            if base is not None and text_of(base) == old:
                self.is_formatted[key] = is_styled(base)
                return inheriting(delta, base)
        return delta

    def noted(self, log: list[Entry], index: int) -> Delta | None:
        """What was noted for an entry, where it still stands."""
        if log is not self._log:
            return None
        entry, delta = self._notes.get(index, (None, None))
        return delta if entry is log[index] else None


def inheriting(delta: Delta, base: Delta) -> Delta:
    """Give what a delta inserts the formats of the character before it, in a text with its formats."""
    offset = 0
    styled: Delta = []
    for op in delta:
        if "insert" in op and (attributes := attributes_before(base, offset)):
            styled.append({**op, "attributes": attributes})
        else:
            styled.append(op)
        offset += op.get("retain", 0) + op.get("delete", 0)
    return styled


def _edits(
    log: list[Entry],
    texts: Texts,
    rules: Mapping[str, TableRule] | None,
    received: tuple[int, int],
    start: int = 0,
) -> dict[TextKey, list[TextEdit]]:
    """Collect what the entries of a log did to texts, in their order, from one of them on."""
    found: dict[TextKey, list[TextEdit]] = {}

    def add(key: TextKey, index: int, old: Stored | Undefined, new: Stored | Undefined | None) -> None:
        if not texts.is_text(rules, key):
            return
        delta = texts.noted(log, index)
        if delta is None and isinstance(old, str) and isinstance(new, str):
            is_first = key not in found
            delta = texts.whole_edit(key, from_cell(old), from_cell(new), is_first=is_first)
        is_local = not received[0] <= index < received[1]
        found.setdefault(key, []).append(TextEdit(is_local, old, delta))

    for index in range(start, len(log)):
        entry = log[index]
        kind = entry[0]
        if kind == CELL:
            _, table_id, row_id, cell_id, old, new = entry
            add((table_id, row_id, cell_id), index, old, new)
        elif kind == ADDED:
            add(entry[1:], index, UNDEFINED, None)
        elif kind == ROW:
            _, table_id, row_id, sign, content = entry
            for cell_id in content:
                add((table_id, row_id, cell_id), index, UNDEFINED if sign > 0 else content[cell_id], None)
        elif kind == TABLE and entry[3]:
            for row_id, cells in entry[3].items():
                for cell_id, old in cells.items():
                    add((entry[1], row_id, cell_id), index, old, None)
    return found


def own_edits(
    log: list[Entry],
    texts: Texts,
    rules: Mapping[str, TableRule] | None,
    received: tuple[int, int],
    current: Callable[[TextKey], object],
) -> dict[TextKey, Delta]:
    """Get the net own edits of texts; see ``Replica.text_edits``."""
    own: dict[TextKey, Delta] = {}
    for key, edits in _edits(log, texts, rules, received).items():
        while any(not edit.is_local for edit in edits):  # what was received stands in the place of what was
            del edits[0]
        new = current(key)
        if not edits or not isinstance(new, str):
            continue
        old = edits[0].old
        delta = _composed(edits)
        if isinstance(old, str):
            if delta is None:
                delta = smallest_edit(from_cell(old), from_cell(new))
            own[key] = delta
        elif old is UNDEFINED and delta is not None and is_styled(delta):
            own[key] = delta
        if not own.get(key, True):
            del own[key]
    return own


def _composed(edits: list[TextEdit]) -> Delta | None:
    delta = edits[0].delta
    for edit in edits[1:]:
        if delta is None or edit.delta is None:
            return None
        delta = compose(delta, edit.delta)
    return delta


def runs(
    log: list[Entry],
    texts: Texts,
    rules: Mapping[str, TableRule] | None,
    received: tuple[int, int],
    current: Callable[[TextKey], object],
    start: int = 0,
) -> Iterator[tuple[TextKey, Delta, bool]]:
    """Tell of each text what was done to it, as one delta for each run of own or of received edits.

    The deltas of a text lead from what it was before the transaction to what it is.
    """
    for key, edits in _edits(log, texts, rules, received, start).items():
        if any(edit.delta is None for edit in edits):
            old, new = edits[0].old, current(key)
            before = from_cell(old) if isinstance(old, str) else ""
            delta = smallest_edit(before, from_cell(new) if isinstance(new, str) else "")
            if delta:
                yield key, delta, edits[-1].is_local
            continue
        first = 0
        for end in range(1, len(edits) + 1):
            if end == len(edits) or edits[end].is_local is not edits[first].is_local:
                if run := _composed(edits[first:end]):
                    yield key, run, edits[first].is_local
                first = end
