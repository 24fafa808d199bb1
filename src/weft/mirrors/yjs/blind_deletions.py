"""Deletions of texts by who never had them: TinyBase deletes every cell that its Store cannot hold.

The Yjs persister of JavaScript's TinyBase makes the whole document what its Store is when it starts to save,
and whenever a row is new; and a Y.Text is no cell of it. So a transaction that deletes every text there is,
and nothing else of their rows, is taken for one of these, unless it bears the mark that weft leaves where it
deletes texts: an entry of the root map that is gone when the transaction ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft._codecs.yjs.state import decode_state_vector
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pycrdt import Doc

    from weft.documents.yjs.binding import RawMap, RawTransactionEvent, Txn
    from weft.store.replica import RawTables, Replica, TextKey

__all__ = ["deletes_texts", "is_blind", "mark", "take_deleted"]

_MARK = "weft:deletes-texts:"


def deletes_texts(replica: Replica, tables: Mapping[str, Mapping[str, Mapping[str, object]]]) -> bool:
    """Whether changes delete texts."""
    return any(
        cell is UNDEFINED and replica.is_text(table_id, row_id, cell_id)
        for table_id, rows in tables.items()
        for row_id, cells in rows.items()
        for cell_id, cell in cells.items()
    )


def mark(doc: Doc[Any], txn: Txn, root: RawMap) -> None:
    """Leave the mark in the open transaction."""
    # A new one spells out its name in the update.
    client = doc.client_id
    key = f"{_MARK}{client}:{decode_state_vector(doc.get_state()).get(client, 0)}"
    root.insert(txn, key, True)
    root.remove(txn, key)


def is_blind(event: RawTransactionEvent, *, made_maps: bool) -> bool:
    """Whether a transaction that deleted all texts did so without knowing them.

    Args:
        event: The binding's event.
        made_maps: Whether it made rows or tables.
    """
    update = event.update
    return _MARK.encode() not in update and (made_maps or update[:1] == b"\0")  # nothing but deletions


def take_deleted(replica: Replica, tables: RawTables, is_there: Callable[[TextKey], bool]) -> RawTables:
    """Take out of what was heard the deletions of texts, if every text of the document is among them.

    Args:
        replica: The Store.
        tables: What was heard; what is taken is in it no more.
        is_there: Whether the document has a text at the place of a cell.

    Returns:
        What was taken; nothing where a text is left, or other cells went with them.
    """
    taken: RawTables = {}
    for key in _texts(replica):
        table_id, row_id, cell_id = key
        cells = tables.get(table_id, {}).get(row_id, {})
        if cells.get(cell_id) is UNDEFINED:
            held = replica.tables[table_id][row_id]
            if any(
                cells.get(other) is UNDEFINED and not replica.is_text(table_id, row_id, other)
                for other in held
            ):
                return {}  # the row was deleted by who knew more of it
            taken.setdefault(table_id, {}).setdefault(row_id, {})[cell_id] = UNDEFINED
        elif is_there(key):
            return {}
    for table_id, rows in taken.items():
        for row_id, texts in rows.items():
            for cell_id in texts:
                del tables[table_id][row_id][cell_id]
    return taken


def _texts(replica: Replica) -> Iterator[TextKey]:
    for table_id, rows in replica.tables.items():
        for row_id, cells in rows.items():
            for cell_id, cell in cells.items():
                if isinstance(cell, str) and replica.is_text(table_id, row_id, cell_id):
                    yield table_id, row_id, cell_id
