"""Looking at a document of another application, and proposing a layout for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from weft.mirrors.shapes.declared import ArrayOfMaps, MapOfMaps, MapOfValues, Nested, SharedText
from weft.mirrors.shapes.tree import Kind

if TYPE_CHECKING:
    from weft.mirrors.shapes.part import Shape
    from weft.mirrors.shapes.tree import Place

__all__ = ["Inspection", "Seen", "propose"]

_IDS = ("id", "_id", "uuid", "guid", "key")


@dataclass(slots=True)
class Seen:
    """A container that was found in a document.

    Attributes:
        kind: What it is.
        entries: Of a map: what is at each key, a :class:`Seen` or a cell.
        elements: Of a list: the same of each element.
        size: Of a text: its length in UTF-16 units.
    """

    kind: Kind
    entries: dict[str, Any] = field(default_factory=dict)
    elements: list[Any] = field(default_factory=list)
    size: int = 0


Layout: TypeAlias = "Literal['tinybase', 'flat'] | dict[str | tuple[str, ...], Shape]"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What ``weft.inspect`` has found.

    Attributes:
        layout: For the mirror's ``layout=``, ``weft.connect`` and ``weft.open``; ``None`` for an empty
            document, and for one in which nothing can be a table, values or a text.
        roots: What each root of the document is, in words.
        left: What the layout leaves out, each with the reason.
    """

    layout: Layout | None
    roots: dict[str, str]
    left: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{name!r}: {what}" for name, what in self.roots.items()]
        match self.layout:
            case None:
                lines.append("no layout can be proposed")
            case str():
                lines.append(f"layout={self.layout!r}")
            case _:
                lines.append("layout={")
                for place, shape in self.layout.items():
                    lines.append(f"    {place!r}: {_text_of(shape)},")
                lines.append("}")
        return "\n".join(lines + [f"left out: {line}" for line in self.left])


def propose(roots: dict[str, Seen | object]) -> Inspection:
    """Propose a layout for what was found at the roots of a document."""
    said = {name: _describe(seen) for name, seen in roots.items()}
    for name, seen in roots.items():
        if isinstance(seen, Seen) and (known := _own(name, seen)) is not None:
            others = [f"{other!r}, which is no Store's" for other in roots if other != name]
            return Inspection(known, said, () if known == "flat" else tuple(others))
    proposal = _Proposal()
    loose = {name: seen for name, seen in roots.items() if not isinstance(seen, Seen)}
    for name, seen in roots.items():
        if isinstance(seen, Seen):
            proposal.container((), name, seen)
    proposal.left += [f"{name!r}, a value beside the maps" for name in loose]
    return Inspection(proposal.shapes or None, said, tuple(proposal.left))


def _own(name: str, seen: Seen) -> Literal["tinybase", "flat"] | None:
    """Whether it is a Store's already."""
    if name == "tinybase" and seen.kind is Kind.MAP and seen.entries:
        if set(seen.entries) <= {"t", "v"} and all(isinstance(each, Seen) for each in seen.entries.values()):
            return "tinybase"
        if all(key.count("\x1f") == 2 for key in seen.entries):
            return "flat"
    return None


