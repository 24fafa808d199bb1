"""A Y.XmlFragment as the lines of a text: what is a block, what is an atom, and how long each is.

Format: y-prosemirror (1.3) ``sync-plugin.js``. A node is a Y.XmlElement with its attributes, a run of text a
Y.XmlText whose attributes are the marks.

Nobody but the editor knows the schema, so it is read off the document: an element with text in it, or with
nothing, is a block and one line; one with blocks in it is a container; what stands beside text, and what is
named in :data:`ATOMS`, is an atom, which is U+FFFC in the string.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from weft.deltas import compose, utf16_length
from weft.documents.yjs.binding import BindingXmlText
from weft.mirrors.yjs.texts import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft.deltas import Delta
    from weft.documents.yjs.binding import Txn

__all__ = [
    "ATOMS",
    "BLOCK_ATOMS",
    "LITERAL",
    "Element",
    "Line",
    "Node",
    "Run",
    "Unit",
    "children_of",
    "delta_length",
    "find_line",
    "is_atom",
    "line_count",
    "lines",
    "measured",
    "read_node",
    "read_run",
    "units",
]

# Nodes without text of their own, by the names of prosemirror-schema-basic, -tables and Tiptap.
BLOCK_ATOMS = frozenset({"horizontal_rule", "horizontalRule"})
ATOMS = BLOCK_ATOMS | {"image", "hard_break", "hardBreak", "mention", "emoji", "inlineMath", "math_inline"}
# Blocks in which a line break is a character like others.
LITERAL = frozenset({"code_block", "codeBlock"})


class Run:
    """A Y.XmlText.

    Attributes:
        key: What identifies the type in its document; 0 before it is there.
        delta: What it holds, with formats.
    """

    __slots__ = ("delta", "key")

    def __init__(self, delta: Delta, key: int = 0) -> None:
        self.key = key
        self.delta = delta


class Element:
    """A Y.XmlElement.

    Attributes:
        key: As of a run.
        tag: Its name.
        attributes: Of the element.
        children: What it holds.
    """

    __slots__ = ("attributes", "children", "key", "tag")

    def __init__(self, tag: str, attributes: dict[str, Any], children: list[Node], key: int = 0) -> None:
        self.key = key
        self.tag = tag
        self.attributes = attributes
        self.children = children


Node: TypeAlias = Run | Element


class Line(NamedTuple):
    """One line of the text.

    Attributes:
        path: Indices from the fragment to the node.
        node: A block, an atom that stands among blocks, or text that stands there.
        length: In UTF-16 code units, without the line break.
    """

    path: tuple[int, ...]
    node: Node
    length: int


class Unit(NamedTuple):
    """A piece of the text that is one type in the document, or the break behind a line."""

    key: tuple[str, int]
    delta: Delta


def read_node(txn: Txn, raw: Any) -> Node:
    """Read a type of the document, and what is in it."""
    key = hash(raw)
    if type(raw) is BindingXmlText:
        return Run(read_run(txn, raw), key)
    children = [read_node(txn, child) for child in raw.children(txn)]
    if not hasattr(raw, "tag"):  # a fragment in a fragment
        return Element("", {}, children, key)
    return Element(
        raw.tag() or "", {name: plain(value) for name, value in raw.attributes(txn)}, children, key
    )


def read_run(txn: Txn, raw: Any) -> Delta:
    """Read a Y.XmlText."""
    made: Delta = []
    for content, attributes in raw.diff(txn):
        made.append({"insert": plain(content) if isinstance(content, (str, dict)) else {}})
        if attributes:
            made[-1]["attributes"] = plain(attributes)
    return compose(made, ())


def delta_length(delta: Delta) -> int:
    """The length of a text, in UTF-16 code units."""
    return sum(utf16_length(part["insert"]) if isinstance(part["insert"], str) else 1 for part in delta)


def is_atom(node: Node) -> bool:
    """Whether a node is an atom wherever it stands."""
    return isinstance(node, Element) and node.tag in ATOMS


def _is_block(node: Element) -> bool:
    if any(isinstance(child, Run) for child in node.children):
        return True
    return all(is_atom(child) and child.tag not in BLOCK_ATOMS for child in node.children)  # type: ignore[union-attr]


def _length(node: Node) -> int:
    if isinstance(node, Run):
        return delta_length(node.delta)
    if is_atom(node):
        return 1
    return sum(_length(child) if isinstance(child, Run) else 1 for child in node.children)


def lines(node: Node, path: tuple[int, ...]) -> Iterator[Line]:
    """Give the lines that a node is or has."""
    if isinstance(node, Run) or is_atom(node) or _is_block(node):
        yield Line(path, node, _length(node))
        return
    for index, child in enumerate(node.children):
        yield from lines(child, (*path, index))


def units(node: Node) -> Iterator[Unit]:
    """Give what a node is of the text, each line with the break behind it."""
    for line in lines(node, ()):
        is_block = isinstance(line.node, Element) and not is_atom(line.node)
        for child in line.node.children if is_block else (line.node,):  # type: ignore[union-attr]
            if isinstance(child, Run):
                yield Unit(("run", child.key), child.delta)
            else:
                yield Unit(("atom", child.key), [{"insert": {child.tag: child.attributes}}])
        yield Unit(("break", line.node.key), [{"insert": "\n"}])


def find_line(root: Element, lengths: list[int], at: int) -> tuple[Line, int] | None:
    """The line of an offset, and the offset in it; ``None`` behind the end.

    Args:
        root: The fragment.
        lengths: Of its children, with a break behind each line.
        at: The offset.
    """
    for index, length in enumerate(lengths):
        if at < length:
            for line in lines(root.children[index], (index,)):
                if at <= line.length:
                    return line, at
                at -= line.length + 1
        at -= length
    return None


def children_of(node: Element) -> Iterator[tuple[int, int, Node]]:
    """Give children of a block with their index and offset."""
    start = 0
    for index, child in enumerate(node.children):
        yield index, start, child
        start += delta_length(child.delta) if isinstance(child, Run) else 1


def line_count(node: Node) -> int:
    """The length of the lines of a node, each with a break behind it."""
    return sum(line.length + 1 for line in lines(node, ()))


def measured(delta: Delta) -> str:
    """The string of a run with one byte in the place of an embed, as the binding counts."""
    return "".join(part["insert"] if isinstance(part["insert"], str) else "\0" for part in delta)
