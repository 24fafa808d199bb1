"""The text cells of a Store in a Yjs document: each is a Y.Text at the place of its cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from weft.deltas import from_cell, to_cell
from weft.documents.yjs.binding import BindingText, as_text, in_observer, read_now
from weft.mirrors.writes import is_equal
from weft.mirrors.yjs.healing import was_concurrent
from weft.mirrors.yjs.positions import position_of, resolve
from weft.mirrors.yjs.texts import (
    read_delta,
    read_string,
    text_before,
    to_utf16_delta,
    write_delta,
    write_text,
)
from weft.store.replica import Paths
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pycrdt import Doc

    from weft._codecs.yjs.update import ItemId
    from weft.deltas import Delta
    from weft.documents.yjs.binding import RawMap, RawMapEvent, RawText, RawTransactionEvent, Txn
    from weft.mirrors.writes import DocumentWrite, Tables
    from weft.store.replica import RawTables, Replica, TextKey
    from weft.values import Stored, Undefined

__all__ = ["TextCells"]

T = TypeVar("T")


class TextCells:
    """Reads and writes them, and serves their formats and positions to the Store.

    Args:
        doc: The document.
        replica: The Store.
        find: Gives the shared text at the place of a cell, or ``None``.
        identify: Gives the id of that text, or the name of the root that it is.

    Attributes:
        heard: How the texts among the last events changed, for the Store.
        made: Texts that this peer has made in this document.
    """

    def __init__(
        self,
        doc: Doc[Any],
        replica: Replica,
        find: Callable[[Txn, TextKey], RawText | None],
        identify: Callable[[TextKey], ItemId | str | None],
    ) -> None:
        self._doc = doc
        self._replica = replica
        self._find = find
        self._identify = identify
        self._handles: dict[TextKey, RawText] = {}
        self._ids: dict[TextKey, ItemId | str | None] = {}
        self._strings: dict[TextKey, str] = {}  # as the document had them last, of those that were edited
        # Texts of our making in whose places the commit in progress put others: the key and the type ref of
        # what was replaced, the text, its string, and that of the winner.
        self._lost: list[tuple[str, int, TextKey, str, str]] = []
        self.heard: dict[TextKey, Delta] = {}
        self.made: set[TextKey] = set()
        self._restored: set[TextKey] = set()

    @property
    def has_any(self) -> bool:
        """Whether the Store has text cells."""
        return self._replica.has_texts

    def forget(self) -> None:
        """Look for the texts anew: other ones may stand in their places."""
        self._handles.clear()
        self._ids.clear()
        self._strings.clear()

    def take_heard(self) -> dict[TextKey, Delta]:
        """Give, and forget, how texts changed."""
        heard, self.heard = self.heard, {}
        return heard

    def is_text(self, table_id: str, row_id: str, cell_id: str) -> bool:
        """Whether a cell is a text."""
        return self._replica.has_texts and self._replica.is_text(table_id, row_id, cell_id)

    # -- reading -----------------------------------------------------------------------------------------

    def read(self, txn: Txn, table_id: str, row_id: str, cell_id: str, value: object) -> object:
        """A cell as the document has it, its string where it is a text."""
        text = as_text(value)
        if text is not None and self.is_text(table_id, row_id, cell_id):
            return to_cell(read_string(txn, text))
        return value

    def read_row(self, txn: Txn, table_id: str, row_id: str, cells: dict[str, object]) -> dict[str, object]:
        """The cells of a row likewise."""
        for cell_id, value in cells.items():
            if type(value) is BindingText:
                cells[cell_id] = self.read(txn, table_id, row_id, cell_id, value)
        return cells

    def read_event(self, txn: Txn, key: TextKey, event: RawMapEvent, tables: RawTables) -> None:
        """Put the string after an event of a text among the cells, and note how it changed."""
        text = as_text(event.target)
        if text is None or not self.is_text(*key):
            return
        table_id, row_id, cell_id = key
        new, old = read_string(txn, text), self._known(key)
        if old is not None and (delta := to_utf16_delta(event.delta, old, new)) is not None:
            self.heard[key] = delta
        self._strings[key] = new
        # Where the text is new, it stands there already.
        tables.setdefault(table_id, {}).setdefault(row_id, {}).setdefault(cell_id, to_cell(new))

    def _known(self, key: TextKey) -> str | None:
        """The string that the document had before the commit in progress."""
        if (known := self._strings.get(key)) is not None:
            return known
        return text_before(self._replica, key)

    # -- two texts in one place --------------------------------------------------------------------------

    def begin(self) -> None:
        """Forget what was noted of a commit before."""
        self._lost.clear()

    def note_lost(self, key: TextKey, winner: object, replaced: str, kind: int) -> None:
        """Note that another text may stand in the place of one of our making.

        Args:
            key: The text.
            winner: The cell that stands there now.
            replaced: Key of what was replaced, the text or the map that it stood in.
            kind: Type ref of that.
        """
        loser = self._replica.tables.get(key[0], {}).get(key[1], {}).get(key[2])
        if key in self.made and isinstance(loser, str) and isinstance(winner, str):
            self.made.discard(key)
            if loser not in winner:
                self._lost.append((replaced, kind, key, from_cell(loser), from_cell(winner)))

    def heal(self, event: RawTransactionEvent, tables: RawTables, heal: Paths | None) -> Paths | None:
        """Put into the winner what stood in a text of our making that was made at the same time.

        Nobody but its maker does that, as it is done once. As if both had been typed into one text, what has
        the lower client id stands first.
        """
        for replaced, kind, (table_id, row_id, cell_id), loser, winner in self._lost:
            if was_concurrent(event.update, event.delete_set, replaced, kind):
                tables.setdefault(table_id, {}).setdefault(row_id, {})[cell_id] = to_cell(loser + winner)
                heal = heal or Paths()
                heal.add({table_id: {row_id: [cell_id]}})
        self._lost.clear()
        return heal

    def restore(self, deleted: RawTables) -> None:
        """Note which texts will be written again, as others do as well."""
        self._restored.update(
            (table_id, row_id, cell_id)
            for table_id, rows in deleted.items()
            for row_id, cells in rows.items()
            for cell_id in cells
        )

    # -- writing -----------------------------------------------------------------------------------------

    def write_row(
        self,
        txn: Txn,
        row: RawMap,
        table_id: str,
        row_id: str,
        cells: dict[str, Stored | Undefined],
        edits: Mapping[TextKey, Delta],
        name: Callable[[str], str] = str,
    ) -> dict[str, Stored | Undefined]:
        """Write the texts of a row; give the cells that are none.

        Args:
            txn: The open transaction.
            row: The map that holds the row.
            table_id: The table.
            row_id: The row.
            cells: What is to be written.
            edits: How texts are to be edited.
            name: Gives the key of a cell in the map.
        """
        if not self._replica.has_texts:
            return cells
        texts = [cell_id for cell_id in cells if self._replica.is_text(table_id, row_id, cell_id)]
        if not texts:
            return cells
        for cell_id in texts:
            key = table_id, row_id, cell_id
            self._write(txn, row, name(cell_id), key, cells[cell_id], edits.get(key))
        return {cell_id: cell for cell_id, cell in cells.items() if cell_id not in texts}

    def _write(
        self,
        txn: Txn,
        row: RawMap,
        name: str,
        key: TextKey,
        cell: Stored | Undefined,
        edit: Delta | None,
    ) -> None:
        found = row.get(txn, name) if row.has(txn, name) else UNDEFINED
        if not isinstance(cell, str):
            self.forget()
            if cell is UNDEFINED:
                row.remove(txn, name)
            elif not is_equal(found, cell):
                row.insert(txn, name, cell)
            return
        self._strings[key] = new = from_cell(cell)
        if (text := as_text(found)) is not None:
            if edit is None:
                write_text(txn, text, new)
            else:
                write_delta(txn, text, edit, new)
            return
        if edit is None and found == cell:
            return  # a plain string stays one until it is edited
        self.forget()
        text = row.insert_text_prelim(txn, name)
        if key in self._restored:
            self._restored.discard(key)  # several peers do so, and one is enough
        else:
            self.made.add(key)
        if edit is None:
            text.insert(txn, 0, new)
        else:
            if isinstance(found, str):
                text.insert(txn, 0, from_cell(found))
            write_delta(txn, text, edit, new)

    def known(self, key: TextKey) -> RawText | None:
        """The text, where it has been looked for since others may stand in the places of texts."""
        return self._handles.get(key)

    def write_letter(self, txn: Txn, text: RawText, key: TextKey, edit: Delta) -> None:
        """Do one edit to a text that the Store has."""
        table_id, row_id, cell_id = key
        new = from_cell(self._replica.tables[table_id][row_id][cell_id])  # type: ignore[arg-type]
        self._strings[key] = new
        write_delta(txn, text, edit, new)

    def write_edits(self, txn: Txn, changes: DocumentWrite) -> Tables:
        """Edit the texts that are there; give the cells that are left to be written."""
        left = changes.tables
        for key, edit in changes.texts.items():
            table_id, row_id, cell_id = key
            text = self._text(txn, key)
            cell = self._replica.tables.get(table_id, {}).get(row_id, {}).get(cell_id)
            if text is None or not isinstance(cell, str):
                continue
            if key in changes.late:
                self._strings.pop(key, None)
                write_delta(txn, text, edit, None)
            else:
                self._strings[key] = new = from_cell(cell)
                write_delta(txn, text, edit, new)
            rows = left.get(table_id, {})
            if cell_id in rows.get(row_id, {}):
                cells = {other_id: other for other_id, other in rows[row_id].items() if other_id != cell_id}
                rows = (
                    {**rows, row_id: cells} if cells else {i: row for i, row in rows.items() if i != row_id}
                )
                left = {**left, table_id: rows} if rows else {i: t for i, t in left.items() if i != table_id}
        return left

    def _text(self, txn: Txn, key: TextKey) -> RawText | None:
        text = self._handles.get(key)
        if text is None and (text := self._find(txn, key)) is not None:
            self._handles[key] = text
        return text

    # -- what the Store is served ------------------------------------------------------------------------

    def delta(self, table_id: str, row_id: str, cell_id: str) -> Delta | None:
        """The text with its formats."""
        return self._look((table_id, row_id, cell_id), read_delta)

    def position(
        self, table_id: str, row_id: str, cell_id: str, offset: int, assoc: int
    ) -> dict[str, Any] | None:
        """The relative position of an offset, as ``Y.relativePositionToJSON`` gives it."""
        key = table_id, row_id, cell_id
        return self._look(
            key, lambda txn, text: position_of(self._doc, txn, text, offset, assoc, lambda: self._id(key))
        )

    def offset(self, table_id: str, row_id: str, cell_id: str, position: Any) -> int | None:
        """The offset of a relative position."""
        key = table_id, row_id, cell_id
        return self._look(
            key, lambda txn, text: resolve(self._doc, txn, text, position, lambda: self._id(key))
        )

    def _look(self, key: TextKey, read: Callable[[Txn, RawText], T | None]) -> T | None:
        """Read something of a text; ``None`` where there is none, and where nothing can be read."""

        def look(txn: Txn) -> T | None:
            text = self._text(txn, key)
            return None if text is None else read(txn, text)

        return read_now(self._doc, look)

    def _id(self, key: TextKey) -> ItemId | str | None:
        if key not in self._ids:
            if in_observer(self._doc):
                return None  # the binding gives no update there
            self._ids[key] = self._identify(key)
        return self._ids[key]


def _with(things: dict[str, T], id_: str, thing: T) -> dict[str, T]:
    """The dictionary with another entry, or without it where that is empty."""
    left = {**things, id_: thing}
    if not thing:
        del left[id_]
    return left
