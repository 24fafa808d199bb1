"""All parts of a layout together: what of a Store is kept by which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.errors import MirrorError
from weft.mirrors.places import TABLES, VALUES
from weft.mirrors.shapes.declared import parse_shapes
from weft.mirrors.shapes.part import Context, Found
from weft.mirrors.shapes.shared_text import TextPart
from weft.mirrors.shapes.table_part import TablePart
from weft.store.replica import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from weft.mirrors import places
    from weft.mirrors.mirror import DocumentWrite
    from weft.mirrors.shapes.part import Part
    from weft.mirrors.shapes.tree import Tree
    from weft.store.replica import Replica

__all__ = ["Parts"]


class Parts:
    """The parts of one mirror.

    Args:
        layout: As :func:`~weft.mirrors.shapes.declared.parse_shapes` takes it.
        replica: The Store.
        report: Called with what cannot be read or written.

    Attributes:
        all: The parts.
    """

    def __init__(self, layout: object, replica: Replica, report: Callable[[Exception], None]) -> None:
        self._replica = replica
        self._report = report
        self.all: list[Part] = parse_shapes(layout, Context(replica, report))
        self._by_table: dict[str, list[Part]] = {}
        self._values: Part | None = None
        for part in self.all:
            if part.place:
                self._by_table.setdefault(part.place[0], []).append(part)
            else:
                self._values = part
        self._reported: set[str] = set()

    def covers(self, table_id: str, row_id: str, cell_id: str) -> bool:
        """Whether a cell is kept in the document."""
        return any(part.covers(table_id, row_id, cell_id) for part in self._by_table.get(table_id, ()))

    def texts(self) -> Iterator[tuple[str, str, str | None]]:
        """The cells that are shared texts: table, cell, and row or ``None`` for each row."""
        for part in self.all:
            if isinstance(part, TextPart):
                table_id, row_id, cell_id = part.place
                yield table_id, cell_id, row_id
            elif isinstance(part, TablePart):
                for cell_id in part.texts:
                    yield part.place[0], cell_id, None

    @property
    def covers_values(self) -> bool:
        """Whether the values are."""
        return self._values is not None

    def read(self, tree: Tree) -> Found:
        """Read everything."""
        found = Found()
        for part in self.all:
            part.read(tree, found)
        return found

    def read_at(self, tree: Tree, paths: Paths) -> Found:
        """Read some places; what is not kept is as the Store has it."""
        found = Found()
        for table_id in paths.tables:
            for part in self._by_table.get(table_id, ()):
                part.read_at(tree, paths, found)
        if paths.values and self._values is not None:
            self._values.read_at(tree, paths, found)
        return found

    def read_part(self, tree: Tree, part: Part, key: str, action: str, found: Found) -> None:
        """Read all that a part keeps, as a container above it, or its own, is another one or gone.

        Args:
            tree: The document.
            part: The part.
            key: Where the container stands in the one above it.
            action: What happened there: ``"add"``, ``"update"`` or ``"delete"``.
            found: What was read.
        """
        now = Found()
        part.read(tree, now)
        owed = Paths()
        if part.place:
            table_id = part.place[0]
            for row_id, cells in self._replica.tables.get(table_id, {}).items():
                lacking = cells.keys() - now.tables.get(table_id, {}).get(row_id, {}).keys()
                lacking = {cell_id for cell_id in lacking if part.covers(table_id, row_id, cell_id)}
                if lacking:
                    owed.add({table_id: {row_id: lacking}})
        else:
            owed.values.update(dict.fromkeys(self._replica.values.keys() - now.values.keys()))
        if action != "update":
            now.put_gone(owed)
            owed = Paths()
        if owed:
            found.owed.append((key, owed))
        for table_id, read in now.tables.items():
            found.tables.setdefault(table_id, {}).update(read)
        found.values.update(now.values)

    def write(self, tree: Tree, changes: DocumentWrite, *, compare: bool) -> Paths:
        """Write changes, each part its own.

        Returns:
            Places that could not be written; each was reported.
        """
        refused = Paths()
        for table_id, rows in changes.tables.items():
            kept = self._by_table.get(table_id, ())
            for part in kept:
                refused.update(part.write(tree, changes, compare=compare))
            if not kept or len(kept[0].place) > 1:
                self._note_unkept(table_id, rows)
        if changes.values:
            if self._values is not None:
                refused.update(self._values.write(tree, changes, compare=compare))
            else:
                self._note("the values", "are")
        return refused

    def _note_unkept(self, table_id: str, rows: Mapping[str, Iterable[str]]) -> None:
        for row_id, cell_ids in rows.items():
            for cell_id in cell_ids:
                if not self.covers(table_id, row_id, cell_id):
                    self._note(
                        f"cells of table {table_id!r}", f"({row_id!r}, {cell_id!r} the first of them) are"
                    )
                    return

    def _note(self, what: str, which: str) -> None:
        if what not in self._reported:
            self._reported.add(what)
            self._report(
                MirrorError(f"{what} {which} not in the layout: they stay in this Store (said once)")
            )

    def places(self, path: tuple[str, ...]) -> list[places.Place]:
        """Which cells, rows, tables or values of the Store stand at a path of the document."""
        found: list[places.Place] = []
        for part in self.all:
            own = part.root.path
            if path[: len(own)] == own:
                kind = TABLES if part.place else VALUES
                found.extend((kind, *place) for place in part.places(path[len(own) :]))
        return found
