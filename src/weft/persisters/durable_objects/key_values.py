"""The key-value form of a Durable Object: a key for each table, row, cell and value, and for both wholes.

TinyBase 10.0.1, ``persister-durable-object-storage``, as it lies in a file of workerd: keys are ``t`` or
``v``, after a prefix, and the ids as JSON strings; a value is ``[cell, hlc, hash]``, with 0 for a container.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from weft.errors import StorageError
from weft.persisters.durable_objects.form import Form, has_table, new_content, or_none, table_of, walk
from weft.persisters.durable_objects.v8 import decode_stamp, encode_stamp
from weft.persisters.sql.dialect import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weft.documents.mergeable import MergeableChanges, MergeableContent
    from weft.persisters.sql.dialect import Plan

__all__ = ["KeyValueForm"]

_TABLE = "_cf_KV"
_CREATE = f"""CREATE TABLE {_TABLE} (
        key TEXT PRIMARY KEY,
        value BLOB
      ) WITHOUT ROWID"""
_PUT = f"INSERT INTO {_TABLE} VALUES(?,?) ON CONFLICT DO UPDATE SET value=excluded.value"


class KeyValueForm(Form):
    """Keys and values.

    Args:
        prefix: What the keys begin with; others are another's.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def version(self) -> Plan[object]:
        """The values of both wholes, in which their hashes are."""
        if not (yield from has_table(_TABLE)):
            return None
        keys = (self._key("t"), self._key("v"))
        rows = yield Statement(f"SELECT value FROM {_TABLE} WHERE key IN (?,?) ORDER BY key", keys)  # noqa: S608
        return tuple(row[0] for row in rows) or None

    def read(self) -> Plan[MergeableContent | None]:
        """Read all keys with the prefix that are TinyBase's."""
        content = new_content()
        for key, value in (yield from self._rows("key, value")):
            ids = self._ids(key)
            if ids is None:
                continue
            try:
                stamp = decode_stamp(value if isinstance(value, bytes) else b"")
            except StorageError as error:
                raise StorageError(f"key {key!r:.200}: {error}") from error
            kind, *path = ids
            if kind == "v" and path:
                content[1][0][path[0]] = stamp
            elif kind == "t" and len(path) == 3:
                table_of(content, *path[:2])[0][path[2]] = stamp
            else:
                whole = content[1] if kind == "v" else table_of(content, *path) if path else content[0]
                whole[1:] = stamp[1:]
        return or_none(content)

    def put(self, stamps: MergeableChanges | MergeableContent) -> Plan[None]:
        """Write each stamp under its key."""
        if not (yield from has_table(_TABLE)):
            yield Statement(_CREATE)
        yield Statement(_PUT, list(self._pairs(stamps)), many=True)

    def clear(self) -> Plan[None]:
        """Delete the keys that are TinyBase's."""
        rows = yield from self._rows("key")
        keys = [(key,) for (key,) in rows if self._ids(key) is not None]
        if keys:
            yield Statement(f"DELETE FROM {_TABLE} WHERE key=?", keys, many=True)  # noqa: S608

    def _rows(self, columns: str) -> Plan[list[Sequence[object]]]:
        if not (yield from has_table(_TABLE)):
            return []
        sql = f"SELECT {columns} FROM {_TABLE} WHERE substr(key,1,?)=?"  # noqa: S608
        return (yield Statement(sql, (len(self._prefix), self._prefix)))

    def _pairs(self, stamps: MergeableChanges | MergeableContent) -> Iterator[tuple[str, bytes]]:
        for path, (children, hlc, hash_) in walk(stamps):
            yield self._key("t", *path), encode_stamp(0, hlc, hash_)
            if len(path) == 2:
                for cell_id, stamp in children.items():
                    yield self._key("t", *path, cell_id), encode_stamp(*stamp)
        values, hlc, hash_ = stamps[1]
        yield self._key("v"), encode_stamp(0, hlc, hash_)
        for value_id, stamp in values.items():
            yield self._key("v", value_id), encode_stamp(*stamp)

    def _key(self, kind: str, *ids: str) -> str:
        return self._prefix + kind + json.dumps(ids, ensure_ascii=False, separators=(",", ":"))[1:-1]

    def _ids(self, key: object) -> list[str] | None:
        """The kind and the ids that a key names; ``None`` where it is not TinyBase's."""
        name = str(key)[len(self._prefix) :]
        if name[:1] not in {"t", "v"}:
            return None
        try:
            ids = json.loads(f"[{name[1:]}]")
        except (ValueError, RecursionError):
            return None
        if len(ids) > (3 if name[0] == "t" else 1) or not all(isinstance(id_, str) for id_ in ids):
            return None
        return [name[0], *ids]
