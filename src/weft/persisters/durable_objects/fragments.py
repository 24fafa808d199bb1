"""The fragmented form of a Durable Object: an SQL row for each row and value, and for what holds them.

TinyBase 10.0.1, ``persister-durable-object-sql-storage`` with ``mode: 'fragmented'``. Before 9.0 it wrote
a row for each cell, too: those are read, and go when their row is written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from weft.documents.mergeable import from_json, to_json
from weft.errors import InvalidJsonError, StorageError
from weft.persisters.durable_objects.form import Form, has_table, new_content, or_none, table_of, walk
from weft.persisters.sql.dialect import Statement
from weft.persisters.sql.names import quote

if TYPE_CHECKING:
    from weft.documents.mergeable import MergeableChanges, MergeableContent
    from weft.persisters.sql.dialect import Plan

__all__ = ["FragmentedForm"]

_CREATE_TABLES = """CREATE TABLE {} (
        type TEXT NOT NULL,
        table_id TEXT,
        row_id TEXT,
        cell_id TEXT,
        value_data TEXT NOT NULL,
        timestamp TEXT NOT NULL,
        hash INTEGER NOT NULL,
        PRIMARY KEY (type, table_id, row_id, cell_id)
      )"""
_CREATE_VALUES = """CREATE TABLE {} (
        value_id TEXT,
        value_data TEXT NOT NULL,
        timestamp TEXT NOT NULL,
        hash INTEGER NOT NULL
      )"""
_WHOLE = "[0]"


class FragmentedForm(Form):
    """Two tables.

    Args:
        prefix: What their names begin with.
    """

    def __init__(self, prefix: str) -> None:
        if re.fullmatch(r"[a-z0-9_]*", prefix) is None:
            units = prefix.encode("utf-16-be")
            numbers = (units[at : at + 2].hex() for at in range(0, len(units), 2))
            prefix = f"$tinybase${''.join(f'${number}' for number in numbers)}$"
        self._names = (f"{prefix}tinybase_tables", f"{prefix}tinybase_values")
        self._tables, self._values = (
            name if re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name) else quote(name) for name in self._names
        )

    def version(self) -> Plan[object]:
        """The hashes of both wholes."""
        if not (yield from self._exists()):
            return None
        rows = yield Statement(
            f"SELECT 0, hash FROM {self._tables} WHERE type='t' AND table_id IS NULL"  # noqa: S608
            f" UNION ALL SELECT 1, hash FROM {self._values} WHERE value_id IS NULL"
        )
        return tuple(tuple(row) for row in rows) or None

    def read(self) -> Plan[MergeableContent | None]:
        """Read both tables."""
        content = new_content()
        if not (yield from self._exists()):
            return None
        columns = "table_id, row_id, cell_id, value_data, timestamp, hash"
        found = yield Statement(f"SELECT {columns} FROM {self._tables} WHERE type='t'")  # noqa: S608
        cells: list[tuple[str, str, str, list[Any]]] = []
        rows = set[tuple[str, str]]()
        for table_id, row_id, cell_id, data, hlc, hash_ in found:
            thing = _thing(data, table_id, row_id)
            if table_id is None:
                content[0][1:] = [hlc, hash_]
            elif row_id is None:
                table_of(content, table_id)[1:] = [hlc, hash_]
            elif cell_id is not None:
                cells.append((table_id, row_id, cell_id, [thing, hlc, hash_]))
            else:
                stamp = table_of(content, table_id, row_id)
                stamp[1:] = [hlc, hash_]
                if isinstance(thing, dict):
                    stamp[0] = thing
                    rows.add((table_id, row_id))
        for table_id, row_id, cell_id, stamp in cells:
            if (table_id, row_id) not in rows:
                table_of(content, table_id, row_id)[0][cell_id] = stamp
        columns = "value_id, value_data, timestamp, hash"
        for value_id, data, hlc, hash_ in (yield Statement(f"SELECT {columns} FROM {self._values}")):  # noqa: S608
            if value_id is None:
                content[1][1:] = [hlc, hash_]
            else:
                content[1][0][value_id] = [_thing(data, value_id), hlc, hash_]
        return or_none(content)

    def put(self, stamps: MergeableChanges | MergeableContent) -> Plan[None]:
        """Write the rows of the stamps anew."""
        if not (yield from has_table(self._names[0])):
            yield Statement(_CREATE_TABLES.format(self._tables))
        if not (yield from has_table(self._names[1])):
            yield Statement(_CREATE_VALUES.format(self._values))
        rows = [
            (*(*path, None, None)[:2], to_json([children]) if len(path) == 2 else _WHOLE, hlc, hash_)
            for path, (children, hlc, hash_) in walk(stamps)
        ]
        yield Statement(
            f"DELETE FROM {self._tables} WHERE type='t' AND table_id IS ? AND row_id IS ?",  # noqa: S608
            [row[:2] for row in rows],
            many=True,
        )
        yield Statement(f"INSERT INTO {self._tables} VALUES('t',?,?,NULL,?,?,?)", rows, many=True)
        values = [(None, _WHOLE, *stamps[1][1:])]
        values += [(id_, to_json([thing]), hlc, hash_) for id_, (thing, hlc, hash_) in stamps[1][0].items()]
        yield Statement(
            f"DELETE FROM {self._values} WHERE value_id IS ?",  # noqa: S608
            [value[:1] for value in values],
            many=True,
        )
        yield Statement(f"INSERT INTO {self._values} VALUES(?,?,?,?)", values, many=True)

    def clear(self) -> Plan[None]:
        """Empty both tables."""
        for name, table in zip(self._names, (self._tables, self._values), strict=True):
            if (yield from has_table(name)):
                yield Statement(f"DELETE FROM {table}")  # noqa: S608

    def _exists(self) -> Plan[bool]:
        return (yield from has_table(self._names[0])) and (yield from has_table(self._names[1]))


def _thing(data: object, *path: object) -> Any:
    where = ", ".join(repr(id_)[:100] for id_ in path if id_ is not None)
    try:
        value = from_json(data) if isinstance(data, str) else None
    except InvalidJsonError as error:
        raise StorageError(f"the row of {where}: {error}") from error
    if not isinstance(value, list) or len(value) != 1:
        raise StorageError(f"the row of {where} is not [cells] or [cell]")
    return value[0]
