"""Editing a Y.XmlFragment by deltas of its text: what is to be done, found out before anything is.

A line break splits a block and its deletion joins two: the end of the one moves, and everything else stays as
it is. y-prosemirror does likewise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

from weft.deltas import compose, utf16_length
from weft.deltas.offsets import slice_utf16
from weft.errors import MirrorError
from weft.mirrors.yjs.xml_tree import (
    BLOCK_ATOMS,
    LITERAL,
    Element,
    Line,
    Run,
    children_of,
    delta_length,
    find_line,
    is_atom,
    line_count,
    lines,
    measured,
)

if TYPE_CHECKING:
    from weft.deltas import Delta
    from weft.mirrors.yjs.xml_tree import Node

__all__ = ["Add", "Change", "Drop", "Edits", "Made"]

# A block that has to be made where there is none to take after; every schema of ProseMirror's makers has it.
_DEFAULT = "paragraph"
# A node that has lost its blocks and keeps atoms alone counts as a block itself.
_OTHER = "a node would be another kind of line afterwards"
_CELLS = frozenset({"table_cell", "tableCell", "table_header", "tableHeader"})
_PLAIN_CONTAINERS = frozenset({"blockquote", "doc"})


class Change(NamedTuple):
    """Something to do in a Y.XmlText, at a place in bytes: insert a string, or remove or format a length."""

    path: tuple[int, ...]
    place: int
    insert: str
    remove: int
    format: int
    attributes: dict[str, Any]


class Made(NamedTuple):
    """A node as it is to be made; what is done to it later comes later."""

    node: Node
    delta: Delta
    children: list[Made]


class Add(NamedTuple):
    """A node to make, as a child of another."""

    path: tuple[int, ...]
    at: int
    made: Made


class Drop(NamedTuple):
    """A child to delete."""

    path: tuple[int, ...]
    at: int


class Edits:
    """Finds out what a delta does, and does it to the nodes.

    Args:
        root: The fragment. After a refusal it is not what the document has, and has to be read again.
        lengths: Of its children, with a break behind each line; kept up.

    Attributes:
        done: What has to be done to the document, in this order.
    """

    def __init__(self, root: Element, lengths: list[int]) -> None:
        self._root = root
        self._lengths = lengths
        self.done: list[Change | Add | Drop] = []

    def apply(self, delta: Delta) -> None:
        """Find out what a delta does.

        Raises:
            MirrorError: It would leave what no editor can show.
            ValueError: It reaches beyond the end of the text.
        """
        length = max(sum(self._lengths) - 1, 0)
        reach = sum(step.get("retain", 0) + step.get("delete", 0) for step in delta)
        if reach > length:
            raise ValueError(f"the delta reaches offset {reach} of a text of {length} UTF-16 code units")
        at = 0
        for operation in delta:
            if (inserted := operation.get("insert")) is not None:
                formats = {k: v for k, v in (operation.get("attributes") or {}).items() if v is not None}
                if isinstance(inserted, str):
                    self._insert(at, inserted, formats)
                    units = utf16_length(inserted)
                else:
                    self._insert_atom(at, inserted)
                    units = 1
                at += units
                length += units
            elif (count := operation.get("delete")) is not None:
                self._delete(at, count)
                length -= count
            else:
                if attributes := operation.get("attributes"):
                    self._format(at, operation["retain"], dict(attributes))
                at += operation["retain"]
        if max(sum(self._lengths) - 1, 0) != length:
            _refuse(_OTHER)

    # -- finding -----------------------------------------------------------------------------------------

    def _find(self, at: int) -> tuple[Line, int]:
        """The line of an offset, and the offset in it."""
        found = find_line(self._root, self._lengths, at)
        return _refuse(_OTHER) if found is None else found

    def _next(self, line: Line) -> Line | None:
        found = False
        for index in range(line.path[0], min(line.path[0] + 2, len(self._lengths))):
            for other in lines(self._root.children[index], (index,)):
                if found:
                    return other
                found = other.path == line.path
        return None

    def _node(self, path: tuple[int, ...]) -> Element:
        node = self._root
        for index in path:
            node = cast("Element", node.children[index])
        return node

    def _measure(self, path: tuple[int, ...]) -> None:
        self._lengths[path[0]] = line_count(self._root.children[path[0]])

    # -- steps: in the nodes at once, in the document later -----------------------------------------------

    def _add(self, path: tuple[int, ...], index: int, node: Node) -> None:
        self.done.append(Add(path, index, _as_made(node)))
        self._node(path).children.insert(index, node)
        if path:
            self._measure(path)
        else:
            self._lengths.insert(index, line_count(node))

    def _drop(self, path: tuple[int, ...], index: int) -> None:
        self.done.append(Drop(path, index))
        del self._node(path).children[index]
        if path:
            self._measure(path)
        else:
            del self._lengths[index]

    def _change(
        self,
        path: tuple[int, ...],
        run: Run,
        at: int,
        *,
        insert: str = "",
        remove: int = 0,
        format: int = 0,  # noqa: A002 - the word of Y.Text
        attributes: dict[str, Any] | None = None,
    ) -> None:
        attributes = attributes or {}
        text = measured(run.delta)
        place = _size(text, 0, at)
        length = _size(text, at, at + (remove or format))
        self.done.append(
            Change(path, place, insert, length if remove else 0, length if format else 0, attributes)
        )
        step: dict[str, Any] = (
            {"insert": insert} if insert else {"delete": remove} if remove else {"retain": format}
        )
        if attributes:
            step["attributes"] = attributes
        run.delta = compose(run.delta, [{"retain": at}, step] if at else [step])
        self._measure(path)

    # -- inserting ---------------------------------------------------------------------------------------

    def _insert(self, at: int, text: str, attributes: dict[str, Any]) -> None:
        if not self._lengths:
            self._add((), 0, Element(_DEFAULT, {}, []))
        line, offset = self._find(at)
        if isinstance(line.node, Element) and line.node.tag in LITERAL:
            self._insert_text(line, offset, text, attributes)
            return
        for number, part in enumerate(text.split("\n")):
            if number:
                self._break(*self._find(at))
                at += 1
            if part:
                self._insert_text(*self._find(at), part, attributes)
                at += utf16_length(part)

    def _insert_text(self, line: Line, offset: int, text: str, attributes: dict[str, Any]) -> None:
        if isinstance(line.node, Run):
            self._change(line.path, line.node, offset, insert=text, attributes=attributes)
            return
        if is_atom(line.node):
            _refuse(f"a {line.node.tag} has a line of its own: no text can stand in it")
        for index, start, child in children_of(line.node):
            if isinstance(child, Run) and offset <= start + delta_length(child.delta):
                self._change((*line.path, index), child, offset - start, insert=text, attributes=attributes)
                return
            if offset == start:
                self._add(line.path, index, _run(text, attributes))
                return
        self._add(line.path, len(line.node.children), _run(text, attributes))

    def _insert_atom(self, at: int, embed: dict[str, Any]) -> None:
        if len(embed) != 1 or not isinstance(attributes := next(iter(embed.values())), dict):
            _refuse(f"in XML an embed is {{name: {{attributes}}}}, not {embed!r:.100}")
        node = Element(next(iter(embed)), dict(attributes), [])
        if not self._lengths:
            self._add((), 0, Element(_DEFAULT, {}, []))
        line, offset = self._find(at)
        if isinstance(line.node, Run) or is_atom(line.node) or line.node.tag in LITERAL:
            _refuse(f"a {node.tag} cannot stand in {_name(line.node)}")
        if node.tag in BLOCK_ATOMS:
            if line.length:
                _refuse(f"a {node.tag} needs a line of its own: insert a line break first")
            self._drop(line.path[:-1], line.path[-1])
            self._add(line.path[:-1], line.path[-1], node)
            return
        index, tail = self._cut(line, offset)
        if tail is not None:
            self._add(line.path, index, tail)
        self._add(line.path, index, node)

    def _cut(self, line: Line, offset: int) -> tuple[int, Run | None]:
        """Cut a block: gives the index of what follows, and the end of a run that was taken off."""
        for index, start, child in children_of(cast("Element", line.node)):
            if offset <= start:
                return index, None
            if isinstance(child, Run) and offset < start + (length := delta_length(child.delta)):
                kept = offset - start
                tail = Run(compose(child.delta, [{"delete": kept}]))
                _copy(tail)
                self._change((*line.path, index), child, kept, remove=length - kept)
                return index + 1, tail
        return len(cast("Element", line.node).children), None

    def _break(self, line: Line, offset: int) -> None:
        node, (*above, index) = line.node, line.path
        parent = tuple(above)
        if isinstance(node, Run):
            _refuse("text that stands in no block cannot be split")
        if node.tag in LITERAL:
            self._insert_text(line, offset, "\n", {})
        elif is_atom(node):
            self._add(parent, index + offset, Element(_DEFAULT, {}, []))
        elif not offset and line.length:
            self._add(parent, index, Element(node.tag, dict(node.attributes), []))
        elif offset == line.length:
            # What follows a heading is none, as in ProseMirror's own splitBlock.
            is_heading = node.tag == "heading"
            made = Element(_DEFAULT, {}, []) if is_heading else Element(node.tag, dict(node.attributes), [])
            self._add(parent, index + 1, made)
        else:
            moved = [_copy(child) for child in node.children]  # a refusal comes before anything else
            first, tail = self._cut(line, offset)
            moved = moved[first:]
            if tail is not None:
                moved.insert(0, tail)
            for child in reversed(range(first, len(node.children))):
                self._drop(line.path, child)
            self._add(parent, index + 1, Element(node.tag, dict(node.attributes), moved))

    # -- deleting ----------------------------------------------------------------------------------------

    def _delete(self, at: int, count: int) -> None:
        while count:
            line, offset = self._find(at)
            rest = line.length - offset
            following = self._next(line)
            if not offset and count > line.length and following is not None and self._removal(line):
                self._remove(line)
                count -= line.length + 1
            elif rest:
                self._delete_in(line, offset, min(rest, count))
                count -= min(rest, count)
            elif following is None:
                _refuse(_OTHER)
            elif count > following.length and self._removal(following):
                self._remove(following)
                count -= following.length + 1
            else:
                if first := min(count - 1, following.length):
                    self._delete_in(following, 0, first)
                self._join(at)
                count -= first + 1

    def _delete_in(self, line: Line, offset: int, count: int) -> None:
        node = line.node
        if isinstance(node, Run):
            self._change(line.path, node, offset, remove=count)
            return
        if is_atom(node):
            self._drop(line.path[:-1], line.path[-1])
            self._add(line.path[:-1], line.path[-1], Element(_DEFAULT, {}, []))
            return
        for index, start, child in reversed(list(children_of(node))):
            end = start + (delta_length(child.delta) if isinstance(child, Run) else 1)
            first, last = max(start, offset), min(end, offset + count)
            if first >= last:
                continue
            if isinstance(child, Run) and last - first < end - start:
                self._change((*line.path, index), child, first - start, remove=last - first)
            elif isinstance(child, Run) and (
                # An editor types into it again; and what else is there must not be taken for blocks.
                len(node.children) == 1
                or not all(isinstance(other, Run) or is_atom(other) for other in node.children)
            ):
                self._change((*line.path, index), child, 0, remove=end - start)
            else:
                self._drop(line.path, index)

    def _removal(self, line: Line) -> tuple[tuple[int, ...], int] | None:
        """What has to go for a line to go: itself, and what is empty then; ``None`` where that cannot be."""
        *above, index = line.path
        while above and len(self._node(tuple(above)).children) == 1:
            if self._node(tuple(above)).tag in _CELLS:
                return None
            *above, index = above
        parent = self._node(tuple(above))
        if above and not index and parent.tag not in _PLAIN_CONTAINERS:
            # The first of an item of a list is of another kind than what may follow it.
            first, second = parent.children[:2]
            if not (isinstance(first, Element) and isinstance(second, Element) and first.tag == second.tag):
                return None
        return tuple(above), index

    def _remove(self, line: Line) -> None:
        if removal := self._removal(line):
            self._drop(*removal)

    def _join(self, at: int) -> None:
        """Join a line with the following one."""
        line, _ = self._find(at)
        following = cast("Line", self._next(line))
        if not line.length and self._removal(line):
            self._remove(line)
            return
        for one in (line, following):
            if isinstance(one.node, Run) or is_atom(one.node):
                _refuse(f"{_name(one.node)} has a line of its own: it cannot be joined with another")
        if self._removal(following) is None:
            _refuse(
                "the line is the first of something that has more in it: it cannot be joined with another"
            )
        into = cast("Element", line.node).children
        moved = [_copy(child) for child in cast("Element", following.node).children]
        if moved and into:
            last, first = into[-1], moved[0]
            if isinstance(last, Run) and isinstance(first, Run):
                path, end = (*line.path, len(into) - 1), delta_length(last.delta)
                for part in first.delta:
                    self._change(path, last, end, insert=part["insert"], attributes=part.get("attributes"))
                    end += utf16_length(part["insert"])
                del moved[0]
        self._remove(following)
        for child in moved:
            self._add(line.path, len(into), child)

    # -- formatting --------------------------------------------------------------------------------------

    def _format(self, at: int, count: int, attributes: dict[str, Any]) -> None:
        while count > 0:
            line, offset = self._find(at)
            taken = min(count, line.length - offset)
            if isinstance(line.node, Run):
                self._format_run(line.path, line.node, offset, taken, attributes)
            elif not is_atom(line.node):
                for index, start, child in children_of(line.node):
                    if isinstance(child, Run):
                        self._format_run((*line.path, index), child, offset - start, taken, attributes)
            at += taken + 1
            count -= taken + 1

    def _format_run(
        self, path: tuple[int, ...], run: Run, offset: int, count: int, attributes: dict[str, Any]
    ) -> None:
        first, last = max(offset, 0), min(offset + count, delta_length(run.delta))
        if first < last:
            self._change(path, run, first, format=last - first, attributes=attributes)


def _refuse(reason: str) -> NoReturn:
    raise MirrorError(f"the XML of the document cannot take the edit: {reason}")


def _name(node: Node) -> str:
    return "text that stands in no block" if isinstance(node, Run) else f"a {node.tag}"


def _run(text: str, attributes: dict[str, Any]) -> Run:
    return Run([{"insert": text, "attributes": attributes} if attributes else {"insert": text}])


def _copy(node: Node) -> Node:
    """A node like another, that can be made elsewhere."""
    if isinstance(node, Run):
        if any(not isinstance(part["insert"], str) for part in node.delta):
            _refuse("text with embeds in it cannot be moved")
        return Run(node.delta)
    return Element(node.tag, dict(node.attributes), [_copy(child) for child in node.children])


def _as_made(node: Node) -> Made:
    if isinstance(node, Run):
        return Made(node, node.delta, [])
    return Made(node, [], [_as_made(child) for child in node.children])


def _size(text: str, start: int, end: int) -> int:
    """The bytes of UTF-8 between two offsets."""
    return end - start if text.isascii() else len(slice_utf16(text, start, end).encode())
