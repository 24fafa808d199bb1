"""Writing one cell into a large Automerge document.

A transaction of the binding is ready to be rolled back, for which it copies the list of all that the document
is made of: at 100,000 cells that takes three times as long as what it does with the cell. To take in a change
that was made here does not. But such a change has to name all that it overwrites, and the binding tells the
winner alone: so it is made only where it is known that nobody has written at the same time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.jsoncodec import MAX_SAFE_INTEGER
from weft.mirrors.automerge.keys import TABLES, encode_key, op_id
from weft.mirrors.mirror import is_equal

if TYPE_CHECKING:
    from weft._codecs.automerge.change import OpId
    from weft.mirrors.automerge.index import DocumentIndex
    from weft.mirrors.mirror import DocumentWrite

__all__ = ["single_put"]


def single_put(
    changes: DocumentWrite, index: DocumentIndex
) -> tuple[OpId, str, int | float | None, OpId | None] | None:
    """What changes put, if they are one cell in a row that is there, of a large document, and no string.

    Returns:
        The map, the key, the value, and what it overwrites. ``None`` where a transaction has to write.
    """
    if not index.is_large or len(changes.tables) != 1 or changes.values:
        return None
    ((table_id, rows),) = changes.tables.items()
    if len(rows) != 1 or changes.removed_tables or changes.removed_rows:
        return None
    ((row_id, cells),) = rows.items()
    if len(cells) != 1:
        return None
    ((cell_id, cell),) = cells.items()
    if not (cell is None or isinstance(cell, bool | int | float)):
        return None
    container = index.container((TABLES, table_id, row_id))
    if container is None or not index.is_settled(made := op_id(container)):
        return None
    if type(cell) is int and not -MAX_SAFE_INTEGER <= cell < MAX_SAFE_INTEGER:
        cell = float(cell)  # JavaScript reads others as BigInt
    key = encode_key(cell_id)
    found = index.look(container, key)
    if found is None:
        return made, key, cell, None
    if type(found[0]) is not tuple or is_equal(found[0][1], cell):
        return None
    return made, key, cell, op_id(found[1])