class _Proposal:
    def __init__(self) -> None:
        self.shapes: dict[str | Place, Any] = {}
        self.left: list[str] = []

    def container(self, base: tuple[str, ...], name: str, seen: Seen) -> None:
        """Propose shapes for a container, and those in it."""
        path = "/".join((*base, name))
        match seen.kind:
            case Kind.LIST:
                self._list(base, name, seen, path)
            case Kind.MAP:
                self._map(base, name, seen, path)
            case Kind.TEXT | Kind.XML:
                xml = seen.kind is Kind.XML
                self._add(base, ("texts", name, "xml" if xml else "text"), SharedText(name, xml=xml))
            case _:
                self.left.append(f"{path!r}, {_describe(seen)}")

    def _list(self, base: tuple[str, ...], name: str, seen: Seen, path: str) -> None:
        maps = [each for each in seen.elements if isinstance(each, Seen) and each.kind is Kind.MAP]
        ids = next(
            (key for key in _IDS if maps and all(_is_id(each.entries.get(key)) for each in maps)), None
        )
        if ids is None or len(maps) < len(seen.elements):
            why = "it is empty" if not seen.elements else "its elements are not all maps with an id"
            self.left.append(f"{path!r}, {_describe(seen)}: {why}")
            return
        self._rows(base, name, maps, ArrayOfMaps(name, id=ids, deep=_is_deep(maps)))

    def _map(self, base: tuple[str, ...], name: str, seen: Seen, path: str) -> None:
        inner = {key: each for key, each in seen.entries.items() if isinstance(each, Seen)}
        rows = [each for each in inner.values() if each.kind is Kind.MAP and _is_row(each)]
        if rows and len(rows) == len(seen.entries):
            self._rows(base, name, rows, MapOfMaps(name, deep=_is_deep(rows)))
            return
        if len(inner) < len(seen.entries):
            if inner:  # a shape has its container for itself
                left = [f"{path}/{key}" for key in inner]
                self.left.append(f"{', '.join(map(repr, left))}: containers beside values")
            row = (f"{_free(name, self.shapes, 'values')}",) if not self._has_values() else ("maps", name)
            self._add(base, row, MapOfValues(name))
            return
        if not inner:
            self.left.append(f"{path!r}, an empty map")
        for key, each in inner.items():
            self.container((*base, name), key, each)

    def _rows(self, base: tuple[str, ...], name: str, rows: list[Seen], shape: Shape) -> None:
        table = _free(name, self.shapes, name)
        self._add(base, (table,), shape)
        texts = {
            key
            for row in rows
            for key, each in row.entries.items()
            if isinstance(each, Seen) and each.kind is Kind.TEXT
        }
        for key in sorted(texts):
            self.shapes[_key((table, key))] = SharedText(key)

    def _has_values(self) -> bool:
        shapes = [shape.shape if isinstance(shape, Nested) else shape for shape in self.shapes.values()]
        return any(
            isinstance(shape, MapOfValues) and len(_parts(place)) == 1
            for place, shape in zip(self.shapes, shapes, strict=True)
        )

    def _add(self, base: tuple[str, ...], place: Place, shape: Shape) -> None:
        self.shapes[_key(place)] = Nested(base, shape) if base else shape


def _parts(place: str | Place) -> Place:
    return tuple(place.split(".")) if isinstance(place, str) else place


def _key(place: Place) -> str | Place:
    return place if any("." in name for name in place) else ".".join(place)


def _free(name: str, shapes: dict[str | Place, Any], wanted: str) -> str:
    """A name for a table or the values that no other has."""
    taken = {_parts(place)[0] for place in shapes}
    if wanted not in taken:
        return wanted
    number = 2
    while f"{name}{number}" in taken:
        number += 1
    return f"{name}{number}"


def _is_row(seen: Seen) -> bool:
    return any(not isinstance(each, Seen) for each in seen.entries.values()) or not seen.entries


def _is_id(found: object) -> bool:
    return isinstance(found, str | int | float) and not isinstance(found, bool) and found != ""


def _is_deep(rows: list[Seen]) -> bool:
    return any(
        isinstance(each, Seen) and each.kind in {Kind.MAP, Kind.LIST}
        for row in rows
        for each in row.entries.values()
    )


def _describe(seen: Seen | object) -> str:
    if not isinstance(seen, Seen):
        return f"a value, {seen!r:.50}"
    match seen.kind:
        case Kind.MAP:
            return f"a map of {len(seen.entries)}"
        case Kind.LIST:
            return f"an array of {len(seen.elements)}"
        case Kind.TEXT:
            return f"a text of {seen.size} characters"
        case Kind.XML:
            return "an XML fragment"
        case _:
            return f"a {seen.kind.value}"


def _text_of(shape: Any) -> str:
    """A shape as one writes it, without what need not be said."""
    if isinstance(shape, Nested):
        path = shape.path if isinstance(shape.path, tuple) else (shape.path,)
        base = repr(path) if any("." in name for name in path) else repr(".".join(path))
        return f"Nested({base}, {_text_of(shape.shape)})"
    said = [repr(shape.root)]
    if isinstance(shape, ArrayOfMaps) and shape.id != "id":
        said.append(f"id={shape.id!r}")
    said += [f"{option}=True" for option in ("deep", "xml") if getattr(shape, option, False)]
    return f"{type(shape).__name__}({', '.join(said)})"
