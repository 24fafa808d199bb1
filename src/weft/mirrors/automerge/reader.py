"""What received changes mean for a Store: which places to read again, and which lost writes to put back.

The operations of a change only tell where to look; what stands there now is asked of the document.

Healing. Where two peers create the same container at once, one of the two wins and everything in the other
is hidden, at every peer. What the loser holds and the winner lacks is copied into the winner by every weft
peer that learns of it: the loser's maker may be gone, or be a JavaScript peer, which does not heal. These
copies are *weak*: several peers may make the same one, so a copy gives way to any write that did not know of
it. What peers write into the loser before they learn of the winner is copied too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from weft._codecs.automerge.change import DEL, MAKE_MAP, Decoded, Op, OpId, decode_change
from weft.documents.automerge.binding import ObjType
from weft.errors import MirrorError
from weft.mirrors.automerge.index import Foreign, is_container
from weft.mirrors.automerge.keys import TABLES, VALUES, decode_key, encode_key, object_id, op_id
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from weft.deltas import Delta
    from weft.documents.automerge.binding import Read
    from weft.mirrors.automerge.index import DocumentIndex, Path
    from weft.mirrors.automerge.texts import SharedTexts
    from weft.mirrors.mirror import Report
    from weft.store.replica import Paths, RawTables, RawValues, Replica

__all__ = ["ChangeReader"]

# Containers that have lost and copies that were made, as long as somebody may not have learned of them yet.
# About 250 bytes each; the oldest go first.
_MAX_REMEMBERED = 50_000

Ops: TypeAlias = "list[tuple[Op, bytes]]"  # operations at one place, each with the change it is of
Touched: TypeAlias = "dict[OpId | None, dict[str, Ops]]"  # by object and key


class ChangeReader:
    """Turns changes of the document into what the Store has to take and what the document has to be given.

    Attributes:
        carried: How shared texts among what it has to be given are to be edited; others are made anew.
    """

    def __init__(
        self,
        index: DocumentIndex,
        replica: Replica,
        owed: Callable[[], Paths],
        report: Report,
        texts: SharedTexts,
    ) -> None:
        self._index = index
        self._texts = texts
        self._replica = replica
        self._owed = owed
        self._report = report
        self._lost: dict[OpId, Path] = {}
        self._copies: dict[Path, OpId] = {}
        self._touched: Touched = {}
        self._tables: RawTables = {}
        self._values: RawValues = {}
        self._heals: dict[Path, object] = {}
        self.carried: dict[Path, Delta] = {}
        self._whole: set[Path] = set()  # containers that were read with all below them

    def read(
        self, changes: Iterable[tuple[bytes, Decoded]]
    ) -> tuple[RawTables, RawValues, dict[Path, object]]:
        """Read again what changes have touched.

        Args:
            changes: Each with what it touched.

        Returns:
            What now stands at the touched places of tables and of values, ``UNDEFINED`` where nothing does;
            and what has to be written into the document, by place.
        """
        index = self._index
        self._touched, self._tables, self._values, self._heals = _touched(changes), {}, {}, {}
        self._whole.clear()
        self.carried.clear()
        root = self._touched.get(None, {}).get(index.root_key)
        if root is not None:
            self._read_container((), root)
        places = ((index.place(made), made) for made in self._touched if made is not None)
        alive = [(path, made) for path, made in places if path is not None]
        for path, made in sorted(alive, key=lambda place: len(place[0])):
            if index.place(made) != path:
                continue  # it went with a container above it
            if is_container(path):
                self._read_touched(path, self._touched[made])
            elif not (self._is_within_whole(path) and self._is_read(path)):
                if self._texts.stands_at(path, made):
                    self._put(path, self._texts.read(path, made, self._touched))
                else:
                    self._read_cell(path, [])  # a text that was edited in place
        for lost in [lost for lost in self._touched if lost is not None and lost in self._lost]:
            self._read_lost(lost, self._lost[lost], self._touched[lost])
        self._touched = {}
        return self._tables, self._values, self._heals

    def note_copies(self, paths: Iterable[Path]) -> None:
        """Note what was written because of :meth:`read`: it gives way to writes that did not know of it.

        What stands there now is put into what :meth:`read` returned.
        """
        for path in paths:
            found = self._look(path)
            if found is not None and path not in self.carried:
                if found[0] == ObjType.Text and self._texts.is_text(path):
                    self._texts.note_copy(found[1])
                _remember(self._copies, path, op_id(found[1]))
            self._put(path, self._index.value(found))

    # -- what is alive -----------------------------------------------------------------------------------

    def _read_touched(self, path: Path, keys: dict[str, Ops]) -> None:
        is_whole = self._is_within_whole(path)
        for key, ops in keys.items():
            below = (*path, decode_key(key))
            if not path and key not in {TABLES, VALUES}:
                self._report(MirrorError(f"the document got {key!r} beside a Store's tables and values"))
            elif is_container(below):
                self._read_container(below, ops)
            elif not (is_whole and self._is_read(below)):
                self._read_cell(below, ops)

    def _is_within_whole(self, path: Path) -> bool:
        return bool(self._whole) and any(path[:end] in self._whole for end in range(len(path) + 1))

    def _is_read(self, path: Path) -> bool:
        """Whether what stands at the place of a cell was read, and to read it again would tell nothing."""
        if path in self._copies:
            return False
        if path[0] == VALUES:
            return path[1] in self._values
        return path[3] in self._tables.get(path[1], {}).get(path[2], {})

    def _read_cell(self, path: Path, ops: Ops) -> None:
        self._index.drop([known for op, _ in ops for known in op.preds])
        self._put(path, self._index.cell(path))
        if ops and self._texts.is_text(path):
            self._texts.read_other(path)
            self._carry(path, ops)
        copy = self._copies.get(path)
        if copy is None or not ops:
            return
        found = self._look(path)
        if found is None or op_id(found[1]) != copy:
            del self._copies[path]
            return
        op, change = ops[-1]
        if copy not in op.preds and op.id != copy:
            self._heal(path, self._index.value(self._look(path, change)))

    def _carry(self, path: Path, ops: Ops) -> None:
        """Put what was typed here in a shared text into the one that was made in its place."""
        found, lost = self._look(path), self._texts.replaced(path)
        if found is None or found[0] != ObjType.Text or lost is None:
            return
        name, winner = op_id(lost), op_id(found[1])
        over = [item for item in ops if name in item[0].preds] or [
            item for item in ops if item[0].id == winner
        ]
        if over:
            _, change = min(over, key=lambda item: item[0].id[1])
            known = self._texts.known_to(path, name, decode_change(change).deps)
            self._put_typed(path, self._texts.carry(lost, found[1], known))

    def _put_typed(self, path: Path, edit: tuple[str, Delta] | None) -> None:
        if edit is not None:
            self._heals[path], self.carried[path] = edit

    def _read_container(self, path: Path, ops: Ops) -> None:
        index = self._index
        old, new = index.container(path), index.map_at(path)
        known = {pred for op, _ in ops for pred in op.preds}
        winner = None if new is None else op_id(new)
        lost = [op.id for op, _ in ops if op.action == MAKE_MAP and op.id not in known and op.id != winner]
        was = None if old is None else op_id(old)
        if was != winner:
            # TinyBase replaces a root that looks empty to it, whatever others have put in meanwhile.
            if was is not None and winner is not None and (was not in known or not path):
                lost.append(was)
            index.forget(path)
            tables, values = index.read_tree(path, new) if path else index.read_all()
            self._whole.add(path)
            for table_id, rows in tables.items():
                self._tables.setdefault(table_id, {}).update(rows)
            self._values |= values
            if was is not None:
                self._clear(path, tables, values, was_lost=was in lost)
        if new is not None:
            for made in lost:
                self._copy_lost(made, path)

    def _clear(self, path: Path, tables: RawTables, values: RawValues, *, was_lost: bool) -> None:
        """Say what went with a container; if it has lost, not what the document was yet to be given."""
        owed = self._owed()
        for below in self._held(path):
            match below:
                case (_, table_id, row_id, cell_id):
                    stands = cell_id in tables.get(table_id, {}).get(row_id, {})
                    is_owed = cell_id in owed.tables.get(table_id, {}).get(row_id, ())
                case (_, value_id):
                    stands = value_id in values
                    is_owed = value_id in owed.values
            if not stands and not (was_lost and is_owed):
                self._put(below, UNDEFINED)

    def _held(self, path: Path) -> Iterator[Path]:
        """Places of what the Store holds below a container."""
        tables, values = self._replica.tables, self._replica.values
        if path[:1] != (VALUES,):
            for table_id in tables if len(path) < 2 else path[1:2]:
                rows = tables.get(table_id, {})
                for row_id in rows if len(path) < 3 else path[2:3]:
                    for cell_id in rows.get(row_id, ()):
                        yield TABLES, table_id, row_id, cell_id
        if path[:1] != (TABLES,):
            for value_id in values:
                yield VALUES, value_id

    def _put(self, path: Path, cell: object) -> None:
        if path[0] == VALUES:
            self._values[path[1]] = cell
        else:
            self._tables.setdefault(path[1], {}).setdefault(path[2], {})[path[3]] = cell

    def _look(self, path: Path, change: bytes | None = None) -> Read | None:
        """What stands at the place of a cell, now or for whoever made a change."""
        parent = self._index.container(path[:-1])
        return None if parent is None else self._index.look(parent, encode_key(path[-1]), change)

    # -- what has lost -----------------------------------------------------------------------------------

    def _read_lost(self, made: OpId, path: Path, keys: dict[str, Ops]) -> None:
        for key, ops in keys.items():
            below = (*path, decode_key(key))
            if not is_container(below):
                self._restore(below, object_id(made))
                continue
            known = {pred for op, _ in ops for pred in op.preds}
            for op, _ in ops:
                if op.action == MAKE_MAP and op.id not in known:
                    self._copy_lost(op.id, below)
                elif op.action == DEL:
                    for copied in [copied for copied in self._copies if copied[: len(below)] == below]:
                        self._restore(copied, None)

    def _copy_lost(self, made: OpId, path: Path) -> None:
        """Copy what a container that has lost holds, and the winner lacks."""
        _remember(self._lost, made, path)
        loser = object_id(made)
        for cell_id, found in self._index.cells_of(loser).items():
            below = (*path, cell_id)
            if not is_container(below):
                self._restore(below, loser)
            elif found[0] == ObjType.Map:
                self._copy_lost(op_id(found[1]), below)

    def _restore(self, path: Path, loser: bytes | None) -> None:
        """Give a cell what a container that has lost holds for it, unless somebody wrote it on purpose."""
        index, key = self._index, encode_key(path[-1])
        if len(path) < 2 or index.container(()) is None:
            return  # beside tables and values; or all was deleted
        lost = None if loser is None else index.look(loser, key)
        found = self._look(path)
        if found is not None:
            is_text = lost is not None and lost[0] == found[0] == ObjType.Text and self._texts.is_text(path)
            if self._copies.get(path) != op_id(found[1]) or (
                is_text and self._texts.is_edited_copy(found[1])
            ):
                if is_text and lost is not None:  # whoever made the winner knew nothing of this one
                    self._put_typed(path, self._texts.carry(lost[1], found[1], ()))
                return
        elif lost is None or path in self._heals:
            return
        elif (parent := index.container(path[:-1])) is not None and loser is not None:
            for op, change in self._touched.get(op_id(parent), {}).get(key, ()):
                if op.action == DEL and index.look(loser, key, change) is not None:
                    return  # deleted by somebody who knew of it
        self._heal(path, index.value(lost))

    def _heal(self, path: Path, cell: object) -> None:
        if cell is UNDEFINED or cell is None or isinstance(cell, bool | int | float | str):
            self._heals[path] = cell
        else:
            where = "/".join(path)
            self._report(MirrorError(f"{Foreign(cell)!r:.200} at {where!r} has lost and cannot be put back"))


def _touched(changes: Iterable[tuple[bytes, Decoded]]) -> Touched:
    touched: Touched = {}
    for change, decoded in changes:
        for op in decoded.ops:
            touched.setdefault(op.obj, {}).setdefault(op.key or "", []).append((op, change))
    return touched


def _remember(where: dict[Path, OpId] | dict[OpId, Path], key: Path | OpId, what: OpId | Path) -> None:
    where[key] = what  # type: ignore[index,assignment]
    if len(where) > _MAX_REMEMBERED:
        del where[next(iter(where))]  # type: ignore[arg-type]
