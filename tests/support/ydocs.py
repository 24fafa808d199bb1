"""Looking at Yjs documents round the code under test, and carrying updates between them."""

from __future__ import annotations

import json
from typing import Any

from pycrdt import Doc, Map

from weft.documents.yjs.document import YDocument, create_doc

Content = tuple[dict[str, dict[str, dict[str, Any]]], dict[str, Any]]

OBJECT = "\ufffd"


def project(doc: Doc[Any], map_name: str = "tinybase", layout: str = "tinybase") -> Content:
    """What a Store must hold, read through pycrdt's public API: empty containers count as absent."""
    if layout == "flat":
        flat: dict[str, dict[str, dict[str, Any]]] = {}
        for key, cell in (doc.get(map_name, type=Map).to_py() or {}).items():
            table_id, row_id, cell_id = (
                part.replace("\x1e1", "\x1f").replace("\x1e0", "\x1e") for part in key.split("\x1f")
            )
            flat.setdefault(table_id, {}).setdefault(row_id, {})[cell_id] = decode_cell(cell)
        values = doc.get(f"{map_name}.values", type=Map).to_py() or {}
        return flat, {value_id: decode_cell(value) for value_id, value in values.items()}
    root = doc.get(map_name, type=Map).to_py() or {}
    tables = {
        table_id: kept
        for table_id, rows in root.get("t", {}).items()
        if (
            kept := {
                row_id: {cell_id: decode_cell(cell) for cell_id, cell in cells.items()}
                for row_id, cells in rows.items()
                if cells
            }
        )
    }
    return tables, {value_id: decode_cell(value) for value_id, value in root.get("v", {}).items()}


def decode_cell(cell: Any) -> Any:
    """What a Store gives for what stands in a document."""
    if isinstance(cell, str) and cell.startswith(OBJECT):
        return json.loads(cell[1:], parse_int=_number, parse_float=_number)
    return _number(cell) if isinstance(cell, float) else cell


def _number(number: str | float) -> int | float:
    """A JavaScript number in its one form."""
    number = float(number)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def deliver(source: Doc[Any], target: Doc[Any]) -> None:
    """Bring the target up to date with the source, as a provider would."""
    YDocument.of(target).apply(source.get_update(target.get_state()), origin="test")


def exchange(*docs: Doc[Any]) -> None:
    """Deliver between all documents until nothing changes any more."""
    for _ in range(10):
        before = [doc.get_update() for doc in docs]
        for source in docs:
            for target in docs:
                if source is not target:
                    deliver(source, target)
        if [doc.get_update() for doc in docs] == before:
            return
    raise AssertionError("the documents do not come to rest")


def numbered_doc(client_id: int) -> Doc[Any]:
    """A document with this client id, to decide who wins."""
    return create_doc(client_id=client_id)
