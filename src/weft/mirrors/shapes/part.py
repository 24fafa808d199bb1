"""What a shape provides to a mirror: the protocols that shapes of one's own implement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from weft.errors import MirrorError
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from weft.deltas import Delta
    from weft.mirrors.mirror import DocumentWrite
    from weft.mirrors.shapes.tree import Node, Place, Root, Tree
    from weft.store.replica import Paths, RawTables, RawValues, Replica

__all__ = ["Change", "Context", "Found", "Part", "Shape"]


@dataclass(slots=True)
class Change:
    """What happened to one container in one transaction of the document.

    Attributes:
        node: The container.
        at: Where it stands below the container of the part: ``()`` for that itself, or the keys below it.
        keys: Of a map: the keys that were written or deleted, each with ``"add"``, ``"update"`` or
            ``"delete"``.
        delta: Of a text or list: what was done, if the document tells; else it has to be read again. What was
            inserted into a list is a list of what :class:`~weft.mirrors.shapes.tree.Tree` reads.
    """

    node: Node
    at: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    delta: list[dict[str, object]] | None = None


@dataclass(slots=True)
class Found:
    """What the Store is to take, collected.

    Attributes:
        tables: Cells, ``UNDEFINED`` where nothing is.
        values: Values likewise.
        deltas: How texts among the cells came to be what they are, where that is known.
        owed: What was replaced by another, by its key, with the cells and values that the Store has and the
            new one lacks: made twice at once, they are written again; replaced on purpose, they are gone.
    """

    tables: RawTables = field(default_factory=dict)
    values: RawValues = field(default_factory=dict)
    deltas: dict[tuple[str, str, str], Delta] = field(default_factory=dict)
    owed: list[tuple[str, Paths]] = field(default_factory=list)

    def put(self, table_id: str, row_id: str, cell_id: str, cell: object) -> None:
        """Note a cell."""
        self.tables.setdefault(table_id, {}).setdefault(row_id, {})[cell_id] = cell

    def put_gone(self, paths: Paths) -> None:
        """Note that nothing is at some places."""
        for table_id, rows in paths.tables.items():
            for row_id, cell_ids in rows.items():
                row = self.tables.setdefault(table_id, {}).setdefault(row_id, {})
                row.update(dict.fromkeys(cell_ids, UNDEFINED))
        self.values.update(dict.fromkeys(paths.values, UNDEFINED))

    def __bool__(self) -> bool:
        return bool(self.tables or self.values)


@dataclass(frozen=True, slots=True)
class Context:
    """What a shape is bound in.

    Attributes:
        replica: The Store, to be read.
        report: Called with what can be neither read nor written.
        base: Keys of the maps in which the shape stands.
        texts: Cells that are shared texts, by the key that their row has for them.
    """

    replica: Replica
    report: Callable[[Exception], None]
    base: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)

    def foreign(self, where: str, found: object) -> None:
        """Report what stands where something else should."""
        self.report(
            MirrorError(f"the document holds {found!r:.100} at {where!r}, which the layout does not have")
        )


class Part(Protocol):
    """A shape, bound to a part of a Store and to a container of a document.

    It works within a transaction that the mirror has opened, and may keep what it has learned of the
    document.
    """

    root: Root
    place: Place

    def covers(self, table_id: str, row_id: str, cell_id: str) -> bool:
        """Whether a cell is kept here; never asked of a part that keeps values."""

    def read(self, tree: Tree, found: Found) -> None:
        """Read everything."""

    def read_at(self, tree: Tree, paths: Paths, found: Found) -> None:
        """Read what stands at those of the places that are kept here; ``UNDEFINED`` where nothing does."""

    def changed(self, tree: Tree, change: Change, found: Found) -> None:
        """Read what a change has touched."""

    def follow(self, tree: Tree, change: Change) -> None:
        """Hear of a change that was this part's own writing, so that what it keeps stays right."""

    def write(self, tree: Tree, changes: DocumentWrite, *, compare: bool) -> Paths:
        """Write what is kept here; where it is ``UNDEFINED``, delete it.

        Returns:
            Places that could not be written: the Store takes what the document holds there. Each was
            reported.
        """

    def places(self, keys: tuple[str, ...]) -> Collection[Place]:
        """Which cell, row or value stands at keys below the part's container, if any."""


class Shape(Protocol):
    """A declaration, such as :class:`~weft.mirrors.shapes.declared.MapOfMaps`."""

    def bind(self, place: Place, context: Context) -> Part:
        """Make the part that keeps a place.

        Raises:
            ValueError: The shape cannot keep such a place.
        """


def held_row(context: Context, table_id: str, row_id: str) -> Mapping[str, object]:
    """What the Store holds of a row."""
    return context.replica.tables.get(table_id, {}).get(row_id, {})


def has_content(cells: Mapping[str, object]) -> bool:
    """Whether any of these cells is to be set."""
    return any(cell is not UNDEFINED for cell in cells.values())


def open_to_write(tree: Tree, part: Part, is_wanted: Callable[[], bool]) -> Node | None:
    """The container of a part; made where it is not there, if there is anything to be set in it."""
    node = tree.find(part.root)
    if node is None and is_wanted() and (node := tree.make(part.root)) is not None:
        tree.keep(part, (), node)
    return node
