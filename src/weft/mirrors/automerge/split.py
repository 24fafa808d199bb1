"""Cutting what is to be written into an Automerge document into changes that every peer takes.

A text is an operation for each of its characters, and a change may only have so many: what one Store
transaction writes may be more.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from weft._codecs.automerge.chunks import MAX_OPS
from weft.errors import MirrorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft.deltas import Delta
    from weft.mirrors.mirror import DocumentWrite, Report
    from weft.store.replica import TextKey
    from weft.values import Stored, Undefined

__all__ = ["cut"]

# Operations of one change, without the containers that are made on the way. Each takes some 100 bytes while
# the change is made by hand.
_MOST = MAX_OPS // 2
_MAX_TEXT = MAX_OPS - 1_000  # characters of one text


def cut(changes: DocumentWrite, report: Report) -> Iterator[DocumentWrite]:
    """Cut changes into some that make one change each; nearly every changes is one.

    Args:
        changes: The changes.
        report: Called with a string that is too long for any change; it is left out.
    """
    cells = chain.from_iterable(row.values() for rows in changes.tables.values() for row in rows.values())
    if sum(map(_operations, chain(cells, changes.values.values()))) <= _MOST:
        yield changes
        return
    texts = dict(changes.texts)  # what no cell is of goes with the last
    taken: dict[TextKey, Delta] = {}
    part, size = replace(changes, tables={}, values={}, texts=taken), 0
    for path, cell in _paths(changes):
        operations = _operations(cell)
        if operations > _MAX_TEXT:
            what = f"the string at {'/'.join(path)!r} has {operations - 1} characters"
            report(MirrorError(f"{what}: too many for an Automerge document, where {_MAX_TEXT - 1} may be"))
            continue
        if size and size + operations > _MOST:
            yield part
            taken = {}
            part, size = replace(changes, tables={}, values={}, texts=taken), 0
        size += operations
        match path:
            case (table_id, row_id, cell_id):
                part.tables.setdefault(table_id, {}).setdefault(row_id, {})[cell_id] = cell
                if path in texts:
                    taken[path] = texts.pop(path)
            case (value_id,):
                part.values[value_id] = cell
    taken.update(texts)
    yield part


def _operations(cell: object) -> int:
    return 1 + len(cell) if isinstance(cell, str) else 1


def _paths(changes: DocumentWrite) -> Iterator[tuple[tuple[str, ...], Stored | Undefined]]:
    for table_id, rows in changes.tables.items():
        for row_id, row in rows.items():
            for cell_id, cell in row.items():
                yield (table_id, row_id, cell_id), cell
    for value_id, value in changes.values.items():
        yield (value_id,), value
