"""Reading documents round the code under test: through pycrdt's public API, and struct by struct."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from pycrdt import Doc, Map

from weft._codecs.yjs.update import parse_update
from weft.mirrors.yjs.containers import table_client
from weft.values import json_equal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weft.testing.sim.ledger import Path
    from weft.testing.sim.node import SimNode
    from weft.testing.sim.plan import Layout

__all__ = [
    "PROBE",
    "Content",
    "contested",
    "deleted",
    "difference",
    "is_equal",
    "look_up",
    "paths",
    "project",
    "state",
    "whole",
]

Content: TypeAlias = "tuple[Mapping[str, Mapping[str, Mapping[str, Any]]], Mapping[str, Any]]"

PROBE = "simnet"  # a root map outside of what is mirrored; see SimPeer.write_probe
_MIRRORED = "tinybase"
_SHOWN = 12  # differences in a message


def project(doc: Doc[Any], layout: Layout) -> Content:
    """What a Store must hold of a document, in stored form: empty containers count as absent."""
    root = _read(doc, _MIRRORED)
    if layout == "flat":
        tables: dict[str, dict[str, dict[str, Any]]] = {}
        for key, cell in root.items():
            # Ids are joined by U+001F; in them U+001E 0 stands for U+001E and U+001E 1 for U+001F.
            table_id, row_id, cell_id = (
                part.replace("\x1e1", "\x1f").replace("\x1e0", "\x1e") for part in key.split("\x1f")
            )
            tables.setdefault(table_id, {}).setdefault(row_id, {})[cell_id] = cell
        return tables, _read(doc, f"{_MIRRORED}.values")
    kept = {
        table_id: {row_id: cells for row_id, cells in rows.items() if cells and isinstance(cells, dict)}
        for table_id, rows in root.get("t", {}).items()
        if isinstance(rows, dict)
    }
    return {table_id: rows for table_id, rows in kept.items() if rows}, root.get("v", {})


def whole(doc: Doc[Any]) -> object:
    """Everything in a document, empty containers too."""
    return {name: _read(doc, name) for name in (_MIRRORED, f"{_MIRRORED}.values", PROBE)}


def _read(doc: Doc[Any], name: str) -> dict[str, Any]:
    # A root map as JSON has it: one call of the binding, where to_py() makes several a cell.
    content: dict[str, Any] = json.loads(str(doc.get(name, type=Map)))
    return content


def state(node: SimNode) -> dict[int, int]:
    """How much a node's document has of each client."""
    return node.document.state()


def deleted(doc: Doc[Any]) -> dict[int, list[tuple[int, int]]]:
    """What is deleted in a document: for each client ranges of clocks that neither touch nor overlap."""
    update = doc.get_update(doc.get_state())
    deletes = {}
    for client, ranges in parse_update(update).deletes.items():
        joined: list[tuple[int, int]] = []
        for start, length in sorted(ranges):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], start + length))
            else:
                joined.append((start, start + length))
        deletes[client] = joined
    return deletes


def contested(doc: Doc[Any]) -> frozenset[tuple[str, ...]]:
    """Rows that two peers have made without knowing of each other, as table id and row id.

    Read from the structs: one whose writer saw something at its key has a left origin and no key of its own.
    """
    made = Counter(
        (item.parent, item.key)
        for item in parse_update(doc.get_update()).items
        if isinstance(item.parent, tuple) and item.key is not None
    )
    return frozenset(
        (table_id, str(key))
        for table_id in ("e0", "t0", "t1")
        for (parent, key), times in made.items()
        if times > 1 and parent == (table_client(_MIRRORED, table_id), 0)
    )


def look_up(content: Content, path: Path) -> object:
    """The cell or value at a path, or ``None``."""
    tables, values = content
    if len(path) == 1:
        return values.get(path[0])
    table_id, row_id, cell_id = path
    return tables.get(table_id, {}).get(row_id, {}).get(cell_id)


def paths(content: Content) -> Iterator[tuple[Path, object]]:
    """Every cell and value with its path, in order."""
    tables, values = content
    for table_id, rows in sorted(tables.items()):
        for row_id, cells in sorted(rows.items()):
            for cell_id, cell in sorted(cells.items()):
                yield (table_id, row_id, cell_id), cell
    for value_id, value in sorted(values.items()):
        yield (value_id,), value


def is_equal(mine: Content, theirs: Content) -> bool:
    """Whether two contents are the same, by JSON equality: ``True`` is not 1."""
    left, right = dict(paths(mine)), dict(paths(theirs))
    return left.keys() == right.keys() and all(json_equal(left[path], right[path]) for path in left)


def difference(mine: Content, theirs: Content) -> str:
    """Where two contents differ, a line for each of the first few paths."""
    left, right = dict(paths(mine)), dict(paths(theirs))
    lines = [
        f"  {'/'.join(path)}: {left.get(path, 'nothing')!r} against {right.get(path, 'nothing')!r}"
        for path in sorted(left.keys() | right.keys())
        if path not in left or path not in right or left[path] != right[path]
    ]
    return "\n".join(lines[:_SHOWN])
