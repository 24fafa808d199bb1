"""Peers with a Store mirrored by declared shapes in an Automerge document, and what such a document holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft import Store
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
from weft.documents.automerge.document import AutomergeDocument
from weft.mirrors.automerge import AutomergeMirror
from weft.mirrors.shapes import ArrayOfMaps, MapOfMaps, MapOfValues, Nested, SharedText

if TYPE_CHECKING:
    from random import Random

    from weft.mirrors.shapes import Shapes

__all__ = ["LAYOUT", "Peer", "edit_at_random", "exchange", "plain", "project"]

LAYOUT: Shapes = {
    "shapes": MapOfMaps("shapes", json=["meta"]),
    "shapes.label": SharedText("lbl"),
    "todos": ArrayOfMaps("todos", position="order"),
    "values": MapOfValues("settings"),
    "notes.n.body": SharedText("note"),
    "things": Nested("app.state", MapOfMaps("things", deep=True)),
    "app.prefs": MapOfValues("prefs"),
    "list": Nested("app.state", ArrayOfMaps("list")),
}


def plain(document: AutomergeDocument, made: bytes = ROOT) -> Any:
    """The document as JSON, read round the mirror."""
    core = document.core
    return {
        key: _plain(document, found) for key, found in zip(core.keys(made), core.values(made), strict=True)
    }


def _plain(document: AutomergeDocument, found: Any) -> Any:
    kind, made = found
    if type(kind) is tuple:
        return kind[1]
    if kind == ObjType.Text:
        return document.core.text(made)
    if kind == ObjType.List:
        return [_plain(document, each) for each in document.core.values(made)]
    return plain(document, made)


def fill_in(tx: Any, made: bytes, key: str | int, value: Any) -> None:
    """Write as JavaScript's assignment does."""
    make = tx.insert_object if isinstance(key, int) else tx.put_object
    if isinstance(value, dict):
        below = make(made, key, ObjType.Map)
        for name, each in value.items():
            fill_in(tx, below, name, each)
    elif isinstance(value, list):
        below = make(made, key, ObjType.List)
        for index, each in enumerate(value):
            fill_in(tx, below, index, each)
    elif isinstance(value, str):
        tx.splice_text(make(made, key, ObjType.Text), 0, 0, value)
    else:
        kind = ScalarType.Boolean if isinstance(value, bool) else ScalarType.Int
        (tx.insert if isinstance(key, int) else tx.put)(made, key, kind, value)


class Peer:
    def __init__(self, *others: Peer, layout: Shapes = LAYOUT) -> None:
        self.document = AutomergeDocument()
        self.store = Store()
        self.errors: list[str] = []
        for other in others:
            self.document.apply_changes(other.document.changes_since(()))
        self.mirror = AutomergeMirror(
            self.store,
            self.document,
            layout=layout,
            on_error=lambda error: self.errors.append(str(error)),
        ).start()

    def at(self, *keys: str | int) -> bytes:
        made = ROOT
        for key in keys:
            found = self.document.core.get(made, key)
            assert found is not None
            made = found[1]
        return made

    def assign(self, *keys: str | int, value: Any) -> None:
        made = self.at(*keys[:-1])
        with self.document.transaction() as tx:
            fill_in(tx, made, keys[-1], value)


def exchange(*peers: Peer) -> None:
    for _ in range(3):
        for one in peers:
            one.mirror.flush()
            for other in peers:
                if one is not other:
                    other.document.apply_changes(one.document.changes_since(()))


def edit_at_random(peer: Peer, rng: Random) -> None:
    store, row, cell = peer.store, rng.choice("abcd"), rng.choice("xyz")
    value: Any = rng.choice([1, 2.5, "text", True, None, "ü🙂"])
    match rng.randrange(9):
        case 0 | 1:
            store.set_cell(rng.choice(["shapes", "things", "list", "todos"]), row, cell, value)
        case 2:
            store.del_row(rng.choice(["shapes", "things", "list", "todos"]), row)
        case 3 if store.has_row("todos", row):
            store.set_cell("todos", row, "order", rng.randrange(4))
        case 4:
            store.set_cell("notes", "n", "body", rng.choice(["hello", "hallo", "hell 🙂"]))
        case 5:
            store.set_cell("shapes", row, "label", rng.choice(["one", "two", "onetwo"]))
        case 6:
            store.set_value(cell, value)
        case 7 if "todos" in plain(peer.document):
            todos = plain(peer.document)["todos"]
            index = rng.randrange(len(todos) + 1)
            if index < len(todos) and rng.random() < 0.5:
                if todos[index]["id"].startswith("own"):
                    return  # a row in which one peer alone writes
                with peer.document.transaction() as tx:
                    tx.delete(peer.at("todos"), index)
            else:
                peer.assign("todos", index, value={"id": row, cell: "js"})
        case 8:
            store.del_cell("shapes", row, cell)


def project(content: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a Store holds by :data:`LAYOUT` of a document that was read as JSON."""
    state = content.get("app", {}).get("state", {})
    todos: dict[str, Any] = {}
    for index, row in enumerate(content.get("todos", ())):
        cells = {key: cell for key, cell in row.items() if key != "id"}
        todos.setdefault(row["id"], cells | {"order": index})
    things: dict[str, Any] = {}
    for row in state.get("list", ()):
        things.setdefault(row["id"], {key: cell for key, cell in row.items() if key != "id"})
    tables = {
        "shapes": {
            row_id: {"label" if key == "lbl" else key: cell for key, cell in row.items() if key != "label"}
            for row_id, row in content.get("shapes", {}).items()
        },
        "todos": todos,
        "notes": {"n": {"body": content["note"]}} if content.get("note") else {},
        "things": state.get("things", {}),
        "app": {"prefs": content.get("prefs", {})},
        "list": things,
    }
    tables = {
        table_id: {row_id: row for row_id, row in rows.items() if row} for table_id, rows in tables.items()
    }
    return {table_id: rows for table_id, rows in tables.items() if rows}, content.get("settings", {})
