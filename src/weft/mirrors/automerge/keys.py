"""Names in an Automerge document: keys as TinyBase escapes them, ids of objects, the root all peers agree on.

Formats: TinyBase 10 ``persister-automerge`` (``encodeId``); Automerge's object ids (``exid.rs``).
"""

from __future__ import annotations

from functools import cache, lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from weft._codecs.automerge.leb128 import read_bytes, read_uint, write_uint
from weft.documents.automerge.binding import ROOT, ObjType
from weft.documents.automerge.document import AutomergeDocument

if TYPE_CHECKING:
    from collections.abc import Collection

    from weft._codecs.automerge.change import OpId

__all__ = ["TABLES", "VALUES", "decode_key", "encode_key", "genesis", "object_id", "object_ids", "op_id"]

TABLES, VALUES = "t", "v"

_ESCAPE = "\0"
# Names that every JavaScript object has: as keys they would be found in documents that lack them.
_INHERITED = frozenset(
    {
        "__defineGetter__",
        "__defineSetter__",
        "__lookupGetter__",
        "__lookupSetter__",
        "__proto__",
        "constructor",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "prototype",
        "toLocaleString",
        "toString",
        "valueOf",
    }
)


def encode_key(name: str) -> str:
    """The key that an id has in the document."""
    return _ESCAPE + name if name in _INHERITED or name[:1] == _ESCAPE else name


def decode_key(key: str) -> str:
    """The id that a key stands for."""
    return key[1:] if key[:1] == _ESCAPE else key


def op_id(object_id: bytes) -> OpId:
    """Who made an object or value and when. Unlike the binding's id it never changes.

    What the binding cannot read comes without an id, and is nobody's.
    """
    if not object_id:
        return b"", 0
    end = len(object_id)
    at = 2 + object_id[1]
    if at < 0x82 and object_id[at] < 0x80:  # as nearly always; twice as fast
        return object_id[2:at], read_uint(object_id, at + 1, end)[0]
    actor, at = read_bytes(object_id, 1, end)
    _, at = read_uint(object_id, at, end)  # the actor's place among the document's, a hint
    return actor, read_uint(object_id, at, end)[0]


def object_id(made: OpId) -> bytes:
    """The binding's id of an object; it takes any hint for the actor's place."""
    return _head(made[0]) + write_uint(made[1])


@lru_cache(maxsize=64)
def _head(actor: bytes) -> bytes:
    return b"".join((b"\x10", write_uint(len(actor)), actor, b"\0"))


def object_ids(made: Collection[OpId]) -> list[bytes]:
    """The binding's ids of objects."""
    heads = {actor: _head(actor) for actor in {actor for actor, _ in made}}
    return [heads[actor] + write_uint(counter) for actor, counter in made]


@cache
def genesis(name: str) -> bytes:
    """The change that makes the containers of an empty document: the same bytes at every peer, so they merge.

    Its actor is low, so that a root that a JavaScript peer made at the same time wins: weft can heal, that
    peer cannot. Another name has another actor, as an actor's changes must be one line.
    """
    actor = bytes(16) if name == "tinybase" else bytes(8) + sha256(name.encode()).digest()[:8]
    document = AutomergeDocument(actor=actor)
    with document.transaction() as transaction:
        root = transaction.put_object(ROOT, encode_key(name), ObjType.Map)
        transaction.put_object(root, TABLES, ObjType.Map)
        transaction.put_object(root, VALUES, ObjType.Map)
    return document.changes_since(())[0]
