"""The shared texts of a Store in an Automerge document: where they are, editing and reading them in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft._codecs.automerge.text_ops import TextOps, read_text_ops
from weft.deltas import apply, from_cell, from_utf16, smallest_edit, to_cell
from weft.documents.automerge.binding import ObjType
from weft.mirrors.automerge.carrying import carry, typed_since
from weft.mirrors.automerge.keys import TABLES, encode_key, object_id, op_id
from weft.mirrors.automerge.text_cursors import cursor_at, offset_of
from weft.mirrors.automerge.text_events import read_change, read_other
from weft.mirrors.automerge.text_form import read_delta, read_formats, write_delta

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from weft._codecs.automerge.change import OpId
    from weft.deltas import Delta
    from weft.documents.automerge.binding import CoreTransaction
    from weft.documents.automerge.events import DocumentEvent, Heads
    from weft.mirrors.automerge.index import DocumentIndex, Path
    from weft.mirrors.automerge.text_form import Formats
    from weft.mirrors.mirror import DocumentWrite, Report
    from weft.store.replica import Paths, RawTables, Replica, TextKey

__all__ = ["SharedTexts"]

_MAX_COPIES = 1_000  # copies of texts that have lost whose strings are remembered, the latest
_MAX_KNOWN = 10_000  # texts of which it is remembered whether they may have marks
_ODD = "\ufffc\ufffd"  # what a cell must not be or begin with, and a text may


class SharedTexts:
    """The shared texts of one mirror; it serves their formats and places (``store.replica.TextSource``).

    Attributes:
        deltas: How the texts changed that were read since :meth:`begin`.
    """

    def __init__(
        self, index: DocumentIndex, replica: Replica, owed: Callable[[], Paths], report: Report
    ) -> None:
        self._index = index
        self._replica = replica
        self._owed = owed
        self._report = report
        self._made: dict[TextKey, bytes] = {}
        self._marked: dict[bytes, bool] = {}  # whether there may be marks in a text, by its id, if known
        self._copies: dict[OpId, str] = {}
        self._carried: dict[OpId, None] = {}
        self._event: DocumentEvent | None = None
        self._ops: dict[OpId, TextOps] | None = None
        self.deltas: dict[TextKey, Delta] = {}

    # -- where they are ----------------------------------------------------------------------------------

    def is_text(self, path: Path) -> bool:
        """Whether a text has its place there."""
        return len(path) == 4 and self._replica.has_texts and self._replica.is_text(*path[1:])

    def find(self, key: TextKey) -> bytes | None:
        """The text that stands at the place of a cell now; ``None`` where something else does."""
        made = self._made.get(key)
        if made is None:
            parent = self._index.container((TABLES, *key[:2]))
            found = None if parent is None else self._index.look(parent, encode_key(key[2]))
            if found is None or found[0] != ObjType.Text:
                return None
            made = self._made[key] = object_id(op_id(found[1]))
        return made

    def stands_at(self, path: Path, text: OpId) -> bool:
        """Whether a shared text has its place there, and it is this one: another may have won."""
        return self.is_text(path) and self.find(path[1:]) == object_id(text)  # type: ignore[arg-type]

    def forget(self) -> None:
        """Look anew where the texts are: something else may stand there now."""
        self._made.clear()

    def to_cells(self, tables: RawTables) -> None:
        """Bring strings of texts, as the document has them, into the form that cells have."""
        if not self._replica.has_texts:
            return
        for table_id, rows in tables.items():
            for row_id, cells in rows.items():
                for cell_id, cell in cells.items():
                    if (
                        type(cell) is str
                        and cell[:1] in _ODD
                        and self._replica.is_text(table_id, row_id, cell_id)
                    ):
                        cells[cell_id] = to_cell(cell)

    # -- what the Store asks -----------------------------------------------------------------------------

    def _agreed(self, key: TextKey) -> tuple[bytes, str] | None:
        """A text and its string, where the Store has the same."""
        made = self.find(key)
        cell = self._replica.tables.get(key[0], {}).get(key[1], {}).get(key[2])
        if made is None or not isinstance(cell, str):
            return None
        text = self._index.core.text(made)
        return (made, text) if text == from_cell(cell) else None

    def delta(self, table_id: str, row_id: str, cell_id: str) -> Delta | None:
        """The text with its formats."""
        made = self.find((table_id, row_id, cell_id))
        if made is None:
            return None
        if not self._may_have_marks(made) and "\ufffc" not in (text := self._index.core.text(made)):
            return [{"insert": text}] if text else []
        return read_delta(self._index.core, made)

    def position(self, table_id: str, row_id: str, cell_id: str, offset: int, assoc: int) -> str | None:
        """The cursor that JavaScript has for an offset."""
        found = self._agreed((table_id, row_id, cell_id))
        return None if found is None else cursor_at(self._index.document, *found, offset, assoc)

    def offset(self, table_id: str, row_id: str, cell_id: str, position: Any) -> int | None:
        """Where such a cursor is."""
        found = self._agreed((table_id, row_id, cell_id))
        return None if found is None else offset_of(self._index.document, *found, position)

    # -- writing -----------------------------------------------------------------------------------------

    def _may_have_marks(self, made: bytes) -> bool:
        marked = self._marked.get(made)
        if marked is None:
            if len(self._marked) >= _MAX_KNOWN:
                self._marked.clear()
            marked = self._marked[made] = bool(self._index.core.marks(made))
        return marked

    def write(self, transaction: CoreTransaction, made: bytes, text: str, delta: Delta) -> None:
        """Edit a text in place.

        Args:
            transaction: What is written to.
            made: The text.
            text: What it holds.
            delta: What is to change.
        """
        marked = self._marked.get(made)
        if marked is None:
            marked = self._may_have_marks(made)
        if not marked and (edit := _one_edit(text, delta)) is not None:
            transaction.splice_text(made, *edit)
        elif write_delta(transaction, made, text, delta, has_marks=marked, report=self._report):
            self._marked[made] = True

    def edit(self, transaction: CoreTransaction, made: bytes, cell: str, delta: Delta | None) -> None:
        """Make a text what a cell holds: by an edit, where that leads there, or by the smallest one."""
        made = object_id(op_id(made))
        old, new = self._index.core.text(made), from_cell(cell)
        if delta is None or not _leads(old, delta, new):
            delta = smallest_edit(old, new)
        if delta:
            self.write(transaction, made, old, delta)

    def edit_all(self, transaction: CoreTransaction, changes: DocumentWrite) -> set[TextKey]:
        """Edit the texts that are there as changes say; gives which."""
        edited: set[TextKey] = set()
        for key, delta in changes.texts.items():
            made = self.find(key)
            cell = self._replica.tables.get(key[0], {}).get(key[1], {}).get(key[2])
            if made is None or not isinstance(cell, str):
                continue
            if key in changes.late:  # the document has more than the Store
                self.write(transaction, made, self._index.core.text(made), delta)
            else:
                self.edit(transaction, made, cell, delta)
            edited.add(key)
        return edited

    # -- what has lost -----------------------------------------------------------------------------------

    def replaced(self, path: Path) -> bytes | None:
        """The text that stood at a place before the event, where something else stands now."""
        return None if self._event is None else self._stood_at(path, self._event.before)

    def known_to(self, path: Path, text: OpId, heads: Heads) -> Heads:
        """The heads that somebody knew if they saw a text at a place; none where they saw something else."""
        found = self._stood_at(path, heads)
        return heads if found is not None and op_id(found) == text else ()

    def _stood_at(self, path: Path, heads: Heads) -> bytes | None:
        parent = self._index.container(path[:-1])
        if parent is None:
            return None
        found = self._index.core.get(parent, encode_key(path[-1]), list(heads))
        return found[1] if found is not None and found[0] == ObjType.Text else None

    def note_copy(self, made: bytes) -> None:
        """Note what a text was made of that several peers may have made."""
        self._copies[op_id(made)] = self._index.core.text(made)
        if len(self._copies) > _MAX_COPIES:
            del self._copies[next(iter(self._copies))]

    def is_edited_copy(self, made: bytes) -> bool:
        """Whether a copy has been edited since."""
        copied = self._copies.get(op_id(made))
        return copied is not None and self._index.core.text(made) != copied

    def carry(self, lost: bytes, winner: bytes, known: Iterable[bytes]) -> tuple[str, Delta] | None:
        """Tell what to put into a text that has won: what was typed here in the one that has lost.

        Args:
            lost: The one.
            winner: The other.
            known: Heads that the winner's maker knew.

        Returns:
            The string as a cell, and the edit that makes it; ``None`` where nothing is to be done.
        """
        name = op_id(lost)
        if name in self._carried or name == op_id(winner):
            return None
        core, copied = self._index.core, self._copies.get(name)
        if copied is None:
            base, typed = typed_since(core, lost, self._index.document.actor, list(known))
        else:
            base, typed = copied, smallest_edit(copied, core.text(lost))
        if not typed:
            return None
        self._carried[name] = None
        if len(self._carried) > _MAX_COPIES:
            del self._carried[next(iter(self._carried))]
        held = core.text(winner)
        delta = carry(base, typed, held)
        return (to_cell(apply(held, delta)), delta) if delta else None

    # -- reading what was received -----------------------------------------------------------------------

    def begin(self, event: DocumentEvent) -> None:
        """Take an event whose changes are going to be read."""
        self._event = event
        self._ops = None
        self.deltas = {}
        self.forget()

    def read(self, path: Path, text: OpId, touched: Container[OpId | None]) -> str:
        """Read a text that was edited in place; its delta is in :attr:`deltas` then.

        Args:
            path: Its place.
            text: The text.
            touched: All objects that the event has touched.
        """
        event = self._event
        assert event is not None  # noqa: S101 - of the caller
        if self._ops is None:
            self._ops = {}
            for change in event.changes:
                read_text_ops(change, touched, self._ops)
        made, ops = object_id(text), self._ops.get(text, TextOps(is_plain=False))
        if ops.has_marks:
            self._marked[made] = True
        _, table_id, row_id, cell_id = path
        core, before = self._index.core, list(event.before)
        held = self._replica.tables.get(table_id, {}).get(row_id, {}).get(cell_id)
        is_behind = self._replica.is_busy or cell_id in self._owed().tables.get(table_id, {}).get(row_id, ())
        old = from_cell(held) if isinstance(held, str) and not is_behind else core.text(made, before)
        has_marks = self._may_have_marks(made)
        new, delta = read_change(core, made, old, before, ops, has_marks=has_marks)
        if delta:
            self.deltas[table_id, row_id, cell_id] = delta
        return new

    def read_other(self, path: Path) -> None:
        """Look how a text with formats or embeds, in the place of another, differs from that."""
        _, table_id, row_id, cell_id = path
        made, lost = self.find((table_id, row_id, cell_id)), self.replaced(path)
        held = self._replica.tables.get(table_id, {}).get(row_id, {}).get(cell_id)
        if made is None or not isinstance(held, str) or (lost is not None and op_id(lost) == op_id(made)):
            return
        core, event = self._index.core, self._event
        has_marks = self._may_have_marks(made)
        then: Formats = []
        if lost is not None and event is not None:
            then = read_formats(core, lost, list(event.before))
        if has_marks or any(formats for _, formats in then) or "\ufffc" in core.text(made):
            delta = read_other(core, made, from_cell(held), then, has_marks=has_marks)
            if delta:
                self.deltas[table_id, row_id, cell_id] = delta


def _one_edit(text: str, delta: Delta) -> tuple[int, int, str] | None:
    """Where a delta inserts or deletes, how much and what, in code points, where it is one plain edit."""
    operation, start = delta[0], 0
    if len(delta) == 2:
        if len(operation) != 1 or "retain" not in operation:
            return None
        start = from_utf16(text, operation["retain"])
        operation = delta[1]
    if len(operation) != 1 or len(delta) > 2:
        return None
    inserted = operation.get("insert")
    if type(inserted) is str:
        return start, 0, inserted
    if "delete" not in operation:
        return None
    before = delta[0]["retain"] if len(delta) == 2 else 0
    return start, from_utf16(text, before + operation["delete"]) - start, ""


def _leads(old: str, delta: Delta, new: str) -> bool:
    try:
        return apply(old, delta) == new
    except ValueError:
        return False
