"""Who knew of whom, read from an update's structs: was a container replaced, or made twice at once?

Yjs writes a struct's left neighbour (its *origin*) into it. A map set over one that its writer knew has that
one as its origin; one set at a key its writer believed to be empty has none and spells out parent and key
instead. Struct format: yjs ``Item.write`` and ``UpdateEncoderV1``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.yjs.state import DeleteSet, decode_delete_set, decode_state_vector, deleted_up_to, missing
from weft._codecs.yjs.update import Item, ItemId, parse_update

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MAP", "TEXT", "Path", "containers", "has_losers", "lost_writes", "text_id", "was_concurrent"]

Path = tuple[str, ...]

MAP = 1  # type ref of a map
TEXT = 2
_ANY_REF = 8


def _covers(deletes: DeleteSet, item_id: ItemId) -> bool:
    client, clock = item_id
    return any(start <= clock < start + length for start, length in deletes.get(client, ()))


def has_losers(newly_deleted: bytes, before_state: bytes) -> bool:
    """Whether a transaction deleted what it had brought itself, as it does with a container that loses."""
    if len(newly_deleted) <= 1:
        return False
    return bool(missing(decode_state_vector(before_state), deleted_up_to(newly_deleted)))


def was_concurrent(update: bytes, newly_deleted: bytes, key: str, kind: int = MAP) -> bool:
    """Whether the map or text that now stands at ``key`` was made by who did not know the one it replaced.

    The chain of origins behind the winner is followed through the update. It ends at a struct without an
    origin (its writer saw nothing there: concurrent) or at one we had before. If *that* one was alive until
    this transaction, it is the container we held, and its writer knew it: a real replacement. If it was
    deleted long ago, both sides had re-created the container since: concurrent.

    Args:
        update: The update of the transaction, as pycrdt's event gives it.
        newly_deleted: Its delete set: what was alive before this transaction and is not after it.
        key: Key of the replaced container in its parent.
        kind: Its type ref.

    Returns:
        The verdict. Where the update does not tell (structs missing, several containers with this key), it is
        ``True``: content written again can be deleted again, content lost cannot be found.
    """
    parsed = parse_update(update)
    deleted = decode_delete_set(newly_deleted)
    maps = {(item.client, item.clock): item for item in parsed.items if item.type_ref == kind}
    known_replacement = unknown = False
    for item_id, item in maps.items():
        if _covers(parsed.deletes, item_id):
            continue
        first = item
        while first.origin is not None and first.origin in maps:
            first = maps[first.origin]
        if first.origin is None:
            if first.key == key:
                return True
        elif _covers(deleted, first.origin):
            known_replacement = True
        else:
            unknown = True
    return unknown or not known_replacement


def containers(update: bytes, map_name: str) -> dict[ItemId, Path]:
    """Ids of the living containers of a document, to their paths below the root map.

    The binding does not tell them; the document's whole state does.
    """
    parsed = parse_update(update)
    paths: dict[ItemId, Path] = {}
    for item in _parents_first(parsed.items):
        path: Path | None = None
        if item.origin is not None:
            path = paths.get(item.origin)  # the same key of the same parent
        elif item.parent == map_name and item.key is not None:
            path = (item.key,)
        elif isinstance(item.parent, tuple) and item.parent in paths and item.key is not None:
            path = (*paths[item.parent], item.key)
        if path is not None:
            paths[item.client, item.clock] = path
    return paths


def text_id(update: bytes, map_name: str, path: Path) -> ItemId | None:
    """Id of the living text at a path below the root map."""
    parsed = parse_update(update)
    paths = containers(update, map_name)
    for item in parsed.items:
        item_id = (item.client, item.clock)
        if item.type_ref == TEXT and paths.get(item_id) == path and not _covers(parsed.deletes, item_id):
            return item_id
    return None


def lost_writes(
    update: bytes,
    newly_deleted: bytes,
    lost: dict[ItemId, Path],
    locate: Callable[[str | ItemId], Path | None],
) -> dict[Path, object]:
    """What a received update wrote into containers that have lost against ours.

    A writer that is not weft's (a JavaScript TinyBase) does not heal: what it wrote into its own container
    would be gone for everybody, although it stands in the very bytes it sent.

    Args:
        update: The update as received; the document's own event has dropped the content already.
        newly_deleted: Delete set of the transaction that applied it.
        lost: Items inside lost containers, to their paths; grows, as later updates may write there too.
        locate: Path of a living container, given its id or the name of its root, or ``None`` if it is none
            of the mirror's.

    Returns:
        Lost cells (path: table, row, cell under ``t``) and values (under ``v``), the last write of each.
    """
    parsed = parse_update(update)
    deleted = decode_delete_set(newly_deleted)
    written: dict[Path, object] = {}
    for item in _parents_first(parsed.items):
        item_id = (item.client, item.clock)
        path: Path | None = None
        if isinstance(item.parent, tuple) and item.parent in lost and item.key is not None:
            path = (*lost[item.parent], item.key)
        elif item.origin is not None and item.origin in lost:
            path = lost[item.origin]  # written over a cell of a lost container
        elif (
            item.key is not None
            and item.parent is not None
            and item.type_ref == MAP
            and _covers(deleted, item_id)
            and not _covers(parsed.deletes, item_id)
        ):
            parent = locate(item.parent)
            path = None if parent is None else (*parent, item.key)
        if path is None:
            continue
        lost[item_id] = path
        if _covers(parsed.deletes, item_id):
            written.pop(path, None)
        elif item.ref == _ANY_REF and item.values:
            written[path] = item.values[-1]
    return written


def _parents_first(items: list[Item]) -> Iterator[Item]:
    """Items so that each comes after its parent and its origin, where the update holds them."""
    waiting = {(item.client, item.clock): item for item in items}
    entered: set[ItemId] = set()  # a hostile update may name itself as its parent: nothing is entered twice
    for item_id in tuple(waiting):
        stack = [item_id]
        while stack:
            top = stack[-1]
            if top in entered or top not in waiting:
                stack.pop()
                if top in waiting:
                    yield waiting.pop(top)
                continue
            entered.add(top)
            item = waiting[top]
            stack.extend(
                other
                for other in (item.origin, item.parent)
                if isinstance(other, tuple) and other in waiting and other not in entered
            )
