"""A shared text: a cell that is edited in place, by offsets, with formats."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import TYPE_CHECKING, Any, ClassVar, Self

from weft._support.callbacks import check_callback
from weft.deltas import (
    apply,
    attributes_before,
    check,
    check_attributes,
    check_cuts,
    compose,
    from_cell,
    from_utf16,
    is_styled,
    smallest_edit,
    text_of,
    to_cell,
    utf16_length,
)
from weft.errors import InvalidCellError
from weft.jsoncodec import dumps
from weft.store._core.cursor import Cursor, follow
from weft.store._parts.log import ADDED, CELL, ROW
from weft.store._parts.texts import inheriting, own_edits
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.deltas import Attributes, Delta, DeltaInput
    from weft.store._core.schemas import Schemas
    from weft.store._parts.texts import TextKey, Texts

__all__ = ["Text"]


class Text:
    """A cell that is a shared text, edited in place: what others type at the same time stays.

    ``store.text("notes", "n1", "body")`` gives it. Offsets and lengths are UTF-16 code units, as JavaScript
    has them (``weft.deltas``); an embed counts as one. Each edit is a write of the Store: in its transaction,
    rolled back with it, and told to the listeners of cells. A text that is not there is empty, and is made by
    the first edit.

    Attributes:
        table_id: Its table.
        row_id: Its row.
        cell_id: Its cell.

    What the edits raise, and change nothing then: ``ValueError`` where an offset lies outside of the text or
    within a character, ``TypeError`` for what is no number or string, ``InvalidCellError`` where the cell
    cannot hold the string, or formats and embeds are given and no document keeps them; ``ReadOnlyError``,
    ``WrongThreadError`` and ``WrongTaskError`` as ``set_cell`` does.
    """

    __slots__ = ("_key", "_store", "_texts", "cell_id", "row_id", "table_id")

    _cursor_type: ClassVar[type[Cursor]] = Cursor

    def __init__(self, store: Schemas, texts: Texts, table_id: str, row_id: str, cell_id: str) -> None:
        self._store = store
        self._texts = texts
        self.table_id = table_id
        self.row_id = row_id
        self.cell_id = cell_id
        self._key: TextKey = (table_id, row_id, cell_id)

    @classmethod
    def of(cls, text: Text) -> Self:
        """The same text, as this class shows it."""
        return cls(text._store, text._texts, *text._key)

    def _cell(self) -> object:
        try:
            return self._store._tables[self.table_id][self.row_id][self.cell_id]
        except KeyError:
            return UNDEFINED

    def __str__(self) -> str:
        """The string, in which U+FFFC stands for each embed."""
        cell = self._cell()
        return from_cell(cell) if isinstance(cell, str) else ""

    def __len__(self) -> int:
        """Its length in UTF-16 code units."""
        return utf16_length(str(self))

    def __repr__(self) -> str:
        return f"<Text {'/'.join(self._key)!r}: {str(self)!r:.60}>"

    def delta(self) -> Delta:
        """Get the text with its formats and embeds; without them where no document keeps any."""
        text = str(self)
        known = self._texts.source_delta(self._key)
        if known is not None and self._store._log:
            pending = self._pending()
            if pending and text_of(composed := compose(known, pending)) == text:
                return composed
        if known is not None and text_of(known) == text:
            return known
        return [{"insert": text}] if text else []

    def _pending(self) -> Delta | None:
        """What the running transaction has done to it so far."""
        store = self._store
        log = store._log or []
        own = own_edits(log, self._texts, store._schema, self._texts.received, store._stored)
        return own.get(self._key)

    # -- edits -------------------------------------------------------------------------------------------

    def insert(self, offset: int, text: str, attributes: Attributes = None) -> Self:
        """Insert a string.

        Args:
            offset: Where; 0 to its length.
            text: What.
            attributes: Its formats; without them, those of the character before it.
        """
        return self.splice(offset, 0, text, attributes)

    def append(self, text: str, attributes: Attributes = None) -> Self:
        """Insert a string at the end; formats as in :meth:`insert`."""
        return self.splice(len(self), 0, text, attributes)

    def delete(self, offset: int, length: int) -> Self:
        """Delete what stands at an offset."""
        return self.splice(offset, length, "")

    def splice(self, offset: int, length: int, text: str, attributes: Attributes = None) -> Self:
        """Replace what stands at an offset by a string; formats as in :meth:`insert`."""
        if not isinstance(text, str):
            raise TypeError(f"a text is made of str, not {type(text).__name__}")
        cell = self._cell()
        old = from_cell(cell) if isinstance(cell, str) else ""
        if (
            type(offset) is type(length) is int
            and 0 <= offset <= offset + length <= len(old)
            and old.isascii()
        ):
            start, end = offset, offset + length
        else:
            start, end = self._range(old, offset, length)
        if attributes is None:
            if text and self._texts.is_formatted.get(self._key) is not False:
                attributes = self._inherited(offset)
        else:
            self._check_attributes(attributes)
        delta: Delta = [{"retain": offset}] if offset else []
        if text:
            delta.append({"insert": text, "attributes": dict(attributes)} if attributes else {"insert": text})
        if length:
            delta.append({"delete": length})
        if text or length:
            self._write(old[:start] + text + old[end:], delta)
        return self

    def insert_embed(self, offset: int, embed: Mapping[str, Any], attributes: Attributes = None) -> Self:
        """Insert an object, such as ``{"image": url}``, which stands in the text as one character.

        Args:
            offset: Where.
            embed: A JSON object.
            attributes: Its formats.
        """
        if not isinstance(embed, Mapping):
            raise TypeError(f"an embed must be a dictionary, not {type(embed).__name__}")
        operation: dict[str, Any] = {"insert": dict(embed)}
        if attributes:
            operation["attributes"] = dict(attributes)
        self._range(str(self), offset, 0)
        return self.apply_delta([{"retain": offset}, operation] if offset else [operation])

    def format(self, offset: int, length: int, attributes: Mapping[str, Any]) -> Self:
        """Give formats to what stands at an offset, or take those away that are ``None``."""
        self._range(str(self), offset, length)
        delta: Delta = [{"retain": offset}] if offset else []
        if not length or not attributes:
            self._check_attributes(attributes)
            return self
        return self.apply_delta([*delta, {"retain": length, "attributes": dict(attributes)}])

    def apply_delta(self, delta: DeltaInput) -> Self:
        """Change it as a delta says: see ``weft.deltas``. What it inserts has the formats that it says."""
        check(delta)
        old = str(self)
        own: Delta = [dict(operation) for operation in delta]
        if is_styled(own):
            self._check_styled(own)
        new = apply(old, own)
        check_cuts(old, own)
        if own := compose(own, []):
            self._write(new, own)
        return self

    def set(self, text: str) -> Self:
        """Make it another string by the smallest edit, between what a reader takes for characters."""
        if not isinstance(text, str):
            raise TypeError(f"a text is made of str, not {type(text).__name__}")
        delta = smallest_edit(str(self), text)
        if not delta:
            return self if self._cell() is not UNDEFINED else self._write(text, [])
        if self._is_formatted():
            delta = inheriting(delta, self.delta())
        return self._write(text, delta)

    # -- how an edit is written --------------------------------------------------------------------------

    def _range(self, text: str, offset: int, length: int) -> tuple[int, int]:
        """Check a place; give it in Python's indices."""
        if type(offset) is not int or type(length) is not int:
            offset, length = index(offset), index(length)
        if length < 0:
            raise ValueError(f"a length must not be negative: {length}")
        start = from_utf16(text, offset)
        return start, from_utf16(text, offset + length) if length else start

    def _is_formatted(self) -> bool:
        texts = self._texts
        known = texts.is_formatted.get(self._key)
        if known is None and texts.sources:
            known = texts.is_formatted[self._key] = is_styled(self.delta())
        return bool(known)

    def _inherited(self, offset: int) -> Attributes:
        return attributes_before(self.delta(), offset) if self._is_formatted() else None

    def _check_attributes(self, attributes: Attributes) -> None:
        check_attributes(attributes)
        if attributes:
            self._check_styled([{"retain": 1, "attributes": dict(attributes)}])

    def _check_styled(self, delta: Delta) -> None:
        dumps(delta)  # raises what is no JSON
        if not self._texts.sources:
            raise InvalidCellError(
                *self._key, delta, "the Store is in no document that keeps the formats and embeds of a text"
            )
        self._texts.is_formatted[self._key] = True

    def _write(self, text: str, delta: Delta) -> Self:
        """Write the string, and note how it came about."""
        store = self._store
        if not store._enter():
            return self
        try:
            log = store._log
            assert log is not None  # noqa: S101 - a transaction is open
            at = len(log)
            cell, old = to_cell(text), self._cell()
            if cell.isascii() and type(old) is str and store._middleware is None:
                # A string in the place of one needs no more checks, and typing is many short writes.
                if delta:
                    store._tables[self.table_id][self.row_id][self.cell_id] = cell
                    log.append((CELL, *self._key, old, cell))
                    self._texts.note(log, at, delta)
            else:
                store.set_cell(self.table_id, self.row_id, self.cell_id, cell)
                if delta and self._cell() == cell:  # middleware may have made another of it
                    if len(log) == at:
                        log.append((CELL, *self._key, cell, cell))
                    self._note(at, delta)
        except BaseException as error:
            store._fail(error)
            raise
        store._leave()
        return self

    def _note(self, at: int, delta: Delta) -> None:
        log = self._store._log or []
        key = self._key
        own = [
            place
            for place in range(at, len(log))
            if (kind := log[place][0]) in {CELL, ADDED, ROW}
            and (
                log[place][1:4] == key
                if kind != ROW
                else log[place][1:3] == key[:2] and self.cell_id in log[place][4]
            )
        ]
        if len(own) == 1:
            self._texts.note(log, own[0], delta)

    # -- who follows it ----------------------------------------------------------------------------------

    def add_listener(self, listener: Callable[[Text, Delta, bool], object]) -> str:
        """Be called ``(text, delta, is_local)`` for what a transaction did to the text.

        The deltas lead from one string to the next. ``is_local`` tells whether it was an edit of this Store
        and not of a peer; a transaction with both calls twice. The listener cannot write.

        Returns:
            The listener's id, for ``store.del_listener``.
        """
        check_callback(listener)
        listeners = self._texts.listeners.setdefault(self._key, {})
        follow(self._store, self._texts)

        def call(delta: Delta, is_local: bool) -> None:
            listener(self, delta, is_local)

        return self._store._add_phase(listeners, call)

    def cursor(self, offset: int, assoc: int = 0) -> Cursor:
        """Get a cursor at an offset, which follows every edit, also those of peers.

        Args:
            offset: Where it is now.
            assoc: To what it belongs: 0 to the character behind it, so that what is inserted there stands
                before it; -1 to the one before it.
        """
        self._range(str(self), offset, 0)
        return self._cursor_type(self._store, self._texts, self._key, offset, assoc)

    def cursor_from_json(self, position: Any) -> Cursor | None:
        """Get a cursor at a relative position, as :meth:`Cursor.to_json` and JavaScript peers give it.

        Returns:
            The cursor; ``None`` where the position is in no text that a document of the Store keeps here.
        """
        for source in self._texts.sources:
            if (offset := source.offset(*self._key, position)) is not None:
                before = position[:1] == "-" if isinstance(position, str) else False  # Automerge's
                assoc = position.get("assoc", 0) if isinstance(position, Mapping) else -before
                return self._cursor_type(self._store, self._texts, self._key, offset, assoc)
        return None
