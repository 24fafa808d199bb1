"""Containers that every weft peer creates identically, so that concurrent first writes merge.

A Y.Map set at the same key by two peers that do not know of each other is two maps, of which one wins and
the other's content is lost. Where both peers apply the *same update*, there is one map. So the containers of
the TinyBase layout come from updates that are pure functions of their names:

* the root containers ``t`` and ``v`` of ``doc.getMap(map_name)``: clocks 0 and 1 of client
  ``2^20 + H("root", map_name) mod 2^20``;
* a table's map: clock 0 of client ``2^21 + H("table", map_name, table_id) mod (2^28 - 2^21)``, with the root
  container ``t`` above as its parent,

where ``H`` is the first 8 bytes, big-endian, of SHA-256 over the UTF-8 JSON array of its arguments. The ids
are below those of ordinary clients on purpose: where a JavaScript peer has created its own container at the
same time, the higher id wins, theirs stays alive, and we can write our content into it; they could not.

Rows are not made this way: each would need a client id of its own, and 20,000 client ids make every
transaction of a JavaScript peer cost 12 ms.

Two table ids of one document whose 28-bit ids collide (1 in 2.7e8 for a pair) would not get two containers:
the second is then created in the ordinary way, because the look after the update finds none.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pycrdt import Doc

from weft._codecs.yjs.state import decode_state_vector
from weft.documents.yjs.binding import CLIENT_ID_FLOOR, BindingMap, RawMap, Txn, raw_transaction, root_map
from weft.mirrors.shapes.tree import Kind

if TYPE_CHECKING:
    from weft.mirrors.shapes.tree import Root

__all__ = ["TABLES", "VALUES", "make_path", "nested_update", "root_update", "table_client", "table_update"]

TABLES = "t"
VALUES = "v"

_ROOT_FLOOR = 1 << 20
_TABLE_FLOOR = 1 << 21


def _hash(*names: str) -> int:
    text = json.dumps(names, ensure_ascii=False, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def _root_client(map_name: str) -> int:
    return _ROOT_FLOOR + _hash("root", map_name) % (_TABLE_FLOOR - _ROOT_FLOOR)


def table_client(map_name: str, table_id: str) -> int:
    """Client id whose clock 0 is the table's map."""
    return _TABLE_FLOOR + _hash("table", map_name, table_id) % (CLIENT_ID_FLOOR - _TABLE_FLOOR)


@lru_cache(maxsize=64)
def root_update(map_name: str) -> bytes:
    """The update that creates the root containers; applying it again does nothing."""
    doc: Doc[Any] = Doc(client_id=_root_client(map_name))
    root = root_map(doc, map_name)
    with raw_transaction(doc) as txn:
        root.insert_map_prelim(txn, TABLES)
        root.insert_map_prelim(txn, VALUES)
    return doc.get_update()


@lru_cache(maxsize=1024)
def table_update(map_name: str, table_id: str) -> bytes:
    """The update that creates a table's map in a document that holds the root containers."""
    doc: Doc[Any] = Doc(client_id=table_client(map_name, table_id))
    doc.apply_update(root_update(map_name))
    state = doc.get_state()
    root = root_map(doc, map_name)
    with raw_transaction(doc) as txn:
        tables: RawMap = root.get(txn, TABLES)
        tables.insert_map_prelim(txn, table_id)
    return doc.get_update(state)


def _nested_client(path: tuple[str, ...]) -> int:
    return _TABLE_FLOOR + _hash("nested", *path) % (CLIENT_ID_FLOOR - _TABLE_FLOOR)


@lru_cache(maxsize=256)
def nested_update(path: tuple[str, ...], kind: Kind) -> bytes:
    """The update that makes a container below a root map, with the maps in which it stands."""
    parts = path[:-1]
    doc: Doc[Any] = Doc(client_id=_nested_client(path))
    if len(parts) > 1:
        doc.apply_update(nested_update(parts, Kind.MAP))
    node = root_map(doc, path[0])
    with raw_transaction(doc) as txn:
        for key in path[1:-1]:
            node = node.get(txn, key)
        _make(node, txn, path[-1], kind)
    return doc.get_update()


def make_path(doc: Doc[Any], txn: Txn, root: RawMap, where: Root) -> None:
    """Make the containers of a path that are not there, as far as nothing else stands in the way.

    They come from updates that are pure functions of the path, where all above them do; the client is then
    ``2^21 + H("nested", *path) mod (2^28 - 2^21)``. Below somebody else's map they are made in the ordinary
    way.
    """
    node: Any = root
    known = decode_state_vector(doc.get_state())
    is_common = True
    for number, key in enumerate(where.keys, 1):
        kind = where.kind if number == len(where.keys) else Kind.MAP
        path = (where.name, *where.keys[:number])
        if not node.has(txn, key):
            if is_common:
                doc.apply_update(nested_update(path, kind))
            if not node.has(txn, key):  # it was deleted before
                _make(node, txn, key, kind)
        node = node.get(txn, key)
        if type(node) is not BindingMap:
            return
        is_common = is_common and _nested_client(path) in known


def _make(node: Any, txn: Txn, key: str, kind: Kind) -> None:
    match kind:
        case Kind.MAP:
            node.insert_map_prelim(txn, key)
        case Kind.LIST:
            node.insert_array_prelim(txn, key)
        case Kind.TEXT:
            node.insert_text_prelim(txn, key)
        case _:
            node.insert_xmlfragment_prelim(txn, key)
