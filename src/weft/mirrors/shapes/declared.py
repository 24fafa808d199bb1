"""The declarations of shapes, and the reading of a whole layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from weft.jsoncodec import check_text
from weft.mirrors.shapes.array_of_maps import ArrayPart
from weft.mirrors.shapes.map_of_maps import MapPart
from weft.mirrors.shapes.map_of_values import RowPart, ValuesPart
from weft.mirrors.shapes.part import Context
from weft.mirrors.shapes.shared_text import TextPart
from weft.mirrors.shapes.tree import Kind, Root
from weft.store import Store
from weft.store.replica import Replica

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weft.mirrors.shapes.part import Part, Shape
    from weft.mirrors.shapes.tree import Place

__all__ = [
    "ArrayOfMaps",
    "MapOfMaps",
    "MapOfValues",
    "Nested",
    "Shapes",
    "SharedText",
    "check_shapes",
    "parse_shapes",
]

Shapes: TypeAlias = "Mapping[str | tuple[str, ...], Shape]"
"""A layout: each table, row, cell or the values with the shape in which the document has it.

Keys are ``"table"``, ``"table.row"``, ``"table.row.cell"``, or tuples of the same ids, which may have dots in
them. A :class:`MapOfValues` under one name keeps the Store's values, whatever the name.
A :class:`SharedText` under ``"table.cell"`` makes that cell of each row of a declared table a text.
"""


@dataclass(frozen=True, slots=True)
class MapOfMaps:
    """A table that the document has as a map, by row id, of maps of cells.

    Attributes:
        root: The root type of a Yjs document, or key in an Automerge document.
        deep: Whether containers in a row are read as JSON, as cells that are lists and dicts. They are not
            written, but for those in ``json``.
        json: Cells whose containers are read as JSON and written as a whole.
    """

    root: str
    deep: bool = False
    json: Iterable[str] = ()

    def __post_init__(self) -> None:
        _check_map(self)

    def bind(self, place: Place, context: Context) -> Part:
        """Make the part that keeps a table."""
        _check_place(self, place, 1)
        return MapPart(
            place, Root(self.root, Kind.MAP).below(context.base), context, self.deep, frozenset(self.json)
        )


@dataclass(frozen=True, slots=True)
class ArrayOfMaps:
    """A table that the document has as a list of maps, one of whose entries is the row's id.

    Attributes:
        root: The root type of a Yjs document, or key in an Automerge document.
        id: The entry that is the row's id, a string or an integer. It is no cell. What has none is no row.
        position: The cell that tells a row's place in the list, counted from 0, if asked for. Writing it
            moves the row; a new row that has none comes last.
        deep: As for :class:`MapOfMaps`.
        json: As for :class:`MapOfMaps`.
    """

    root: str
    id: str = "id"
    position: str | None = None
    deep: bool = False
    json: Iterable[str] = ()

    def __post_init__(self) -> None:
        _check_map(self)
        _check_name("id", self.id)
        if self.position is not None:
            _check_name("position", self.position)
            if self.position == self.id:
                raise ValueError("position and id are the same entry")

    def bind(self, place: Place, context: Context) -> Part:
        """Make the part that keeps a table."""
        _check_place(self, place, 1)
        root = Root(self.root, Kind.LIST).below(context.base)
        return ArrayPart(place, root, context, self.id, self.position, self.deep, frozenset(self.json))


@dataclass(frozen=True, slots=True)
class MapOfValues:
    """The values of a Store, or one row of a table, that the document has as a map.

    Attributes:
        root: The root type of a Yjs document, or key in an Automerge document.
        deep: As for :class:`MapOfMaps`.
        json: As for :class:`MapOfMaps`.
    """

    root: str
    deep: bool = False
    json: Iterable[str] = ()

    def __post_init__(self) -> None:
        _check_map(self)

    def bind(self, place: Place, context: Context) -> Part:
        """Make the part that keeps the values, or a row."""
        root = Root(self.root, Kind.MAP).below(context.base)
        json = frozenset(self.json)
        if context.texts:
            raise ValueError(f"layout: {sorted(context.texts.values())} are values, and those are no texts")
        if len(place) < 2:
            return ValuesPart((), root, context, self.deep, json)
        _check_place(self, place, 2)
        return RowPart(place, root, context, self.deep, json)


@dataclass(frozen=True, slots=True)
class SharedText:
    """A cell that the document has as a text, which JavaScript peers edit as one.

    Under ``"table.row.cell"`` it is a root type of a Yjs document, or a key in an Automerge document. Under
    ``"table.cell"`` of a declared table it is an entry of each row; of no declared table, it is the cell of
    the row that has the name of the root.

    Attributes:
        root: The root type or key; or the entry of each row, the cell's own id unless given.
        xml: Whether it is an XML fragment, as ProseMirror's binding writes it.
    """

    root: str | None = None
    xml: bool = False

    def __post_init__(self) -> None:
        if self.root is not None:
            _check_name("root", self.root)

    def bind(self, place: Place, context: Context) -> Part:
        """Make the part that keeps a cell."""
        if len(place) == 2:
            name = self.root if self.root is not None else place[1]
            place = (place[0], name, place[1])
        _check_place(self, place, 3)
        root = Root(self.root if self.root is not None else place[2], Kind.XML if self.xml else Kind.TEXT)
        return TextPart(place, root.below(context.base), context)


@dataclass(frozen=True, slots=True)
class Nested:
    """A shape that stands inside other maps.

    ::

        {"todos": Nested("app.state", ArrayOfMaps("todos"))}   # doc.getMap("app").get("state").get("todos")

    Attributes:
        path: Names of the maps from the root on, joined by dots, or a tuple of them.
        shape: The shape, whose root is an entry of the last of them.
    """

    path: str | tuple[str, ...]
    shape: Shape

    def __post_init__(self) -> None:
        path = tuple(self.path.split(".")) if isinstance(self.path, str) else tuple(self.path)
        for name in path:
            _check_name("path", name)
        if not path or not all(path):
            raise ValueError(f"path is {self.path!r}; it must name the maps, joined by dots")
        object.__setattr__(self, "path", path)

    def bind(self, place: Place, context: Context) -> Part:
        """Make the part of the inner shape."""
        return self.shape.bind(place, replace(context, base=(*context.base, *self.path)))


def parse_shapes(layout: object, context: Context) -> list[Part]:
    """Bind all that a layout declares.

    Args:
        layout: What the user gave; see :data:`Shapes`.
        context: What to bind it in.

    Raises:
        TypeError: It is no mapping of names to shapes.
        ValueError: It contradicts itself, or a shape cannot keep what it is declared for.
    """
    if not isinstance(layout, Mapping):
        raise TypeError(f"layout is a {type(layout).__name__}; it must be a dict of names to shapes")
    if not layout:
        raise ValueError("layout is empty: it declares nothing to be mirrored")
    shapes: dict[Place, Shape] = {}
    for key, shape in layout.items():
        place = tuple(key.split(".")) if isinstance(key, str) else key
        if not isinstance(place, tuple) or not all(isinstance(name, str) and name for name in place):
            raise TypeError(f"layout has {key!r}: keys are names, joined by dots, or tuples of names")
        if not hasattr(shape, "bind"):
            raise TypeError(f"layout[{key!r}] is {shape!r}, which is no shape: see weft.mirrors.MapOfMaps")
        shapes[place] = shape
    texts: dict[str, dict[str, str]] = {}
    for place, shape in list(shapes.items()):
        if len(place) == 2 and isinstance(shape, SharedText) and place[:1] in shapes:
            if shape.xml:
                raise ValueError(f"layout[{place!r}]: XML fragments in rows cannot be mirrored")
            key = shape.root if shape.root is not None else place[1]
            if texts.setdefault(place[0], {}).setdefault(key, place[1]) != place[1]:
                raise ValueError(f"layout: two cells of {place[0]!r} are the text {key!r}")
            del shapes[place]
    parts = [
        shape.bind(place, replace(context, texts=texts.get(place[0], {}) if len(place) == 1 else {}))
        for place, shape in shapes.items()
    ]
    _check_parts(parts)
    return parts


def check_shapes(layout: object) -> None:
    """Check a layout before there is anything to be mirrored.

    Raises:
        TypeError: It is no mapping of names to shapes.
        ValueError: It contradicts itself, or a shape cannot keep what it is declared for.
    """
    parse_shapes(layout, Context(Replica(Store()), lambda _error: None))


def _check_parts(parts: list[Part]) -> None:
    """Refuse parts that keep the same cells, or stand at the same place."""
    for number, part in enumerate(parts):
        for other in parts[:number]:
            if part.place[: len(other.place)] == other.place[: len(part.place)] and bool(part.place) == bool(
                other.place
            ):
                raise ValueError(f"layout declares {'.'.join(part.place) or 'the values'!r} twice")
            short, long = sorted((part.root.path, other.root.path), key=len)
            if long[: len(short)] == short:
                raise ValueError(f"layout has two shapes at {'/'.join(short)!r}")
            if part.root.name == other.root.name and bool(part.root.keys) != bool(other.root.keys):
                raise ValueError(f"layout needs {part.root.name!r} as two kinds of root")


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{what} is {name!r}; it must be a str")
    check_text(name)


def _check_map(shape: MapOfMaps | MapOfValues | ArrayOfMaps) -> None:
    _check_name("root", shape.root)
    object.__setattr__(shape, "json", _names("json", shape.json))


def _names(what: str, names: object) -> tuple[str, ...]:
    if isinstance(names, str) or not hasattr(names, "__iter__"):
        raise TypeError(f"{what} is {names!r}; it must be several names")
    found = tuple(names)
    for name in found:
        _check_name(what, name)
    return found


def _check_place(shape: object, place: Place, length: int) -> None:
    if len(place) != length:
        what = ("a table", "a row of a table", "a cell")[length - 1]
        raise ValueError(f"a {type(shape).__name__} keeps {what}, and not {'.'.join(place)!r}")
