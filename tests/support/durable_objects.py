"""What TinyBase wrote into Durable Objects: the vectors, as the rows of a file and as a document."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from support.vectors import vectors
from weft.documents.mergeable import MergeableDocument
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FORMS", "document_of", "fill", "stored_in"]

# Object of the vectors to the options of a persister for it, and its folder in the vectors of files.
FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "kv/a": ({"mode": "kv"}, "-Kv/"),
    "kvpre/a": ({"mode": "kv", "prefix": "tb_"}, "-KvPre/"),
    "sqljson/a": ({"mode": "json", "store_table_name": "my_store"}, "-SqlJson/"),
    "sqldef/a": ({"mode": "json"}, "-SqlJsonDefault/"),
    "frag/a": ({"mode": "fragmented"}, "-SqlFrag/"),
    "fragpre/a": ({"mode": "fragmented", "prefix": "My-é"}, "-SqlFragPre/"),
}


def _with_undefined(value: Any) -> Any:
    """What stands in the vectors, with what they write for JavaScript's undefined."""
    if value == "<<undefined>>":
        return UNDEFINED
    if isinstance(value, list):
        return [_with_undefined(item) for item in value]
    if isinstance(value, dict):
        return {key: _with_undefined(item) for key, item in value.items()}
    return value


def document_of(name: str) -> MergeableDocument:
    """What the object's Store held when it was full."""
    document = MergeableDocument()
    document.set_content(_with_undefined(vectors("durable-objects")[name]["serverContent"]))
    return document


def fill(path: Path, name: str, moment: str) -> None:
    """Write into a file what an SQL object had stored at a moment, or a KV object at the end."""
    folder = FORMS[name][1]
    (on_disk,) = (
        file
        for key, file in vectors("durable-objects-disk").items()
        if key.startswith(folder) and "metadata" not in key
    )
    connection = sqlite3.connect(path)
    with connection:
        for _, ddl in on_disk["tables"]:
            connection.execute(ddl)
        for key, value in on_disk["_cf_KV"]:
            connection.execute("INSERT INTO _cf_KV VALUES(?,?)", (key, bytes.fromhex(value)))
        stored = vectors("durable-objects")[name][moment]
        for table, held in stored.items() if isinstance(stored, dict) else ():
            for row in held["rows"]:
                cells = {column: cell for column, cell in row.items() if column != "_rowid"}
                marks = ",".join("?" * len(cells))
                quoted = table.replace('"', '""')
                connection.execute(f'INSERT INTO "{quoted}" VALUES({marks})', list(cells.values()))
    connection.close()


def stored_in(path: Path) -> dict[str, tuple[str, list[Any]]]:
    """What a file holds: table to its DDL and its rows, in the order of their text."""
    connection = sqlite3.connect(path)
    found = {}
    for name, ddl in connection.execute("SELECT name, sql FROM sqlite_schema WHERE type='table'").fetchall():
        quoted = name.replace('"', '""')
        found[name] = (ddl, sorted(connection.execute(f'SELECT * FROM "{quoted}"').fetchall(), key=repr))
    connection.close()
    return found
