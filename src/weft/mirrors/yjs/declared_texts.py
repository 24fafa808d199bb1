"""The texts of a declared layout: root types, or entries of maps, that are one cell each.

A Y.Text is one as it is, a Y.XmlFragment as the lines of its blocks.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pycrdt import Map, Text, XmlFragment

from weft.documents.yjs.binding import BindingXmlFragment, raw_transaction
from weft.mirrors.shapes.tree import Kind
from weft.mirrors.yjs import positions, xml_positions
from weft.mirrors.yjs.texts import read_delta, read_string, to_utf16_delta
from weft.mirrors.yjs.xml_texts import XmlSharedText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pycrdt import Doc

    from weft.deltas import Delta
    from weft.documents.yjs.binding import Txn
    from weft.mirrors.shapes.shared_text import TextPart
    from weft.mirrors.shapes.tree import Root
    from weft.store.replica import Replica, TextKey

__all__ = ["DeclaredTexts"]

T = TypeVar("T")


class DeclaredTexts:
    """Reads and follows them, and serves their formats and positions to the Store.

    Args:
        doc: The document.
        parts: The texts that are declared.
    """

    def __init__(self, doc: Doc[Any], parts: Iterable[TextPart]) -> None:
        self._doc = doc
        self.parts: dict[TextKey, TextPart] = {cast("TextKey", part.place): part for part in parts}
        self._strings: dict[int, str] = {}  # of each Y.Text, as it was read or written last
        self._xml: dict[int, XmlSharedText] = {}
        self._heard: dict[TextKey, Delta] = {}

    def declare(self, replica: Replica) -> Iterator[Callable[[], object]]:
        """Tell the Store which cells are texts; gives what ends that."""
        for table_id, row_id, cell_id in self.parts:
            yield replica.declare_text(table_id, cell_id, row_id)
        if self.parts:
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

        def read(txn: Txn, node: Any, root: Root) -> Delta | None:
            if type(node) is BindingXmlFragment:
                return self._fragment(txn, node).delta()
            return read_delta(txn, node)

        return self._look((table_id, row_id, cell_id), read)

    def position(
        self, table_id: str, row_id: str, cell_id: str, offset: int, assoc: int
    ) -> dict[str, Any] | None:
        """The relative position of an offset, as ``Y.relativePositionToJSON`` gives it."""

        def read(txn: Txn, node: Any, root: Root) -> dict[str, Any] | XmlSharedText | None:
            if type(node) is BindingXmlFragment:
                return self._fragment(txn, node)
            return positions.position_of(self._doc, txn, node, offset, assoc, lambda: _name(root))

        key = table_id, row_id, cell_id
        found: dict[str, Any] | XmlSharedText | None = self._look(key, read)
        if not isinstance(found, XmlSharedText):
            return found
        root = self.parts[key].root
        return xml_positions.position_of(self._doc, found, _finder(root), _name(root), offset, assoc)

    def offset(self, table_id: str, row_id: str, cell_id: str, position: Any) -> int | None:
        """The offset of a relative position."""

        def read(txn: Txn, node: Any, root: Root) -> int | XmlSharedText | None:
            if type(node) is BindingXmlFragment:
                return self._fragment(txn, node)
            return positions.resolve(self._doc, txn, node, position, lambda: _name(root))

        key = table_id, row_id, cell_id
        found: int | XmlSharedText | None = self._look(key, read)
        if not isinstance(found, XmlSharedText):
            return found
        root = self.parts[key].root
        return xml_positions.resolve(self._doc, found, _finder(root), _name(root), position)

    def _look(self, key: TextKey, read: Callable[[Txn, Any, Root], T]) -> T | None:
        """Read something of a text; ``None`` where there is none, and where nothing can be read."""
        part = self.parts.get(key)
        if part is None:
            return None
        transaction = raw_transaction(self._doc)
        try:
            txn = transaction.__enter__()
        except RuntimeError:  # the binding is just telling of a commit, when it lets nobody read
            return None
        with ExitStack() as stack:
            stack.push(transaction)
            node = _find(self._doc, txn, part.root)
            return None if node is None else read(txn, node, part.root)


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
