"""Writing a Store's changes into an Automerge document, in the types that JavaScript reads as a Store's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from weft.deltas import from_cell
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
from weft.jsoncodec import MAX_SAFE_INTEGER
from weft.mirrors.automerge.index import foreign
from weft.mirrors.automerge.keys import TABLES, VALUES, encode_key, op_id
from weft.mirrors.mirror import is_equal
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from weft.deltas import Delta
    from weft.documents.automerge.binding import CoreTransaction
    from weft.errors import MirrorError
    from weft.mirrors.automerge.index import DocumentIndex, Path
    from weft.mirrors.automerge.texts import SharedTexts
    from weft.mirrors.mirror import DocumentWrite
    from weft.store.replica import TextKey

__all__ = ["CellWriter", "Target", "TransactionTarget"]


class Target(Protocol):
    """What is written to."""

    def make_map(self, obj: bytes, key: str) -> bytes: ...
    def make_text(self, obj: bytes, key: str, text: str) -> bytes: ...
    def put(self, obj: bytes, key: str, cell: int | float | None) -> None: ...
    def delete(self, obj: bytes, key: str) -> None: ...
    def edit_text(self, made: bytes, cell: str, delta: Delta | None) -> None: ...
    def edit_texts(self, changes: DocumentWrite) -> Collection[TextKey]: ...


class TransactionTarget:
    """Writes into an open transaction."""

    def __init__(self, transaction: CoreTransaction, texts: SharedTexts) -> None:
        self._transaction = transaction
        self._texts = texts
        self.delete = transaction.delete

    def make_map(self, obj: bytes, key: str) -> bytes:
        """Make a map at a key of a map."""
        return self._transaction.put_object(obj, key, ObjType.Map)

    def make_text(self, obj: bytes, key: str, text: str) -> bytes:
        """Make a text at a key of a map."""
        made = self._transaction.put_object(obj, key, ObjType.Text)
        if text:
            self._transaction.splice_text(made, 0, 0, text)
        return made

    def edit_text(self, made: bytes, cell: str, delta: Delta | None) -> None:
        """Make a text what a cell holds, by an edit if it leads there."""
        self._texts.edit(self._transaction, made, cell, delta)

    def edit_texts(self, changes: DocumentWrite) -> Collection[TextKey]:
        """Edit the texts that are there as changes say; gives which."""
        return self._texts.edit_all(self._transaction, changes)

    def put(self, obj: bytes, key: str, cell: int | float | None) -> None:
        """Set a key of a map."""
        kind: object = ScalarType.F64
        if cell is None:
            kind = ScalarType.Null
        elif isinstance(cell, bool):
            kind = ScalarType.Boolean
        elif isinstance(cell, int):
            kind = ScalarType.Int
        self._transaction.put(obj, key, kind, cell)


class CellWriter:
    """Writes within one transaction, and keeps the index in step.

    Args:
        index: The index. It is spoilt where the transaction is rolled back: read it anew then.
        target: What is written to.
        is_text: Whether a shared text has its place there.
    """

    __slots__ = ("_edited", "_index", "_is_text", "_made", "_target", "errors")

    def __init__(
        self,
        index: DocumentIndex,
        target: Target,
        is_text: Callable[[Path], bool] = lambda _: False,
    ) -> None:
        self._index = index
        self._target = target
        self._is_text = is_text
        self._edited: set[Path] = set()  # shared texts
        self._made: set[bytes] = set()  # containers, in which nothing is but what was written here
        self.errors: list[MirrorError] = []  # what stood in the way, once each; the rest was written

    def write(self, changes: DocumentWrite) -> None:
        """Write changes."""
        edits: dict[Path, Delta] = {(TABLES, *key): delta for key, delta in changes.texts.items()}
        if edits:
            self._edited = {(TABLES, *key) for key in self._target.edit_texts(changes)}
        for table_id, rows in changes.tables.items():
            if table_id in changes.removed_tables:
                self._remove((TABLES, table_id))
                continue
            for row_id, cells in rows.items():
                path = (TABLES, table_id, row_id)
                if (table_id, row_id) in changes.removed_rows:
                    self._remove(path)
                else:
                    self.write_map(path, cells, edits)
        if changes.values:
            self.write_map((VALUES,), changes.values)

    def write_map(
        self, path: Path, cells: Mapping[str, object], edits: Mapping[Path, Delta] | None = None
    ) -> None:
        """Write cells of one row, or values; ``UNDEFINED`` deletes.

        Args:
            path: The row's place, or that of the values.
            cells: What to write.
            edits: How shared texts are edited, by place; of others it is the smallest edit.
        """
        edits = edits or {}
        index = self._index
        container = index.container(path)
        fresh = container is None
        if container is None:
            if all(cell is UNDEFINED for cell in cells.values()):
                return
            container = self._create(path)
            if container is None:
                return
        for cell_id, cell in cells.items():
            key = encode_key(cell_id)
            found = None if fresh else index.look(container, key)
            if found is not None:
                below = (*path, cell_id)
                if below in self._edited:
                    continue
                if found[0] == ObjType.Text and isinstance(cell, str) and self._is_text(below):
                    self._target.edit_text(found[1], cell, edits.get(below))
                    continue
                if cell is not UNDEFINED and is_equal(index.value(found), cell):
                    continue
                if found[0] == ObjType.Text:
                    index.drop([op_id(found[1])])
            if cell is not UNDEFINED:
                below = (*path, cell_id)
                self._put(container, key, below, cell, edits.get(below))
            elif found is not None:
                self._target.delete(container, key)

    def _put(self, container: bytes, key: str, path: Path, cell: object, edit: Delta | None) -> None:
        match cell:
            case str():
                is_text = self._is_text(path)
                edit = edit if is_text else None
                text = "" if edit else from_cell(cell) if is_text else cell
                made = self._target.make_text(container, key, text)
                self._index.add(path, made)
                if edit:
                    self._target.edit_text(made, cell, edit)
            case None | bool():
                self._target.put(container, key, cell)
            case int() if -MAX_SAFE_INTEGER <= cell < MAX_SAFE_INTEGER:  # JavaScript reads others as BigInt
                self._target.put(container, key, cell)
            case _:
                self._target.put(container, key, float(cell))  # type: ignore[arg-type]

    def _create(self, path: Path) -> bytes | None:
        """Make a map and those above it; ``None`` where something else stands in the way."""
        index = self._index
        key = encode_key(path[-1]) if path else index.root_key
        parent = (index.container(path[:-1]) or self._create(path[:-1])) if path else ROOT
        if parent is None:
            return None
        known = index.container(path)  # made as a sibling
        if known is not None:
            return known
        found = None if parent in self._made else index.look(parent, key)
        if found is not None:
            self.errors.append(foreign(path, found))
            return None
        made = self._target.make_map(parent, key)
        self._made.add(made)
        index.add(path, made)
        if len(path) == 1:  # TinyBase reads neither of the two where one is missing
            sibling = (VALUES,) if path == (TABLES,) else (TABLES,)
            if index.container(sibling) is None:
                self._create(sibling)
        return made

    def _remove(self, path: Path) -> None:
        parent = self._index.container(path[:-1])
        if parent is not None and self._index.container(path) is not None:
            self._index.forget(path)
            self._target.delete(parent, encode_key(path[-1]))
