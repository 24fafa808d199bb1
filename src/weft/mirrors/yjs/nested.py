"""The layout of TinyBase's Yjs persister.

``doc.getMap(name)`` → ``t`` → table → row → cell, and → ``v`` → value.

Format: TinyBase 10 ``persister-yjs``. Containers are kept when they become empty, so that a peer's concurrent
write into them survives; an empty map reads as absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.documents.yjs.binding import (
    BindingMap,
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
from weft.mirrors.yjs.blind_deletions import deletes_texts, is_blind, mark, take_deleted
from weft.mirrors.yjs.containers import TABLES, VALUES, root_update, table_update
from weft.mirrors.yjs.healing import (
    MAP,
    TEXT,
    Path,
    text_id,
    was_concurrent,
)
from weft.mirrors.yjs.layout import Received, foreign_root, read_key, read_map, write_map
from weft.mirrors.yjs.losers import Losers
from weft.mirrors.yjs.text_cells import TextCells
from weft.store.replica import Paths, RawTables, RawValues, Replica, TextKey
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from pycrdt import Doc

    from weft._codecs.yjs.update import ItemId
    from weft.mirrors.mirror import DocumentWrite, Report

__all__ = ["NestedLayout"]


class NestedLayout:
    """Cells in maps in maps, as a JavaScript TinyBase reads and writes them."""

    def __init__(
        self,
        doc: Doc[Any],
        map_name: str,
        replica: Replica,
        report: Report,
    ) -> None:
        self._doc = doc
        self._map_name = map_name
        self._replica = replica
        self._report = report
        self.find_roots()
        self.texts = TextCells(doc, replica, self._find_text, self._text_id)
        # Containers that the commit in progress replaced, with the paths the Store has and the winner lacks.
        self._replaced: list[tuple[str, Paths]] = []
        # Deletions of all texts, of which the update tells whether who made them knew them.
        self._deleted_texts: RawTables = {}
        self._made_maps = False
        self._losers = Losers(doc, map_name)

    def place(self, path: Path) -> Path | None:
        return path[1:] if path[0] == self._map_name else None

    def find_roots(self) -> None:
        self._root = root_map(self._doc, self._map_name)

    def roots(self) -> tuple[RawMap, ...]:
        return (self._root,)

    def refusal(self, txn: Txn) -> MirrorError | None:
        for key in (TABLES, VALUES):
            if self._root.has(txn, key) and type(child := self._root.get(txn, key)) is not BindingMap:
                return _foreign((key,), child)
        keys = self._root.keys(txn)
        if keys and not {TABLES, VALUES} & set(keys):
            return another_application(self._map_name, keys)
        return foreign_root(self._doc, txn, self._map_name, self._root)

    # -- reading -----------------------------------------------------------------------------------------

    def _find_text(self, txn: Txn, key: TextKey) -> RawText | None:
        found: Any = self._root
        for name in (TABLES, *key):
            if type(found) is not BindingMap or not found.has(txn, name):
                return None
            found = found.get(txn, name)
        return as_text(found)

    def _text_id(self, key: TextKey) -> ItemId | None:
        return text_id(self._doc.get_update(), self._map_name, (TABLES, *key))

    def read_all(self, txn: Txn) -> Received:
        self.texts.forget()
        tables: RawTables = {}
        values: RawValues = {}
        keys = set(self._root.keys(txn))
        if not keys and (error := self.refusal(txn)) is not None:
            self._report(error)
        for key in sorted(keys - {TABLES, VALUES}):
            self._report(
                MirrorError(f"root map {self._map_name!r} holds {key!r}, which is none of a Store's")
            )
        if (tables_map := self._child(txn, self._root, TABLES, ())) is not None:
            tables = self._read_tables(txn, tables_map)
        if (values_map := self._child(txn, self._root, VALUES, ())) is not None:
            values = read_map(txn, values_map)
        return tables, values

    def read(self, txn: Txn, paths: Paths) -> Received:
        tables: RawTables = {}
        tables_map = self._child(txn, self._root, TABLES, ())
        for table_id, rows in paths.tables.items():
            table_map = tables_map and self._child(txn, tables_map, table_id, (TABLES,))
            tables[table_id] = {}
            for row_id, cell_ids in rows.items():
                row_map = table_map and self._child(txn, table_map, row_id, (TABLES, table_id))
                cells = {cell_id: read_key(txn, row_map, cell_id) for cell_id in cell_ids}
                tables[table_id][row_id] = self.texts.read_row(txn, table_id, row_id, cells)
        values_map = self._child(txn, self._root, VALUES, ())
        return tables, {value_id: read_key(txn, values_map, value_id) for value_id in paths.values}

    def _child(self, txn: Txn, parent: RawMap, key: str, path: Path) -> RawMap | None:
        """The map at a key; ``None`` where there is none, and where something else is, which is reported."""
        if not parent.has(txn, key):
            return None
        return self._as_map(parent.get(txn, key), (*path, key))

    def _as_map(self, child: Any, path: Path) -> RawMap | None:
        if type(child) is BindingMap:
            return child  # type: ignore[return-value]
        self._report(_foreign(path, child))
        return None

    def _read_tables(self, txn: Txn, tables_map: RawMap) -> RawTables:
        return {
            table_id: self._read_rows(txn, table_map, (TABLES, table_id))
            for table_id in tables_map.keys(txn)
            if (table_map := self._as_map(tables_map.get(txn, table_id), (TABLES, table_id))) is not None
        }

    def _read_rows(self, txn: Txn, table_map: RawMap, path: Path) -> dict[str, dict[str, object]]:
        return {
            row_id: self.texts.read_row(txn, path[1], row_id, read_map(txn, row_map))
            for row_id in table_map.keys(txn)
            if (row_map := self._as_map(table_map.get(txn, row_id), (*path, row_id))) is not None
        }

    # -- events ------------------------------------------------------------------------------------------

    def translate(self, root: int, events: list[RawMapEvent], txn: Txn) -> Received:
        tables: RawTables = {}
        values: RawValues = {}
        self._replaced.clear()
        self.texts.begin()
        self._made_maps = False
        for event in events:
            path = event.path
            if len(path) == 4:
                if path[0] == TABLES:
                    self.texts.read_event(txn, (str(path[1]), str(path[2]), str(path[3])), event, tables)
                continue
            self.texts.forget()
            if path and path[0] == TABLES and len(path) <= 3:
                for key, change in event.keys.items():
                    self._made_maps |= change["action"] == "add" and len(path) < 3
                    if len(path) == 3:
                        self._cell_changed(txn, str(path[1]), str(path[2]), key, change, tables)
                    elif len(path) == 2:
                        self._row_changed(txn, str(path[1]), key, change, tables)
                    else:
                        self._table_changed(txn, key, change, tables)
            elif path == [VALUES]:
                for key, change in event.keys.items():
                    values[key] = change.get("newValue", UNDEFINED)
            elif not path:
                for key, change in event.keys.items():
                    if key == TABLES:
                        self._tables_changed(txn, change, tables)
                    elif key == VALUES:
                        self._values_changed(txn, change, values)
                    else:
                        self._report(
                            MirrorError(
                                f"root map {self._map_name!r} got {key!r}, which is none of a Store's"
                            )
                        )
        if tables and self.texts.has_any and deletes_texts(self._replica, tables):
            self._deleted_texts = take_deleted(
                self._replica, tables, lambda key: self._find_text(txn, key) is not None
            )
        return tables, values

    def _cell_changed(
        self, txn: Txn, table_id: str, row_id: str, cell_id: str, change: dict[str, Any], tables: RawTables
    ) -> None:
        cell = self.texts.read(txn, table_id, row_id, cell_id, change.get("newValue", UNDEFINED))
        tables.setdefault(table_id, {}).setdefault(row_id, {})[cell_id] = cell
        if type(change.get("newValue")) is type(change.get("oldValue")) is BindingText:
            self.texts.note_lost((table_id, row_id, cell_id), cell, cell_id, TEXT)

    def _row_changed(
        self, txn: Txn, table_id: str, row_id: str, change: dict[str, Any], tables: RawTables
    ) -> None:
        held = self._replica.tables.get(table_id, {}).get(row_id, {})
        path = (TABLES, table_id, row_id)
        row_map = self._as_map(change["newValue"], path) if "newValue" in change else None
        cells: dict[str, object] = {}
        if row_map is not None:
            cells = self.texts.read_row(txn, table_id, row_id, read_map(txn, row_map))
            if change["action"] == "update" and self.texts.made:
                for cell_id in cells:
                    self.texts.note_lost((table_id, row_id, cell_id), cells[cell_id], row_id, MAP)
        lacking = held.keys() - cells.keys()
        if lacking:
            if row_map is not None and change["action"] == "update":
                owed = Paths()
                owed.add({table_id: {row_id: lacking}})
                self._replaced.append((row_id, owed))
            else:
                cells.update(dict.fromkeys(lacking, UNDEFINED))
        tables.setdefault(table_id, {})[row_id] = cells

    def _table_changed(self, txn: Txn, table_id: str, change: dict[str, Any], tables: RawTables) -> None:
        path = (TABLES, table_id)
        table_map = self._as_map(change["newValue"], path) if "newValue" in change else None
        rows = {} if table_map is None else self._read_rows(txn, table_map, path)
        self._adopt_table(
            table_id, rows, tables, table_map is not None and change["action"] == "update", table_id
        )

    def _adopt_table(
        self,
        table_id: str,
        rows: dict[str, dict[str, object]],
        tables: RawTables,
        replaced: bool,
        key: str,
    ) -> None:
        """Take a whole table; what only the Store has is undecided if a map was replaced, else gone."""
        owed = Paths()
        for row_id, held in self._replica.tables.get(table_id, {}).items():
            lacking = held.keys() - rows.get(row_id, {}).keys()
            if lacking and replaced:
                owed.add({table_id: {row_id: lacking}})
            elif lacking:
                rows.setdefault(row_id, {}).update(dict.fromkeys(lacking, UNDEFINED))
        if owed:
            self._replaced.append((key, owed))
        tables[table_id] = rows

    def _tables_changed(self, txn: Txn, change: dict[str, Any], tables: RawTables) -> None:
        tables_map = self._as_map(change["newValue"], (TABLES,)) if "newValue" in change else None
        found = {} if tables_map is None else self._read_tables(txn, tables_map)
        replaced = tables_map is not None and change["action"] == "update"
        for table_id in found.keys() | self._replica.tables.keys():
            self._adopt_table(table_id, found.get(table_id, {}), tables, replaced, TABLES)

    def _values_changed(self, txn: Txn, change: dict[str, Any], values: RawValues) -> None:
        values_map = self._as_map(change["newValue"], (VALUES,)) if "newValue" in change else None
        if values_map is not None:
            values.update(read_map(txn, values_map))
        lacking = self._replica.values.keys() - values.keys()
        if lacking and values_map is not None and change["action"] == "update":
            self._replaced.append((VALUES, Paths(values=dict.fromkeys(lacking))))
        else:
            values.update(dict.fromkeys(lacking, UNDEFINED))

    # -- after the commit --------------------------------------------------------------------------------

    def committed(self, event: RawTransactionEvent, received: bytes | None) -> tuple[Received, Paths | None]:
        tables: RawTables = {}
        values: RawValues = {}
        heal: Paths | None = None
        if self._replaced:
            heal = Paths()
            update, deleted = event.update, event.delete_set
            for key, owed in self._replaced:
                if was_concurrent(update, deleted, key):
                    heal.update(owed)
                    continue
                for table_id, rows in owed.tables.items():
                    for row_id, cell_ids in rows.items():
                        tables.setdefault(table_id, {})[row_id] = dict.fromkeys(cell_ids, UNDEFINED)
                values.update(dict.fromkeys(owed.values, UNDEFINED))
            self._replaced.clear()
        heal = self.texts.heal(event, tables, heal)
        if self._deleted_texts:
            gone, self._deleted_texts = self._deleted_texts, {}
            if is_blind(event, made_maps=self._made_maps):
                heal = heal or Paths()
                heal.add(gone)
                self.texts.restore(gone)
            else:
                for table_id, texts in gone.items():
                    for row_id, cells in texts.items():
                        tables.setdefault(table_id, {}).setdefault(row_id, {}).update(cells)
        if received is not None:
            self._losers.heard(event, received)
        return (tables, values), heal

    @property
    def has_losers(self) -> bool:
        return self._losers.is_waiting

    def recover(self) -> Received:
        tables: RawTables = {}
        values: RawValues = {}
        held_tables, held_values = self._replica.tables, self._replica.values
        for path, value in self._losers.recover().items():
            if path[0] == TABLES and len(path) == 4:
                _, table_id, row_id, cell_id = path
                if cell_id not in held_tables.get(table_id, {}).get(row_id, {}):
                    tables.setdefault(table_id, {}).setdefault(row_id, {})[cell_id] = value
            elif path[0] == VALUES and len(path) == 2 and path[1] not in held_values:
                values[path[1]] = value
        return tables, values

    # -- writing -----------------------------------------------------------------------------------------

    def write(self, txn: Txn, changes: DocumentWrite, *, compare: bool) -> list[MirrorError]:
        tables, values, removed_rows = changes.tables, changes.values, changes.removed_rows
        if changes.texts:
            tables = self.texts.write_edits(txn, changes)
            if not tables and not values:
                return []
        self.texts.forget()
        if self.texts.has_any and deletes_texts(self._replica, tables):
            mark(self._doc, txn, self._root)
        errors: list[MirrorError] = []
        if values:
            values_map = self._writable(txn, self._root, VALUES, (), values, errors)
            if values_map is not None:
                write_map(txn, values_map, values.items(), compare=compare)
        tables_map: RawMap | None = None
        for table_id, rows in tables.items():
            if tables_map is None:
                tables_map = self._writable(txn, self._root, TABLES, (), tables, errors)
                if tables_map is None:
                    break
            if table_id in changes.removed_tables:
                tables_map.remove(txn, table_id)
                continue
            table_map = self._writable(txn, tables_map, table_id, (TABLES,), rows, errors)
            if table_map is None:
                continue
            for row_id, cells in rows.items():
                if removed_rows and (table_id, row_id) in removed_rows:
                    table_map.remove(txn, row_id)
                    continue
                row_map = self._writable(txn, table_map, row_id, (TABLES, table_id), cells, errors)
                if row_map is not None:
                    others = self.texts.write_row(txn, row_map, table_id, row_id, cells, changes.texts)
                    write_map(txn, row_map, others.items(), compare=compare)
        return errors

    def _writable(
        self, txn: Txn, parent: RawMap, key: str, path: Path, content: object, errors: list[MirrorError]
    ) -> RawMap | None:
        """The map to write into, created if there is none; ``None`` where a foreign type stands."""
        if parent.has(txn, key):
            child = parent.get(txn, key)
            if type(child) is not BindingMap:
                errors.append(_foreign((*path, key), child))
                return None
            return child  # type: ignore[return-value]
        if not _has_content(content):
            return None
        name = self._map_name
        if path == (TABLES,):
            self._doc.apply_update(table_update(name, key))
        elif not path and not parent.has(txn, VALUES if key == TABLES else TABLES):
            if (error := self.refusal(txn)) is not None:
                errors.append(error)
                return None
            # Not where one of the two stands already: ours for it, low as its id is, might win.
            self._doc.apply_update(root_update(name))
        if parent.has(txn, key) and type(child := parent.get(txn, key)) is BindingMap:
            return child  # type: ignore[return-value]
        # It was deleted before, or its parent is a container of somebody else's making.
        return parent.insert_map_prelim(txn, key)


def _has_content(content: object) -> bool:
    if isinstance(content, dict):
        return any(map(_has_content, content.values()))
    return content is not UNDEFINED


def _foreign(path: Path, found: object) -> MirrorError:
    kind = type(found).__name__
    return MirrorError(f"the document holds a {kind} at {'/'.join(path)!r}, where a map should be")
