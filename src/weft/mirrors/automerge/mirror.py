"""The mirror of a Store in an Automerge document."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain, starmap
from typing import TYPE_CHECKING, Literal, Self

from weft._support.arguments import wrong_kind
from weft._support.callbacks import weakly
from weft.documents.automerge.document import AutomergeDocument
from weft.errors import LocalProtocolError, RemoteProtocolError
from weft.jsoncodec import check_text
from weft.mirrors.automerge.bulk import bulk, is_bulk
from weft.mirrors.automerge.declared import DeclaredLayout
from weft.mirrors.automerge.index import DocumentIndex
from weft.mirrors.automerge.keys import TABLES, VALUES, genesis
from weft.mirrors.automerge.places import places_in
from weft.mirrors.automerge.reader import ChangeReader
from weft.mirrors.automerge.single import single_put
from weft.mirrors.automerge.split import cut
from weft.mirrors.automerge.texts import SharedTexts
from weft.mirrors.automerge.writer import CellWriter, TransactionTarget
from weft.mirrors.mirror import DocumentWrite, Mirror
from weft.mirrors.places import changes_at
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weft.changes import Changes
    from weft.documents.automerge.events import DocumentEvent, Heads
    from weft.errors import MirrorError
    from weft.mirrors.automerge.index import Path
    from weft.mirrors.automerge.writer import Target
    from weft.mirrors.mirror import Deltas
    from weft.mirrors.shapes import Shapes
    from weft.store import Store
    from weft.store.replica import Paths, RawTables, RawValues

__all__ = ["AutomergeMirror"]


class AutomergeMirror(Mirror):
    """Keeps a Store and an Automerge document equal, both ways, at once, with no event loop needed.

    ::

        store, document = Store(), AutomergeDocument()
        with AutomergeMirror(store, document):
            store.set_cell("pets", "fido", "species", "dog")   # is in the document now

    The document has the form that TinyBase's Automerge persister reads and writes. What concurrent edits
    come to: cells merge one by one, and of two concurrent writes of one cell one wins at every peer. Deleting
    a row or table wins over a concurrent write into it. Tables and rows that two peers create at the same
    time merge, also where some of the peers are JavaScript ones. See docs/automerge.md.

    Args:
        store: The Store.
        document: The document.
        name: The key in the document's root under which the Store stands; TinyBase's default.
        layout: ``"tinybase"`` is the layout of TinyBase's Automerge persister. A dict declares the shapes of
            another application's document, as ``{"todos": ArrayOfMaps("todos")}``: see docs/shapes.md.
            ``name`` does not matter then, and what is not declared stays in the Store.
        on_error: Called with what could not be mirrored (something foreign in the document, a cell the schema
            refuses) and with exceptions of listeners during a remote change; without it they are logged
            to ``weft.mirrors`` at WARNING. The rest of a change is applied all the same.

    Raises:
        ValueError: The name holds a lone surrogate; the layout is not one, or contradicts itself.
        TypeError: A declared layout has something else than names and shapes.
    """

    _document: AutomergeDocument

    def __init__(
        self,
        store: Store,
        document: AutomergeDocument,
        name: str = "tinybase",
        *,
        layout: Literal["tinybase"] | Shapes | None = None,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        super().__init__(store, on_error=on_error)
        check_text(name)
        if not isinstance(document, AutomergeDocument):
            raise wrong_kind("a weft.AutomergeDocument", document)
        self._document = document
        self._name = name
        if isinstance(layout, str) and layout != "tinybase":
            raise ValueError(f"layout is {layout!r}; it must be 'tinybase' or a dict of shapes")
        self._declared: DeclaredLayout | None = None
        if layout is not None and not isinstance(layout, str):
            self._declared = DeclaredLayout(document, layout, self._replica, self._report)
        self._index = DocumentIndex(document, name, self._report)
        self._texts = SharedTexts(self._index, self._replica, lambda: self._owed, self._report)
        self._reader = ChangeReader(self._index, self._replica, lambda: self._owed, self._report, self._texts)
        self._unsubscribe: Callable[[], object] | None = None
        self._seen: Heads = ()  # heads that the index is of
        self.expects_start = True

    @property
    def document(self) -> AutomergeDocument:
        """The mirrored document."""
        return self._document

    def changes_in(self, chunks: bytes) -> Changes:
        """What the Store holds where changes wrote or deleted; what is none of the Store's is passed over.

        Args:
            chunks: Changes that the document has, as it gives them, one behind the other.

        Raises:
            RemoteProtocolError: They are none.
        """
        declared = self._declared
        places = places_in(chunks, self._index) if declared is None else declared.places_in(chunks)
        return changes_at(self._replica.tables, self._replica.values, *places)

    def start(self) -> Self:
        """Make both sides equal and keep them so: see the base class.

        Raises:
            LocalProtocolError: A transaction of the document is open, so that what it holds may not stand.
        """
        if self._document.in_transaction:
            raise LocalProtocolError("a mirror cannot start while a transaction of the document is open")
        return super().start()

    # -- the document's side of the engine ---------------------------------------------------------------

    def _observe(self) -> None:
        self._unsubscribe = self._until_collected(
            self._document.subscribe(weakly(self._document_changed), but=self._token)
        )
        if self._declared is None:
            self._ends.append(self._replica.serve_texts(self._texts))
        else:
            self._ends.extend(starmap(self._replica.declare_text, self._declared.parts.texts()))

    def _unobserve(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _document_changed(self, event: DocumentEvent) -> None:
        try:
            if self._declared is not None:
                self._read_declared(self._declared, event)
            else:
                self._read_changes(event)
        except Exception as error:  # noqa: BLE001 - reported: it would end in the document's log
            self._report(error)
            self._reconcile()  # the index may have been left half-way
        self._write_owed()
        self._schedule_flush()

    def _read_declared(self, declared: DeclaredLayout, event: DocumentEvent) -> None:
        found, heal = declared.translate(event.decoded())
        self._seen = event.after
        self._receive(found.tables, found.values, found.deltas)
        self._owed.update(heal)

    def _read_changes(self, event: DocumentEvent) -> None:
        self._texts.begin(event)
        changes = list(event.decoded())
        self._index.unsettle(changes, event.before)
        tables, values, heals = self._reader.read(changes)
        self._seen = event.after
        if heals:
            self._heal(heals)
        self._receive(tables, values, self._texts.deltas)

    def _heal(self, cells: dict[Path, object]) -> None:
        # Of copies, which others make as well, one stays: a text that was edited would have them all.
        carried = self._reader.carried
        with self._writing(is_text=carried.__contains__) as writer:
            for path, cell in cells.items():
                writer.write_map(path[:-1], {path[-1]: cell}, carried)
        self._reader.note_copies(cells)

    def _read_all(self) -> tuple[RawTables, RawValues]:
        self._texts.forget()
        found = self._index.read_all() if self._declared is None else self._declared.read_all()
        self._seen = self._document.heads
        return found

    def refusal(self) -> MirrorError | None:
        """Look whether the root is somebody else's."""
        return self._index.refusal() if self._declared is None else self._declared.refusal()

    def _blocked(self) -> bool:
        # Behind, where somebody else wrote to the document and we have not been told yet: so is the index.
        return self._document.in_transaction or self._document.heads != self._seen

    def _receive(
        self, tables: RawTables, values: RawValues, deltas: Deltas = None, *, are_written: bool = True
    ) -> None:
        if self._declared is None:
            self._texts.to_cells(tables)
        super()._receive(tables, values, deltas, are_written=are_written)

    def _store_finished(self) -> None:
        if self._declared is not None or not self._write_letter():
            super()._store_finished()

    def _write_letter(self) -> bool:
        """Write what one edit of one shared text did, and nothing else; gives whether that was all."""
        edit = self._replica.only_text_edit()
        if edit is None or self._judge is not None or self._owed or self._text_debts.late or self._blocked():
            return False
        key, old, delta = edit
        made = self._texts.find(key)
        if made is None:
            return False
        try:
            self._document.write(self._texts.write, made, old, delta, origin=self._token)
        except Exception as error:  # noqa: BLE001 - reported, and the text is owed
            self._report(error)
            self._owed.add({key[0]: {key[1]: key[2:]}})
            self._text_debts.owe({key: delta})
        else:
            self._seen = self._document.heads
        return True

    def _write(self, changes: DocumentWrite, *, compare: bool) -> None:
        if self._declared is not None:
            self._write_declared(self._declared, changes, compare=compare)
            return
        if self._index.container(()) is None and _has_content(changes):
            self._document.apply_changes([genesis(self._name)], origin=self._token)
            self._index.read_tree((), self._index.map_at(()))
        elif not any(map(self._index.container, ((TABLES,), (VALUES,)))) and (error := self.refusal()):
            self._report(error)
            return
        self._texts.forget()
        for part in cut(changes, self._report):
            self._write_part(part)

    def _write_declared(self, declared: DeclaredLayout, changes: DocumentWrite, *, compare: bool) -> None:
        try:
            refused = declared.write(changes, self._token, compare=compare)
        except Exception:
            self._read_all()  # what it knows of was rolled back
            raise
        self._seen = self._document.heads
        if refused:
            self.take_over(refused)

    def _keeps(self, path: tuple[str, ...]) -> bool:
        if self._declared is None:
            return True
        return self._declared.parts.covers(*path) if len(path) == 3 else self._declared.parts.covers_values

    def _write_part(self, changes: DocumentWrite) -> None:
        try:
            if not changes.texts and (single := single_put(changes, self._index)) is not None:
                self._document.put(*single, origin=self._token)
                self._seen = self._document.heads
                return
            if not changes.texts and is_bulk(changes, self._index):
                with self._writing(at_once=True) as writer:
                    writer.write(changes)
                return
        except RemoteProtocolError as error:
            self._report(error)  # another release of the binding wants other bytes
        with self._writing() as writer:
            writer.write(changes)

    @contextmanager
    def _writing(
        self, *, at_once: bool = False, is_text: Callable[[Path], bool] | None = None
    ) -> Iterator[CellWriter]:
        try:
            with self._target(at_once=at_once) as target:
                writer = CellWriter(self._index, target, is_text or self._texts.is_text)
                yield writer
        except Exception:
            self._read_all()  # the index has objects that were rolled back
            raise
        self._seen = self._document.heads
        for error in writer.errors:
            self._report(error)

    @contextmanager
    def _target(self, *, at_once: bool) -> Iterator[Target]:
        if at_once:
            with bulk(self._document, origin=self._token) as target:
                yield target
        else:
            with self._document.transaction(origin=self._token) as transaction:
                yield TransactionTarget(transaction, self._texts)

    def _read(self, paths: Paths) -> tuple[RawTables, RawValues]:
        if self._declared is not None:
            return self._declared.read(paths)
        cell = self._index.cell
        return {
            table_id: {
                row_id: {cell_id: cell((TABLES, table_id, row_id, cell_id)) for cell_id in cell_ids}
                for row_id, cell_ids in rows.items()
            }
            for table_id, rows in paths.tables.items()
        }, {value_id: cell((VALUES, value_id)) for value_id in paths.values}


def _has_content(changes: DocumentWrite) -> bool:
    cells = (cell for rows in changes.tables.values() for row in rows.values() for cell in row.values())
    return any(cell is not UNDEFINED for cell in chain(cells, changes.values.values()))
