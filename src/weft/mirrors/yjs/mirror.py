"""The mirror of a Store in a Yjs document."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from weft._support.callbacks import weakly
from weft.documents.yjs.binding import (
    Ignored,
    RawMapEvent,
    RawTransactionEvent,
    Txn,
    observe_deep,
    origin_of,
    raw_transaction,
    write_alone,
)
from weft.documents.yjs.document import YDocument, create_doc
from weft.mirrors.mirror import Deltas, DocumentWrite, Mirror
from weft.mirrors.places import changes_at
from weft.mirrors.yjs.declared import DeclaredLayout
from weft.mirrors.yjs.flat import FlatLayout
from weft.mirrors.yjs.nested import NestedLayout
from weft.mirrors.yjs.text_cells import TextCells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pycrdt import Doc

    from weft.changes import Changes
    from weft.errors import MirrorError
    from weft.mirrors.shapes import Shapes
    from weft.mirrors.yjs.layout import Layout
    from weft.store import Store
    from weft.store.replica import Paths, RawTables, RawValues

__all__ = ["YjsMirror", "create_doc"]


class YjsMirror(Mirror):
    """Keeps a Store and a ``pycrdt.Doc`` equal, both ways, at once, with no event loop needed.

    ::

        store, doc = Store(), create_doc()
        with YjsMirror(store, doc):
            store.set_cell("pets", "fido", "species", "dog")   # is in the document now

    What concurrent edits come to: cells merge one by one, and of two concurrent writes of one cell one wins
    at every peer. Deleting a row or table wins over a concurrent write into it. Tables and rows that two
    peers create at the same time merge. See docs/yjs.md for the formats.

    Args:
        store: The Store.
        doc: The document; create it with :func:`create_doc`, so that its client id competes fairly.
        map_name: Name of the root map; TinyBase's default.
        layout: ``"tinybase"`` is the nested layout of TinyBase's Yjs persister. ``"flat"`` has one key a
            cell: it merges best, and JavaScript TinyBase does not read it. A dict declares the shapes of
                another
            application's document, as ``{"todos": ArrayOfMaps("todos")}``: see docs/shapes.md. ``map_name``
            does not matter then, and what is not declared stays in the Store.
        on_error: Called with what could not be mirrored (a foreign type in the document, a cell the schema
            refuses) and with exceptions of listeners during a remote change; without it they are logged
            to ``weft.mirrors`` at WARNING. The rest of a change is applied all the same.

    Raises:
        ValueError: The layout is not one, or contradicts itself.
        TypeError: A declared layout has something else than names and shapes.
    """

    _document: YDocument

    def __init__(
        self,
        store: Store,
        doc: Doc[Any] | YDocument,
        map_name: str = "tinybase",
        layout: Literal["tinybase", "flat"] | Shapes = "tinybase",
        *,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        super().__init__(store, on_error=on_error)
        self._document = YDocument.of(doc)
        self._doc = self._document.doc
        self._layout: Layout
        self._declared: DeclaredLayout | None = None
        if not isinstance(layout, str):
            self._layout = self._declared = DeclaredLayout(self._doc, layout, self._replica, self._report)
        elif layout == "tinybase":
            self._layout = NestedLayout(self._doc, map_name, self._replica, self._report)
        elif layout == "flat":
            self._layout = FlatLayout(self._doc, map_name, self._replica, self._report)
        else:
            raise ValueError(f"layout is {layout!r}; it must be 'tinybase', 'flat' or a dict of shapes")
        self._letter = Ignored()  # while a letter is written, of which there is nothing to hear
        self._unobservers: list[Callable[[], None]] = []
        self.expects_start = True

    @property
    def doc(self) -> Doc[Any]:
        """The mirrored document."""
        return self._doc

    def changes_at(self, written: Iterable[tuple[str, ...]], deleted: Iterable[tuple[str, ...]]) -> Changes:
        """What the Store holds at paths of the document; what is none of the Store's is passed over.

        Args:
            written: Names of roots and keys from there on, at which something was written.
            deleted: The same of what was deleted.
        """
        places = [
            [place for path in paths if (place := self._layout.place(path)) is not None]
            for paths in (written, deleted)
        ]
        return changes_at(self._replica.tables, self._replica.values, *places)

    # -- the document's side of the engine ---------------------------------------------------------------

    def _observe(self) -> None:
        if self._declared is not None:
            self._ends.extend(self._declared.texts.declare(self._replica))
        elif self._layout.texts is not None:
            self._ends.append(self._replica.serve_texts(self._layout.texts))
        self._observe_roots()
        self._document.attach(self, self._committed)

    def _observe_roots(self) -> None:
        changed = weakly(self._document_changed)
        for number, root in enumerate(self._layout.roots()):
            self._unobservers.append(observe_deep(self._doc, root, partial(changed, number), self._letter))

    def _unobserve(self) -> None:
        self._document.detach(self)
        self._unobserve_roots()

    def _unobserve_roots(self) -> None:
        for unobserve in self._unobservers:
            unobserve()
        self._unobservers.clear()

    def reattach(self) -> None:
        """Find the roots in another document of the binding, and take over what differs.

        Called by the document, which was made anew for a peer that has split an emoji.
        """
        self._unobserve_roots()
        self._layout.find_roots()
        self._observe_roots()
        self.reread()

    def _document_changed(self, root: int, events: list[RawMapEvent], txn: Txn) -> None:
        if origin_of(self._doc, txn) is self._token and not self._document.is_waiting:
            # Our own; unless something that waited for what we have written has come with it.
            if self._declared is not None and self._declared.follows:
                self._declared.follow(root, events, txn)
            return
        if not self._document.is_mine:
            return  # the document tells the writer so, and has its own thread read what was written
        try:
            tables, values = self._layout.translate(root, events, txn)
            if tables or values:
                self._receive(tables, values, self._heard())
        except Exception as error:  # noqa: BLE001 - reported: it would surface in whoever committed
            self._report(error)
        self._schedule_flush()

    def _heard(self) -> Deltas:
        return None if self._layout.texts is None else self._layout.texts.take_heard()

    def _committed(self, event: RawTransactionEvent, received: bytes | None) -> None:
        if self._letter.is_set:
            return
        try:
            changes, heal = self._layout.committed(event, received)
            self._receive(*changes, self._heard())
        except Exception as error:  # noqa: BLE001 - as above
            self._report(error)
            return
        if heal:
            self._owed.update(heal)
            self._schedule_flush()

    def _read_all(self) -> tuple[RawTables, RawValues]:
        with raw_transaction(self._doc) as txn:
            return self._layout.read_all(txn)

    def _write_owed(self) -> None:
        """Write to the document what could not be written inside its observer; see the base class.

        And bring back what a peer wrote into a container of its own that has lost.
        """
        if self._layout.has_losers and not self._blocked():
            tables, values = self._layout.recover()
            if tables or values:
                self._receive(tables, values)
                self._owed.add(tables, values)
        if self._owed:
            super()._write_owed()

    def refusal(self) -> MirrorError | None:
        """Look whether the root is somebody else's."""
        with raw_transaction(self._doc) as txn:
            return self._layout.refusal(txn)

    def _blocked(self) -> bool:
        return not self._document.is_writable

    def _store_finished(self) -> None:
        if not self._write_letter():
            super()._store_finished()

    def _write_letter(self) -> bool:
        """Write what one edit of one text did, and nothing else; gives whether that was all.

        Typing is many transactions of one letter, which cost little else.
        """
        texts = self._layout.texts
        if not isinstance(texts, TextCells) or (edit := self._replica.only_text_edit()) is None:
            return False
        key, _, delta = edit
        handle = texts.known(key)
        if handle is None or self._judge is not None or self._owed or self._text_debts.late:
            return False
        if not self._document.is_idle:
            return False
        self._letter.is_set = True
        try:
            write_alone(self._doc, self._token, texts.write_letter, handle, key, delta)
        except Exception as error:  # noqa: BLE001 - reported, and the text is owed
            self._report(error)
            self._owed.add({key[0]: {key[1]: key[2:]}})
            self._text_debts.owe({key: delta})
        finally:
            self._letter.is_set = False
        return True

    def _write(self, changes: DocumentWrite, *, compare: bool) -> None:
        with raw_transaction(self._doc, self._token) as txn:
            errors = self._layout.write(txn, changes, compare=compare)
        for error in errors:
            self._report(error)
        if self._declared is not None and (refused := self._declared.take_refused()):
            self.take_over(refused)

    def _keeps(self, path: tuple[str, ...]) -> bool:
        if self._declared is None:
            return True
        return self._declared.parts.covers(*path) if len(path) == 3 else self._declared.parts.covers_values

    def _read(self, paths: Paths) -> tuple[RawTables, RawValues]:
        with raw_transaction(self._doc) as txn:
            return self._layout.read(txn, paths)
