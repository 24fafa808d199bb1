"""Random edits of peers with and without weft in documents of each shape, which part and meet."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Array, Doc, Map, Text

from weft import Store
from weft.mirrors import YDocument, YjsMirror, create_doc
from weft.mirrors.shapes import ArrayOfMaps, MapOfMaps, MapOfValues, Nested, SharedText

if TYPE_CHECKING:
    from weft.mirrors.shapes import Shapes

LAYOUT: Shapes = {
    "maps": MapOfMaps("maps"),
    "maps.text": SharedText("txt"),
    "list": ArrayOfMaps("list"),
    "ordered": Nested("in.side", ArrayOfMaps("ordered", position="at")),
    "nested": Nested("in.side", MapOfMaps("nested", deep=True)),
    "values": MapOfValues("values"),
    "one.row": MapOfValues("row"),
    "one.note.body": SharedText("note"),
}
ROOTS: dict[str, Any] = {
    "maps": Map, "list": Array, "in": Map, "values": Map, "row": Map, "note": Text, "foreign": Map,
}  # fmt: skip


class Peer:
    """Somebody with a document.

    Two edit a Store, one the document beneath a mirror, and one, the application, has no weft at all.
    """

    def __init__(self, rng: Random, number: int, start: bytes, *, has_store: bool, has_mirror: bool) -> None:
        self.rng = rng
        self.number = number
        self.doc: Doc[Any] = create_doc()
        self.doc.apply_update(start)
        for name, kind in ROOTS.items():
            self.doc.get(name, type=kind)
        self.store = Store()
        self.errors: list[Exception] = []
        self.has_store = has_store
        self.mirror: YjsMirror | None = None
        if has_mirror:
            self.mirror = YjsMirror(self.store, self.doc, layout=LAYOUT, on_error=self.errors.append).start()

    def flush(self) -> None:
        if self.mirror is not None:
            self.mirror.flush()

    def edit(self) -> None:
        if self.has_store:
            self._edit_store()
        else:
            self._edit_document()
            self.flush()

    def _edit_store(self) -> None:
        rng, store = self.rng, self.store
        table = rng.choice(["maps", "list", "ordered", "nested"])
        row = rng.choice("abcdef")
        match rng.randrange(9):
            case 0:
                store.del_row(table, row)
            case 1:
                store.del_cell(table, row, rng.choice("xy"))
            case 2:
                store.set_value(rng.choice("pq"), rng.random())
            case 3:
                store.set_cell("one", "row", rng.choice("xy"), rng.randrange(9))
            case 4 if (old := store.get_cell("one", "note", "body")) is not None:
                text = store.text("one", "note", "body")
                text.insert(rng.randint(0, len(text)) if str(old).isascii() else 0, rng.choice(["é", "ab"]))
            case 4:
                store.set_cell("one", "note", "body", "begun")
            case 5:
                store.set_cell("maps", row, "text", rng.choice(["", "text", "😀 text", "texts"]))
            case 6 if store.has_row("ordered", row):
                store.set_cell("ordered", row, "at", rng.randrange(6))
            case _:
                store.set_partial_row(table, row, {rng.choice("xy"): rng.choice([1, 2.5, True, None, "s"])})

    def _edit_document(self) -> None:
        rng, doc = self.rng, self.doc
        key = rng.choice("abcdef")
        inside = doc["in"].get("side")
        with doc.transaction():
            match rng.randrange(8):
                case 0:
                    doc["maps"][key] = Map(
                        {"x": rng.randrange(9), "txt": Text("js"), "own": Map({"deep": 1})}
                    )
                case 1 if key in doc["maps"]:
                    doc["maps"][key]["y"] = rng.randrange(9)
                case 2:
                    doc["list"].insert(
                        rng.randint(0, len(doc["list"])), Map({"id": f"{key}{self.number}", "x": 1})
                    )
                case 3 if len(doc["list"]):
                    del doc["list"][rng.randrange(len(doc["list"]))]
                case 4 if inside is not None and "ordered" in inside and len(inside["ordered"]):
                    inside["ordered"][rng.randrange(len(inside["ordered"]))]["y"] = rng.randrange(9)
                case 5 if inside is not None and "nested" in inside:
                    inside["nested"][key] = Map({"x": 1, "tags": Array([1, "two"])})
                case 6:
                    doc["note"].insert(0, rng.choice(["js ", "🟢"]))
                case _:
                    doc["values"][rng.choice("pq")] = rng.randrange(9)
            doc["foreign"][f"{self.number}"] = rng.random()

    def check(self) -> None:
        """The Store is what is read from the document without a mirror."""
        if self.mirror is None:
            return
        assert self.store.get_tables() == _tables(self.doc)
        assert self.store.get_values() == _cells(self.doc["values"])


def _cells(shared: Any) -> dict[str, Any]:
    return {
        key: value for key, value in shared.to_py().items() if not isinstance(shared[key], Map | Array | Text)
    }


def _roots(doc: Doc[Any]) -> dict[str, Any]:
    """All that is in a document, foreign content in rows too."""
    return {name: str(doc[name]) if kind is Text else doc[name].to_py() for name, kind in ROOTS.items()}


def _tables(doc: Doc[Any]) -> dict[str, Any]:
    maps = {key: _cells(row) for key, row in doc["maps"].items()}
    for key, row in doc["maps"].items():
        if isinstance(row.get("txt"), Text):
            maps[key]["text"] = str(row["txt"])
        maps[key].pop("txt", None)
    side = doc["in"].get("side", {})
    tables = {
        "maps": maps,
        "list": _rows(doc["list"], None),
        "ordered": _rows(side["ordered"], "at") if "ordered" in side else {},
        "nested": side["nested"].to_py() if "nested" in side else {},
        "one": {"row": _cells(doc["row"])}
        | ({"note": {"body": str(doc["note"])}} if str(doc["note"]) else {}),
    }
    kept = {name: {key: row for key, row in table.items() if row} for name, table in tables.items()}
    return {name: table for name, table in kept.items() if table}


def _rows(shared: Any, position: str | None) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for index, row in enumerate(shared):
        cells = _cells(row)
        key = cells.pop("id")
        rows.setdefault(key, cells | ({} if position is None else {position: index}))
    return rows


def _meet(one: Peer, other: Peer) -> None:
    for _ in range(3):  # what is healed at one is told to the other
        for source, target in ((one, other), (other, one)):
            source.flush()
            update = source.doc.get_update(target.doc.get_state())
            if target.mirror is None:
                target.doc.apply_update(update)
            else:
                YDocument.of(target.doc).apply(update, origin=None)
            target.flush()


def _run(seed: int) -> None:
    rng = Random(seed)
    print(f"seed {seed}")
    start = create_doc()
    start["foreign"] = Map({"kept": "as it is"})
    peers = [
        Peer(rng, number, start.get_update(), has_store=number < 2, has_mirror=number < 3)
        for number in range(4)
    ]
    for _ in range(40):
        for peer in peers:
            for _ in range(rng.randrange(3)):
                peer.edit()
                if peer.store.get_cell("one", "note", "body") != "":  # an emptied text is a cell or none
                    peer.check()
        if rng.random() < 0.4:
            one, other = rng.sample(peers, 2)
            _meet(one, other)
            one.check()
            other.check()
    for _ in range(3):
        for one in peers:
            for other in peers:
                if one is not other:
                    _meet(one, other)
    for peer in peers:
        assert _roots(peer.doc) == _roots(peers[0].doc)
        if peer.mirror is None:
            continue
        peer.check()
        assert peer.store.get_content() == peers[0].store.get_content()
        assert peer.doc["foreign"].to_py() == peers[0].doc["foreign"].to_py()
        assert peer.doc["foreign"]["kept"] == "as it is"
        assert not [
            error
            for error in peer.errors
            if "which is no cell" not in str(error) and "written where" not in str(error)
        ]
        peer.mirror.stop()


@pytest.mark.parametrize("seed", range(30))
def test_stores_are_what_the_documents_say(seed: int) -> None:
    _run(seed)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_stores_are_what_the_documents_say_long() -> None:
    for seed in range(1000, 2000):
        _run(seed)
