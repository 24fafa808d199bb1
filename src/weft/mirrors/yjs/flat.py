r"""The flat layout: one root map of cells, one of values, and no containers, so nothing to overwrite.

``doc.getMap(name)`` holds a cell at the key ``table U+001F row U+001F cell``, and
``doc.getMap(name + ".values")`` a value at its id. Concurrent writes merge cell by cell whatever was there
before; a row is deleted by deleting its cells, so a cell that a peer set meanwhile stays. JavaScript TinyBase
cannot read it; any Yjs program can: ``key.split("\u001f")``.

In ids, U+001E is written as U+001E ``0`` and U+001F as U+001E ``1``, so that keys are injective.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from weft.documents.yjs.binding import (
    BindingText,
    RawMap,
    RawMapEvent,
    RawText,
    RawTransactionEvent,
    Txn,
    as_text,
    root_map,
)
from weft.errors import MirrorError
from weft.mirrors.mirror import another_application
from weft.mirrors.places import TABLES, VALUES
from weft.mirrors.yjs.healing import TEXT, text_id
from weft.mirrors.yjs.layout import Received, foreign_root, read_key, read_map, write_map
from weft.mirrors.yjs.text_cells import TextCells
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pycrdt import Doc

    from weft._codecs.yjs.update import ItemId
    from weft.mirrors.mirror import DocumentWrite, Report
    from weft.mirrors.places import Place
    from weft.store.replica import Paths, RawTables, RawValues, Replica, TextKey

__all__ = ["FlatLayout"]

_SEPARATOR = "\x1f"
_ESCAPE = "\x1e"


class FlatLayout:
    """Cells under one key each."""

    def __init__(self, doc: Doc[Any], map_name: str, replica: Replica, report: Report) -> None:
        self._doc = doc
        self._map_name = map_name
        self.find_roots()
        self._report = report
        self.texts = TextCells(doc, replica, self._find_text, self._text_id)
        # One commit calls the observer of each root; the Store hears of both at once, after the last.
        self._tables: RawTables = {}
        self._heard: RawValues = {}

    def place(self, path: tuple[str, ...]) -> Place | None:
        if len(path) == 2 and path[0] == f"{self._map_name}.values":
            return (VALUES, path[1])
        ids = _ids(path[1]) if len(path) == 2 and path[0] == self._map_name else None
        return None if ids is None else (TABLES, *ids)

    def find_roots(self) -> None:
        name = self._map_name
        self._cells = root_map(self._doc, name)
        self._values = root_map(self._doc, f"{name}.values")
        # Roots that may be something else than a map, as nobody has been seen to write one there.
        self._unproven = {name: self._cells, f"{name}.values": self._values}

    def roots(self) -> tuple[RawMap, ...]:
        return (self._cells, self._values)

    def refusal(self, txn: Txn) -> MirrorError | None:
        return self._foreign(txn, self._unproven.copy())

    def _foreign(self, txn: Txn, roots: dict[str, RawMap]) -> MirrorError | None:
        for name, root in roots.items():
            if (error := foreign_root(self._doc, txn, name, root)) is not None:
                return error
            if keys := root.keys(txn):
                if root is self._cells and not any(key.count(_SEPARATOR) == 2 for key in keys):
                    return another_application(name, keys)
                self._unproven.pop(name, None)
        return None

    def _find_text(self, txn: Txn, key: TextKey) -> RawText | None:
        return as_text(read_key(txn, self._cells, _key(*key)))

    def _text_id(self, key: TextKey) -> ItemId | None:
        return text_id(self._doc.get_update(), self._map_name, (_key(*key),))

    def read_all(self, txn: Txn) -> Received:
        self.texts.forget()
        if (error := self.refusal(txn)) is not None:
            self._report(error)
        tables: RawTables = {}
        for key, value in read_map(txn, self._cells).items():
            self._put(txn, tables, key, value)
        return tables, read_map(txn, self._values)

    def read(self, txn: Txn, paths: Paths) -> Received:
        tables: RawTables = {}
        for table_id, rows in paths.tables.items():
            for row_id, cell_ids in rows.items():
                prefix = _prefix(table_id, row_id)
                cells = {
                    cell_id: read_key(txn, self._cells, prefix + _escape(cell_id)) for cell_id in cell_ids
                }
                tables.setdefault(table_id, {})[row_id] = self.texts.read_row(txn, table_id, row_id, cells)
        return tables, {value_id: read_key(txn, self._values, value_id) for value_id in paths.values}

    def translate(self, root: int, events: list[RawMapEvent], txn: Txn) -> Received:
        if root == 0:
            self.texts.begin()
        for event in events:
            if event.path:  # inside a text, or a foreign type, which was reported when it came
                ids = _ids(str(event.path[0])) if root == 0 and len(event.path) == 1 else None
                if ids is not None:
                    self.texts.read_event(txn, (ids[0], ids[1], ids[2]), event, self._tables)
                continue
            self.texts.forget()
            for key, change in event.keys.items():
                value = change.get("newValue", UNDEFINED)
                if root == 1:
                    self._heard[key] = value
                else:
                    self._put(txn, self._tables, key, value)
                    if type(value) is type(change.get("oldValue")) is BindingText and (ids := _ids(key)):
                        table_id, row_id, cell_id = ids
                        winner = self._tables[table_id][row_id][cell_id]
                        self.texts.note_lost((table_id, row_id, cell_id), winner, key, TEXT)
        return {}, {}

    def committed(self, event: RawTransactionEvent, received: bytes | None) -> tuple[Received, Paths | None]:
        heard = self._tables, self._heard
        if self._tables or self._heard:
            self._tables, self._heard = {}, {}
        heal = self.texts.heal(event, heard[0], None)
        return heard, heal

    has_losers = False

    def recover(self) -> Received:
        return {}, {}  # there are no containers to lose

    def write(self, txn: Txn, changes: DocumentWrite, *, compare: bool) -> list[MirrorError]:
        if self._unproven:
            written = {self._cells: changes.tables, self._values: changes.values}
            roots = {name: root for name, root in self._unproven.items() if written[root]}
            if (error := self._foreign(txn, roots)) is not None:
                return [error]
        tables = changes.tables
        if changes.texts:
            tables = self.texts.write_edits(txn, changes)
        if tables:
            self.texts.forget()
            if self.texts.has_any:
                tables = {
                    table_id: {
                        row_id: self.texts.write_row(
                            txn,
                            self._cells,
                            table_id,
                            row_id,
                            cells,
                            changes.texts,
                            partial(_key, table_id, row_id),
                        )
                        for row_id, cells in rows.items()
                    }
                    for table_id, rows in tables.items()
                }
            write_map(txn, self._cells, _flatten(tables), compare=compare)
        write_map(txn, self._values, changes.values.items(), compare=compare)
        return []

    def _put(self, txn: Txn, tables: RawTables, key: str, value: object) -> None:
        ids = _ids(key)
        if ids is None:
            self._report(
                MirrorError(f"root map {self._map_name!r} holds {key!r}, which is no cell of a Store")
            )
            return
        table_id, row_id, cell_id = ids
        tables.setdefault(table_id, {}).setdefault(row_id, {})[cell_id] = self.texts.read(
            txn, table_id, row_id, cell_id, value
        )


def _ids(key: str) -> list[str] | None:
    """Table, row and cell of a key; ``None`` where it is no cell's."""
    parts = key.split(_SEPARATOR)
    if _ESCAPE in key:
        parts = [part.replace(_ESCAPE + "1", _SEPARATOR).replace(_ESCAPE + "0", _ESCAPE) for part in parts]
    return parts if len(parts) == 3 else None


def _flatten(tables: Mapping[str, Mapping[str, Mapping[str, object]]]) -> Iterator[tuple[str, Any]]:
    for table_id, rows in tables.items():
        for row_id, cells in rows.items():
            prefix = _prefix(table_id, row_id)
            for cell_id, cell in cells.items():
                yield prefix + _escape(cell_id), cell


def _key(table_id: str, row_id: str, cell_id: str) -> str:
    return _prefix(table_id, row_id) + _escape(cell_id)


def _prefix(table_id: str, row_id: str) -> str:
    return f"{_escape(table_id)}{_SEPARATOR}{_escape(row_id)}{_SEPARATOR}"


def _escape(part: str) -> str:
    if _ESCAPE in part or _SEPARATOR in part:
        return part.replace(_ESCAPE, _ESCAPE + "0").replace(_SEPARATOR, _ESCAPE + "1")
    return part
