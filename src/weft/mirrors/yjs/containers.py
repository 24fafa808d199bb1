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
from typing import Any

from pycrdt import Doc

from weft.documents.yjs.binding import CLIENT_ID_FLOOR, RawMap, raw_transaction, root_map

__all__ = ["TABLES", "VALUES", "root_update", "table_client", "table_update"]

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
