"""What a layout of the Yjs document provides to the mirror, and what both layouts share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from weft.documents.yjs.binding import root_kind
from weft.errors import MirrorError
from weft.mirrors.mirror import is_equal
from weft.store.replica import Paths, RawTables, RawValues
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pycrdt import Doc

    from weft.documents.yjs.binding import RawMap, RawMapEvent, RawTransactionEvent, Txn
    from weft.mirrors.mirror import DocumentWrite
    from weft.mirrors.places import Place
    from weft.mirrors.yjs.declared_texts import DeclaredTexts
    from weft.mirrors.yjs.text_cells import TextCells

__all__ = ["Layout", "Received", "foreign_root", "read_key", "read_map", "write_map"]

Received = tuple[RawTables, RawValues]


class Layout(Protocol):
    """Where cells and values stand in a Yjs document."""

    @property
    def texts(self) -> TextCells | DeclaredTexts | None:
        """The text cells among them; ``None`` where the layout reads and writes texts by itself."""

    def place(self, path: tuple[str, ...]) -> Place | None:
        """The place in a Store of a path in the document; ``None`` where that is none."""

    def find_roots(self) -> None:
        """Look for the root maps; again, where the binding has got another document."""

    def roots(self) -> tuple[RawMap, ...]:
        """The root maps to observe."""

    def refusal(self, txn: Txn) -> MirrorError | None:
        """Why nothing can be read or written here: something else stands where the maps should be."""

    def read_all(self, txn: Txn) -> Received:
        """All cells and values; what is not one is reported and left out."""

    def read(self, txn: Txn, paths: Paths) -> Received:
        """What stands at these paths, ``UNDEFINED`` where nothing does."""

    def translate(self, root: int, events: list[RawMapEvent], txn: Txn) -> Received:
        """What happened under one of the roots: raw cells and values, ``UNDEFINED`` where one went."""

    def committed(self, event: RawTransactionEvent, received: bytes | None) -> tuple[Received, Paths | None]:
        """After the commit that ``translate`` was called in: what only its update can tell.

        Args:
            event: The binding's event; nothing may touch the document.
            received: The bytes of the received update, or ``None`` for a local transaction.

        Returns:
            What the Store has to take as well, and the paths at which the document has to be healed, if any.
        """

    @property
    def has_losers(self) -> bool:
        """Whether :meth:`recover` may find something."""

    def recover(self) -> Received:
        """What received updates wrote into containers that have lost, and no other peer will write again.

        The Store has to take it, and the document too. Called outside of transactions.
        """

    def write(self, txn: Txn, changes: DocumentWrite, *, compare: bool) -> list[MirrorError]:
        """Write changes; returns what stood in the way, after everything else has been written."""


def foreign_root(doc: Doc[Any], txn: Txn, name: str, root: RawMap) -> MirrorError | None:
    """Tell that a root is a text, an array, or XML, which is nobody's to write map entries into."""
    kind = None if root.keys(txn) else root_kind(doc, name)
    if kind is None:
        return None
    return MirrorError(f"the document's root {name!r} is a {kind}, where a map should be")


def read_map(txn: Txn, shared: RawMap) -> dict[str, object]:
    """All that a map holds."""
    get = shared.get
    return {key: get(txn, key) for key in shared.keys(txn)}


def read_key(txn: Txn, shared: RawMap | None, key: str) -> object:
    """What a map, if there is one, holds at a key; ``UNDEFINED`` for nothing."""
    return shared.get(txn, key) if shared is not None and shared.has(txn, key) else UNDEFINED


def write_map(txn: Txn, shared: RawMap, content: Iterable[tuple[str, Any]], *, compare: bool) -> None:
    """Set keys of a map, or delete those that are ``UNDEFINED``; if told to compare, what differs only."""
    insert = shared.insert
    for key, value in content:
        if value is UNDEFINED:
            shared.remove(txn, key)
        elif not compare or not is_equal(read_key(txn, shared, key), value):
            insert(txn, key, value)
