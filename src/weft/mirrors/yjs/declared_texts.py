"""The texts of a declared layout: root types, entries of maps that are one cell, entries of rows.

A Y.Text is one as it is, a Y.XmlFragment as the lines of its blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from pycrdt import Map, Text, XmlFragment

from weft.documents.yjs.binding import BindingXmlFragment, in_observer, read_now
from weft.mirrors.shapes.tree import Kind
from weft.mirrors.yjs import positions, xml_positions
from weft.mirrors.yjs.healing import text_id
from weft.mirrors.yjs.texts import read_delta, read_string, to_utf16_delta
from weft.mirrors.yjs.xml_texts import XmlSharedText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pycrdt import Doc

    from weft._codecs.yjs.update import ItemId
    from weft.deltas import Delta
    from weft.documents.yjs.binding import Txn
    from weft.mirrors.shapes.shared_text import TextPart
    from weft.mirrors.shapes.table_part import TablePart
    from weft.mirrors.shapes.tree import Root, Tree
    from weft.store.replica import Replica, TextKey

__all__ = ["DeclaredTexts"]

T = TypeVar("T")
Name: TypeAlias = "Callable[[], ItemId | str | None]"


class DeclaredTexts:
    """Reads and follows them, and serves their formats and positions to the Store.

    Args:
        doc: The document.
        parts: The texts that are declared.
    """

    def __init__(self, doc: Doc[Any], parts: Iterable[TextPart]) -> None:
        self._doc = doc
        self.rows: dict[str, TablePart] = {}  # tables with texts in their rows
        self.tree: Callable[[Txn], Tree] | None = None
        self.parts: dict[TextKey, TextPart] = {cast("TextKey", part.place): part for part in parts}
        self._strings: dict[int, str] = {}  # of each Y.Text, as it was read or written last
        self._xml: dict[int, XmlSharedText] = {}
        self._heard: dict[TextKey, Delta] = {}

    def declare(self, replica: Replica) -> Iterator[Callable[[], object]]:
        """Tell the Store which cells are texts; gives what ends that."""
        for table_id, row_id, cell_id in self.parts:
            yield replica.declare_text(table_id, cell_id, row_id)
        for table_id, part in self.rows.items():
            for cell_id in part.texts:
                yield replica.declare_text(table_id, cell_id)
        if self.parts or self.rows:
            yield replica.serve_texts(self)

    def forget(self) -> None:
        """Read them anew."""
        self._strings.clear()
        self._xml.clear()

    # -- what the layout asks ----------------------------------------------------------------------------

    def read(self, txn: Txn, node: Any) -> str:
        """The string of a text."""
        if type(node) is BindingXmlFragment:
            return self._fragment(txn, node).string
        string = self._strings[hash(node)] = read_string(txn, node)
        return string

    def write_xml(self, txn: Txn, node: Any, delta: Delta) -> None:
        """Edit a Y.XmlFragment.

        Raises:
            MirrorError: It would leave what no editor can show. Nothing was done.
        """
        self._fragment(txn, node).write(txn, delta)

    def _fragment(self, txn: Txn, node: Any) -> XmlSharedText:
        key = hash(node)
        if key not in self._xml:
            self._xml[key] = XmlSharedText(txn, node)
        return self._xml[key]

    def translate(self, txn: Txn, node: Any, events: list[Any], below: int) -> Delta | None:
        """How a text changed, by its events; ``None`` where that is not known.

        Args:
            txn: The transaction of the events.
            node: The text.
            events: The binding's, of the text and what is in it.
            below: How long the path of the text is in them.
        """
        key = hash(node)
        if type(node) is BindingXmlFragment:
            known = self._xml.get(key)
            if known is None or known.is_written:  # what was written is in the events as well
                self._xml[key] = XmlSharedText(txn, node)
                return None
            try:
                return known.translate(txn, events, below=below)
            except Exception:
                del self._xml[key]
                raise
        old = self._strings.get(key)
        new = self.read(txn, node)
        return None if old is None else to_utf16_delta(events[0].delta, old, new)

    def follow(self) -> None:
        """Hear that the document has told of what was written."""
        for text in self._xml.values():
            text.is_written = False

    def note(self, deltas: dict[TextKey, Delta]) -> None:
        """Note how texts changed, for the Store."""
        self._heard.update(deltas)

    def take_heard(self) -> dict[TextKey, Delta]:
        """Give, and forget, how texts changed."""
        heard, self._heard = self._heard, {}
        return heard

    # -- what the Store is served ------------------------------------------------------------------------

    def delta(self, table_id: str, row_id: str, cell_id: str) -> Delta | None:
        """The text with its formats."""

        def read(txn: Txn, node: Any, name: Name) -> Delta | None:
            if type(node) is BindingXmlFragment:
                return self._fragment(txn, node).delta()
            return read_delta(txn, node)

        return self._look((table_id, row_id, cell_id), read)

    def position(
        self, table_id: str, row_id: str, cell_id: str, offset: int, assoc: int
    ) -> dict[str, Any] | None:
        """The relative position of an offset, as ``Y.relativePositionToJSON`` gives it."""

        def read(txn: Txn, node: Any, name: Name) -> dict[str, Any] | XmlSharedText | None:
            if type(node) is BindingXmlFragment:
                return self._fragment(txn, node)
            return positions.position_of(self._doc, txn, node, offset, assoc, name)

        key = table_id, row_id, cell_id
        found: dict[str, Any] | XmlSharedText | None = self._look(key, read)
        if not isinstance(found, XmlSharedText):
            return found
        root = self.parts[key].root
        return xml_positions.position_of(self._doc, found, _finder(root), _name(root), offset, assoc)

    def offset(self, table_id: str, row_id: str, cell_id: str, position: Any) -> int | None:
        """The offset of a relative position."""

        def read(txn: Txn, node: Any, name: Name) -> int | XmlSharedText | None:
            if type(node) is BindingXmlFragment:
                return self._fragment(txn, node)
            return positions.resolve(self._doc, txn, node, position, name)

        key = table_id, row_id, cell_id
        found: int | XmlSharedText | None = self._look(key, read)
        if not isinstance(found, XmlSharedText):
            return found
        root = self.parts[key].root
        return xml_positions.resolve(self._doc, found, _finder(root), _name(root), position)

    def _look(self, key: TextKey, read: Callable[[Txn, Any, Name], T]) -> T | None:
        """Read something of a text; ``None`` where there is none, and where nothing can be read."""
        part, of_rows = self.parts.get(key), self.rows.get(key[0])
        if part is None and of_rows is None:
            return None

        def look(txn: Txn) -> T | None:
            if part is not None:
                node, root = _find(self._doc, txn, part.root), part.root
                return None if node is None else read(txn, node, lambda: _name(root))
            path = cast("TablePart", of_rows).path_of_text(key[1], key[2])
            node = self._in_row(txn, key)
            return None if node is None else read(txn, node, lambda: self._id(path))

        return read_now(self._doc, look)

    def _in_row(self, txn: Txn, key: TextKey) -> Any | None:
        part = self.rows[key[0]]
        return None if self.tree is None else part.find_text(self.tree(txn), key[1], key[2])

    def _id(self, path: tuple[str, ...] | None) -> ItemId | None:
        if path is None or in_observer(self._doc):
            return None  # an element of a list; or the binding gives no update
        return text_id(self._doc.get_update(), path[0], path[1:])


def _name(root: Root) -> str | None:
    """The name by which relative positions know a root type."""
    return None if root.keys else root.name


def _find(doc: Doc[Any], txn: Txn, root: Root) -> Any | None:
    kind: Any = Map if root.keys else XmlFragment if root.kind is Kind.XML else Text
    node: Any = cast("Any", doc.get(root.name, type=kind)).integrated
    for key in root.keys:
        if not node.has(txn, key):
            return None
        node = node.get(txn, key)
    return node


def _finder(root: Root) -> Callable[[Doc[Any], Txn], Any]:
    return lambda doc, txn: _find(doc, txn, root)
