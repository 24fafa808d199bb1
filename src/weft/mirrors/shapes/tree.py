"""A document as shapes see it: maps, lists and texts, whichever library keeps them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weft.deltas import Delta

__all__ = ["Kind", "Node", "Place", "Root", "Tree"]

Node: TypeAlias = Any
"""A container in a document; it stays valid as long as the container lives."""

Place: TypeAlias = tuple[str, ...]
"""What a shape is declared for, a table, row or cell by its ids:

``(table,)``, ``(table, row)``, ``(table, row, cell)``; or ``()``, the values.
"""


class Kind(Enum):
    """What a container is."""

    MAP = "map"
    LIST = "array"
    TEXT = "text"
    XML = "XML fragment"
    OTHER = "type that weft does not know"


@dataclass(frozen=True, slots=True)
class Root:
    """Where a container stands in a document.

    Attributes:
        name: Of a root type of a Yjs document, or key in the root map of an Automerge document.
        kind: What is to stand there.
        keys: Of maps below that, up to the container.
    """

    name: str
    kind: Kind
    keys: tuple[str, ...] = ()

    def below(self, base: tuple[str, ...]) -> Root:
        """The same below other maps, of which the first is the root."""
        return replace(self, name=base[0], keys=(*base[1:], self.name, *self.keys)) if base else self

    @property
    def path(self) -> tuple[str, ...]:
        """All its keys, the root's name first."""
        return (self.name, *self.keys)

    def __str__(self) -> str:
        return "/".join(self.path)


class Tree(Protocol):
    """One document within one transaction.

    What a map or list holds is read as a *cell* (``str``, ``bool``, ``None``, a number, a ``list`` or
    ``dict`` that the document holds as one value), as a :data:`Node`, or as something that is neither and
    that the Store will refuse, such as bytes. Nothing is ``UNDEFINED``.
    """

    nodes: frozenset[type]
    """The types of nodes."""

    def find(self, root: Root) -> Node | None:
        """The container there.

        ``None`` where there is none, and where another kind of it is, which is reported.
        """

    def make(self, root: Root) -> Node | None:
        """The same, created with all above it if need be, so that two peers who do it at once have one."""

    def kind(self, value: object) -> Kind | None:
        """Of what was read: what kind of container, or ``None`` for whatever is none."""

    def get(self, node: Node, key: str) -> object:
        """What a map holds."""

    def items(self, node: Node) -> dict[str, object]:
        """All that a map holds."""

    def elements(self, node: Node) -> list[object]:
        """All that a list holds."""

    def length(self, node: Node) -> int:
        """How many elements a list has."""

    def text(self, node: Node) -> str:
        """The string that a text is."""

    def text_at(self, node: Node, key: str) -> Node | None:
        """The text at a key of a map, also where ``get`` reads it as a string."""

    def to_json(self, value: object) -> object:
        """What was read, with all in it, as JSON; what JSON has not is ``None``."""

    def put(self, node: Node, key: str, cell: object, *, deep: bool) -> None:
        """Set a key of a map to a cell.

        Args:
            node: The map.
            key: The key.
            cell: In its stored form.
            deep: Whether lists and dicts may become containers, where the document has no other way.

        Raises:
            MirrorError: They may not, and would have to. Nothing was written.
        """

    def remove(self, node: Node, key: str) -> None:
        """Delete a key of a map; nothing happens where there is none."""

    def make_map(self, node: Node, key: str) -> Node:
        """Make a map at a key of a map."""

    def make_text(self, node: Node, key: str, text: str) -> Node:
        """Make a text at a key of a map."""

    def edit_text(self, node: Node, delta: Delta) -> None:
        """Edit a text in place."""

    def insert_map(self, node: Node, index: int) -> Node:
        """Make a map in a list."""

    def delete(self, node: Node, index: int) -> None:
        """Delete an element of a list."""

    def copy(self, source: Node, target: Node) -> None:
        """Copy all that a map holds into an empty one, containers too.

        Raises:
            MirrorError: Something in it cannot be copied.
        """

    def keep(self, part: object, at: tuple[str, ...], node: Node) -> None:
        """Have changes of a container below a part's own told to it with these keys.

        Where changes come with their path already, nothing has to be kept.
        """

    def forget(self, part: object, at: tuple[str, ...]) -> None:
        """The containers at these keys, and below, are gone."""


Written: TypeAlias = "Mapping[str, Mapping[str, object]]"
