"""Where the containers and texts of a Store stand in an Automerge document, and reading them.

Layout: TinyBase 10 ``persister-automerge``: root key → ``t`` → table → row → cell, and → ``v`` → value. A
string is a Text object. The index finds the place of an object that an operation names, and the object that
is at a place.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeAlias

from weft._codecs.automerge.change import MAKE_MAP, MAKE_TEXT
from weft._codecs.automerge.chunks import change_hash
from weft._codecs.automerge.content import read_content
from weft.documents.automerge.binding import ROOT, ObjType, contained
from weft.errors import MirrorError, RemoteProtocolError
from weft.mirrors.automerge.keys import TABLES, VALUES, decode_key, encode_key, object_id, object_ids, op_id
from weft.mirrors.mirror import another_application
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weft._codecs.automerge.change import Decoded, OpId
    from weft._codecs.automerge.content import Content, Entry
    from weft.documents.automerge.binding import CoreDocument, Read
    from weft.documents.automerge.document import AutomergeDocument
    from weft.documents.automerge.events import Heads
    from weft.mirrors.mirror import Report
    from weft.store.replica import RawTables, RawValues

__all__ = ["DocumentIndex", "Foreign", "Path", "is_container"]

_MAP, _TEXT = ObjType.Map, ObjType.Text

_LARGE = 1_000  # maps in the index
_MAX_UNSETTLED = 50_000  # maps, of about 100 bytes each

Path: TypeAlias = tuple[str, ...]
"""Ids, behind ``t`` or ``v``; ``()`` is the map at the root key."""


def is_container(path: Path) -> bool:
    """Whether a map of the layout has its place there, and not a cell or value."""
    return not path or (len(path) < 4 if path[0] == TABLES else path == (VALUES,))


class Foreign:
    """What stands in a document where a cell should, and is none."""

    __slots__ = ("_kind",)

    def __init__(self, kind: object) -> None:
        self._kind = kind

    def __repr__(self) -> str:
        return f"<{self._kind}>"


class DocumentIndex:
    """The index of one mirror, and what the document holds at its places."""

    def __init__(self, document: AutomergeDocument, name: str, report: Report) -> None:
        self.document = document
        self.root_key = encode_key(name)
        self._report = report
        self._ids: dict[Path, bytes] = {}
        self._rows: dict[str, set[str]] = {}  # rows with a container, by table
        # Containers and texts that are alive, by actor and counter: one of them for each string cell.
        self._places: dict[bytes, dict[int, Path]] = {}
        # Maps in which several things may stand at a key; ``None`` where that may be so in any of them.
        self._unsettled: set[OpId | None] | None = None
        self._content: Content | None = None  # all of the document, while everything is read

    @property
    def core(self) -> CoreDocument:
        """The binding's document."""
        return self.document.core

    # -- the index ---------------------------------------------------------------------------------------

    @property
    def is_large(self) -> bool:
        """Whether a transaction takes the binding longer than a change that was made by hand."""
        return len(self._ids) > _LARGE

    def is_settled(self, made: OpId) -> bool:
        """Whether at each key of a map no more stands than what is seen there."""
        return self._unsettled is not None and made not in self._unsettled

    def unsettle(self, changes: Iterable[tuple[bytes, Decoded]], before: Heads) -> None:
        """Note which maps were written by somebody who did not know all that was there.

        Args:
            changes: Each with what it touched.
            before: Heads of the document without them.
        """
        heads = set(before)
        for change, decoded in changes:
            if self._unsettled is not None and heads != set(decoded.deps):
                self._unsettled.update([op.obj for op in decoded.ops])
                if len(self._unsettled) > _MAX_UNSETTLED:
                    self._unsettled = None
            heads.difference_update(decoded.deps)
            heads.add(change_hash(change))

    def container(self, path: Path) -> bytes | None:
        """The map that is alive at a place."""
        return self._ids.get(path)

    def place(self, made: OpId) -> Path | None:
        """Where a map or text that is alive stands."""
        return self._places.get(made[0], {}).get(made[1])

    def add(self, path: Path, object_id: bytes) -> None:
        """Note an object, a map or a text."""
        self._add_place(op_id(object_id), path)
        if is_container(path):
            self._ids[path] = object_id
            if len(path) == 3:
                self._rows.setdefault(path[1], set()).add(path[2])

    def _add_place(self, made: OpId, path: Path) -> None:
        actor, counter = made
        places = self._places.get(actor)
        if places is None:
            places = self._places[actor] = {}
        places[counter] = path

    def drop(self, made: Iterable[OpId]) -> None:
        """Forget texts that something else stands in the place of; any other id is passed over."""
        for actor, counter in made:
            places = self._places.get(actor)
            if places is not None and not is_container(places.get(counter, ())):
                del places[counter]

    def forget(self, path: Path) -> None:
        """Forget a map and all below it."""
        object_id = self._ids.pop(path, None)
        if object_id is None:
            return
        actor, counter = op_id(object_id)
        del self._places[actor][counter]
        if len(path) == 3:
            self._rows.get(path[1], set()).discard(path[2])
        if len(path) == 3 or path == (VALUES,):
            found = self._raw(object_id).values()
            self.drop([op_id(text_id) for kind, text_id in found if kind == ObjType.Text])
        for below in self._below(path):
            self.forget(below)

    def _below(self, path: Path) -> list[Path]:
        """Places of maps right below a map."""
        match path:
            case ():
                return [(TABLES,), (VALUES,)]
            case (_,) if path[0] == TABLES:
                return [known for known in self._ids if len(known) == 2]
            case (_, table_id):
                return [(TABLES, table_id, row_id) for row_id in self._rows.pop(table_id, ())]
        return []

    # -- reading -----------------------------------------------------------------------------------------

    def read_all(self) -> tuple[RawTables, RawValues]:
        """Make the index anew, and read everything."""
        self._ids.clear()
        self._rows.clear()
        self._places.clear()
        self._content = self._read_content()
        self._unsettled = None if self._content is None else self._content.conflicts
        try:
            return self.read_tree((), self.map_at(()))
        finally:
            self._content = None

    def _read_content(self) -> Content | None:
        if self.document.in_transaction:
            return None
        try:
            with contained("save the document"):
                content = read_content(self.document.saved())
        except RemoteProtocolError:
            return None
        # Ids of the layout are keys that need no decoding, but for a few names.
        return content if content and all(map(_is_plain, content.keys)) else None

    def map_at(self, path: Path) -> bytes | None:
        """The map that the document has at a place now; what else is there is reported."""
        if path:
            parent = self._ids.get(path[:-1])
            found = None if parent is None else self.look(parent, encode_key(path[-1]))
        else:
            found = self.look(ROOT, self.root_key)
        if found is None:
            return None
        if found[0] == ObjType.Map:
            return found[1]
        self._report(foreign(path, found))
        return None

    def refusal(self) -> MirrorError | None:
        """What to say of something that stands where the root, tables or values should."""
        root = self.look(ROOT, self.root_key)
        if root is None or root[0] != ObjType.Map:
            return None if root is None else foreign((), root)
        for key in (TABLES, VALUES):
            found = self.look(root[1], key)
            if found is not None and found[0] != ObjType.Map:
                return foreign((key,), found)
        keys = self.core.keys(root[1])
        if keys and not {TABLES, VALUES} & set(keys):
            return another_application(self.root_key, keys)
        return None

    def read_tree(self, path: Path, object_id: bytes | None) -> tuple[RawTables, RawValues]:
        """Note a map and all below it in the index, and read it."""
        tables: RawTables = {}
        values: RawValues = {}
        if object_id is None:
            return tables, values
        self.add(path, object_id)
        if path == (VALUES,):
            values = self._read_cells(path, object_id)
        elif len(path) == 3:
            tables = {path[1]: {path[2]: self._read_cells(path, object_id)}}
        elif len(path) == 2 and (rows := self._read_rows(path, object_id)) is not None:
            tables = {path[1]: rows} if rows else {}
        elif path:
            for key, found in self._raw(object_id).items():
                self._read_below((*path, decode_key(key)), found, tables)
        else:
            for key, found in self._raw(object_id).items():
                if key not in {TABLES, VALUES}:
                    self._report(
                        MirrorError(f"the document holds {key!r} beside a Store's tables and values")
                    )
                elif found[0] == ObjType.Map:
                    inner_tables, inner_values = self.read_tree((key,), found[1])
                    tables |= inner_tables
                    values |= inner_values
                else:
                    self._report(foreign((key,), found))
        return tables, values

    def _read_below(self, path: Path, found: Read, tables: RawTables) -> None:
        if found[0] != ObjType.Map:
            self._report(foreign(path, found))
        elif len(path) == 3:
            self.add(path, found[1])
            tables.setdefault(path[1], {})[path[2]] = self._read_cells(path, found[1])
        else:
            tables |= self.read_tree(path, found[1])[0]

    def _read_rows(self, path: Path, made: bytes) -> dict[str, dict[str, object]] | None:
        """Read a table at once; ``None`` where that cannot be done."""
        content = self._content
        if content is None:
            return None
        entries = content.maps.get(op_id(made), {})
        objects = [entry[1] for entry in entries.values() if type(entry) is tuple and entry[0] == MAKE_MAP]
        if len(objects) != len(entries):
            return None  # something foreign, to be reported
        paths = list(zip(repeat(TABLES), repeat(path[1]), entries))
        self._ids.update(zip(paths, object_ids(objects), strict=True))
        self._rows.setdefault(path[1], set()).update(entries)
        maps: Mapping[OpId | None, Mapping[str, object]] = content.maps
        rows = dict(zip(entries, [maps.get(each, {}) for each in objects], strict=True))
        for each, row_path in zip(objects, paths, strict=True):
            self._add_place(each, row_path)
            if each in content.parents:
                rows[row_path[2]] = self._entries(content, row_path, each)
        return rows  # type: ignore[return-value]  # the dictionaries are this one's

    def _entries(self, content: Content, path: Path, made: OpId) -> dict[str, object]:
        """Cells of a row, or values, of what was read of the document."""
        texts = content.texts
        cells: dict[str, object] = {}
        for cell_id, entry in content.maps.get(made, {}).items():
            if type(entry) is not tuple:
                cells[cell_id] = entry
            elif entry[0] == MAKE_TEXT:
                self._add_place(entry[1], (*path, cell_id))
                cells[cell_id] = texts.get(entry[1], "")
            else:
                cells[cell_id] = Foreign(_MAP)
        return cells

    def _read_cells(self, path: Path, made: bytes) -> dict[str, object]:
        cells: dict[str, object] = {}
        if self._content is not None:
            return self._entries(self._content, path, op_id(made))
        text = self.core.text
        for key, (kind, found_id) in self._raw(made).items():
            cell_id = decode_key(key)
            if type(kind) is tuple:
                cells[cell_id] = kind[1]
            elif kind == ObjType.Text:
                self.add((*path, cell_id), found_id)
                cells[cell_id] = text(found_id)
            else:
                cells[cell_id] = self.value((kind, found_id))
        return cells

    def cell(self, path: Path) -> object:
        """What stands at the place of a cell or value, noting a text; ``UNDEFINED`` where nothing does."""
        parent = self._ids.get(path[:-1])
        if parent is None:
            return UNDEFINED
        found = self.look(parent, encode_key(path[-1]))
        if found is not None and found[0] == ObjType.Text:
            self.add(path, found[1])
        return self.value(found)

    def look(self, object_id: bytes, key: str, change: bytes | None = None) -> Read | None:
        """What stands at a key of a map, alive or not.

        Args:
            object_id: The map.
            key: The key.
            change: What stood there for whoever made this change, once it was made.
        """
        try:
            with contained("read a value"):
                return self.core.get(object_id, key, None if change is None else [change_hash(change)])
        except RemoteProtocolError:
            return Foreign("a counter, or a value of a later kind"), b""

    def value(self, found: Read | None) -> object:
        """The cell that something read is."""
        if found is None:
            return UNDEFINED
        kind = found[0]
        if type(kind) is tuple:
            return kind[1]
        if kind == ObjType.Text:
            return self.core.text(found[1])
        return kind if isinstance(kind, Foreign) else Foreign(kind)

    def cells_of(self, object_id: bytes) -> dict[str, Read]:
        """What a map holds, alive or not, by id."""
        return {decode_key(key): found for key, found in self._raw(object_id).items()}

    def _raw(self, object_id: bytes) -> dict[str, Read]:
        if self._content is not None:
            entries = self._content.maps.get(op_id(object_id), {})
            return {key: _read(entry) for key, entry in entries.items()}
        core = self.core
        keys = core.keys(object_id)
        try:
            with contained("read a map"):
                return dict(zip(keys, core.values(object_id), strict=True))
        except RemoteProtocolError:  # a counter among them, at which the binding panics
            return {key: found for key in keys if (found := self.look(object_id, key)) is not None}


def _is_plain(key: str) -> bool:
    return key[:1] != "\0"


def _read(entry: Entry) -> Read:
    """What the binding would have said of an entry of a map."""
    if type(entry) is not tuple:
        return (None, entry), b""
    return _MAP if entry[0] == MAKE_MAP else _TEXT, object_id(entry[1])


def foreign(path: Path, found: Any) -> MirrorError:
    """What to say of something that stands where a map should."""
    where = "/".join(path) or "the root key"
    return MirrorError(f"the document holds {found[0]!r:.200} at {where!r}, where a map should be")
