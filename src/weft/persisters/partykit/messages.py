"""What the sockets of a PartyKit room carry: changes as TinyBase 10 writes them, in pieces that it can store.

A message is ``s``, after a prefix if the server has one, and the JSON text of ``[tables,values,1]``, with
U+FFFC for what is to go, at its level. Here changes are *leaves*: a dictionary from path to stored cell or
``UNDEFINED``. A path is ``("t", table, row, cell)``, shorter for a row or table that goes as a whole, or
``("v", value)``.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from weft.errors import StorageError
from weft.jsoncodec import dumps, parse
from weft.values import JSON_PREFIX, UNDEFINED, UNDEFINED_MARK, EncodedCell, encode_cell, is_same

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weft.persisters._core.unsaved import RawContent, StoredChanges

__all__ = [
    "Leaves",
    "changes_of",
    "cut",
    "lacking",
    "leaves_of",
    "leaves_of_content",
    "message_of",
    "parse_message",
]

Leaves: TypeAlias = "dict[tuple[str, ...], object]"

_SET_CHANGES = "s"
# Cloudflare: a Durable Object's put() and delete() take 128 keys at a time, and TinyBase's class gives them
# all that one message brings. A first save also writes the key ``hasStore``.
_MAX_KEYS = 127
# Cloudflare: a Durable Object receives websocket messages of at most 1 MiB.
_MAX_BYTES = 2**19


def leaves_of(changes: StoredChanges | RawContent | list[Any]) -> Leaves:
    """Make leaves of changes or content; rows and tables without anything in them are none.

    Raises:
        StorageError: A table or row is something else.
    """
    tables: Mapping[str, Any] = changes[0]
    leaves: Leaves = {}
    for table_id, rows in tables.items():
        if _goes(rows):
            leaves["t", table_id] = UNDEFINED
            continue
        for row_id, cells in _object(rows).items():
            if _goes(cells):
                leaves["t", table_id, row_id] = UNDEFINED
                continue
            for cell_id, cell in _object(cells).items():
                leaves["t", table_id, row_id, cell_id] = _stored(cell)
    leaves.update((("v", value_id), _stored(value)) for value_id, value in changes[1].items())
    return leaves


def changes_of(leaves: Leaves) -> StoredChanges:
    """Make changes of leaves."""
    tables: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for (kind, *path), leaf in leaves.items():
        place = tables if kind == "t" else values
        for id_ in path[:-1]:
            place = place.setdefault(id_, {})
        place[path[-1]] = leaf
    return tables, values, 1


def message_of(leaves: Leaves, prefix: str) -> str:
    """Write leaves as a message."""
    marked = {path: UNDEFINED_MARK if leaf is UNDEFINED else leaf for path, leaf in leaves.items()}
    return f"{prefix}{_SET_CHANGES}{dumps(changes_of(marked))}"


def parse_message(text: str, prefix: str) -> Leaves | None:
    """Read a message; ``None`` for one that is something else, which another part of the party may have sent.

    Raises:
        StorageError: It begins as changes do and is none.
    """
    start = prefix + _SET_CHANGES
    if not text.startswith(start):
        return None
    try:
        changes = parse(text.removeprefix(start))
    except (ValueError, RecursionError) as error:
        raise StorageError(f"a message of the room is not JSON text: {error}") from error
    if not isinstance(changes, list) or len(changes) != 3 or changes[2] != 1:
        raise StorageError("a message of the room is not [tables,values,1]")
    return leaves_of([_object(changes[0]), _object(changes[1])])


def leaves_of_content(content: RawContent | None) -> Leaves:
    """Make leaves of what a room holds; whatever there is no table or row is left out."""
    if content is None:
        return {}
    tables = {
        table_id: {row_id: row for row_id, row in table.items() if isinstance(row, dict)}
        for table_id, table in content[0].items()
        if isinstance(table, dict)
    }
    return leaves_of((tables, content[1]))


def lacking(there: Leaves, wanted: Leaves) -> Leaves:
    """Tell what of some changes a room that holds ``there`` has not."""
    containers = {path[:length] for path in there for length in (2, 3) if path[0] == "t"}
    return {
        path: leaf
        for path, leaf in wanted.items()
        if not is_same(there.get(path, UNDEFINED), leaf) or (leaf is UNDEFINED and path in containers)
    }


def cut(leaves: Leaves, there: Leaves | None = None) -> Iterator[Leaves]:
    """Cut changes into pieces that a room can store each in one step.

    Args:
        leaves: The changes.
        there: What the room holds, if that is known. A table or row of it that goes and has too many cells
            for one step goes cell by cell before.
    """
    goes: dict[tuple[str, ...], list[tuple[str, ...]]]
    goes = {
        path: [] for path, leaf in leaves.items() if leaf is UNDEFINED and path[0] == "t" and len(path) < 4
    }
    for cell in (there or ()) if goes else ():
        for length in (2, 3):
            if cell[:length] in goes:
                goes[cell[:length]].append(cell)
    piece: Leaves = {}
    keys = size = 0
    for path, leaf in leaves.items():
        within = goes.get(path, [])
        while len(within) > _MAX_KEYS:
            yield dict.fromkeys(within[:_MAX_KEYS], UNDEFINED)
            del within[:_MAX_KEYS]
        keys += max(1, len(within))
        size += 4 * (sum(map(len, path)) + (len(leaf) if isinstance(leaf, str) else 24))  # bytes, or fewer
        if piece and (keys > _MAX_KEYS or size > _MAX_BYTES):
            yield piece
            piece, keys, size = {}, max(1, len(within)), 0
        piece[path] = leaf
    if piece:
        yield piece


def _goes(value: object) -> bool:
    return value is UNDEFINED or value == UNDEFINED_MARK


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise StorageError(f"a message of the room has {value!r:.100} where an object belongs")
    return value


def _stored(value: Any) -> Any:
    """Bring what JSON text gave into stored form; ``UNDEFINED`` for its mark."""
    if isinstance(value, str):
        if value == UNDEFINED_MARK:
            return UNDEFINED
        return EncodedCell(value) if value[:1] == JSON_PREFIX else value
    if isinstance(value, list | dict):
        with suppress(ValueError):  # a text in it is no Unicode: whoever takes it in reports that
            return encode_cell(value)
    return value
