"""The hashes by which two mergeable contents find out where they differ (TinyBase 10.0.1).

* A cell's or value's is that of its JSON text, a colon and its stamp. What is gone hashes as ``null`` does.
* A row's is the exclusive or, over its cells, of the hash of the cell's id and hash and the hash of the id
  and 0; so is that of all values.
* A table's is the exclusive or of the hashes of its rows' ids and hashes; that of all tables likewise.
* Where a row, a table or either whole has a stamp of its own, which only TinyBase 5 made, its hash is in too.

"The hash of an id and a hash" is that of ``id:hash`` with the number in decimal. All are 32 bits, FNV-1a over
UTF-8.
"""

from __future__ import annotations

import re
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

from weft.jsoncodec import number_text

if TYPE_CHECKING:
    from weft.values import Stored, Undefined

__all__ = ["cell_text", "get_cell_hash", "get_child_hash", "get_hash", "get_thing_hash", "hash_on", "quote"]

_OFFSET = 2166136261
_PRIME = 16777619
_MASK = 0xFFFFFFFF
_MOST_IDS = 4096
_lone_surrogates = re.compile("[\ud800-\udfff]")

# The hash of "id:" for ids that come again and again, and that of "id:0".
_prefixes: dict[str, tuple[int, int]] = {}


def hash_on(state: int, data: bytes) -> int:
    """Go on with a hash over more bytes."""
    for byte in data:
        state = (state ^ byte) * _PRIME & _MASK
    return state


def get_hash(text: str) -> int:
    """Hash a text: FNV-1a, 32 bits, over UTF-8. A lone surrogate counts as U+FFFD, as in JavaScript."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = _lone_surrogates.sub("\ufffd", text).encode()
    return hash_on(_OFFSET, data)


def quote(text: str) -> str:
    """Write a text in JSON as JavaScript does: half a pair of UTF-16, which is no Unicode, as an escape."""
    quoted = encode_basestring(text)
    if not text.isascii():
        quoted = _lone_surrogates.sub(lambda half: f"\\u{ord(half[0]):x}", quoted)
    return quoted


def cell_text(stored: Stored | Undefined) -> str:
    """The JSON text of a stored form by which it is hashed: ``null`` where it is gone."""
    if isinstance(stored, str):
        return quote(stored)
    if stored is True:
        return "true"
    if stored is False:
        return "false"
    if isinstance(stored, (int, float)):
        return number_text(stored)
    return "null"


def get_cell_hash(stored: Stored | Undefined, hlc: str) -> int:
    """Hash a cell or value, given in its stored form, with its stamp."""
    return get_hash(f"{cell_text(stored)}:{hlc}")


def get_child_hash(child_id: str, child_hash: int) -> int:
    """Hash an id together with the hash of what has it: what a row adds to its table, or a table to all."""
    return get_hash(f"{child_id}:{child_hash}")


def get_thing_hash(thing_id: str, cell_hash: int) -> int:
    """What a cell adds to the hash of its row, or a value to that of all values."""
    try:
        prefix, zero = _prefixes[thing_id]
    except KeyError:
        prefix = get_hash(f"{thing_id}:")
        zero = hash_on(prefix, b"0")
        if len(_prefixes) >= _MOST_IDS:
            _prefixes.clear()
        _prefixes[thing_id] = prefix, zero
    return hash_on(prefix, b"%d" % cell_hash) ^ zero
