"""Documents of other applications: one cell and one row in each shape, and reading a whole document."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pycrdt import Array, Doc, Map

from benchmarks._measure import EFFORT, measure, measure_each, report
from benchmarks._table import Line
from weft import ArrayOfMaps, MapOfMaps, MapOfValues, Nested, Store, YjsMirror, create_doc
from weft.mirrors import YDocument

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks._measure import Times

__all__ = ["lines"]

CELLS = 5  # of a row
SIZES = (1_000, 100_000)
SHAPES: dict[str, Any] = {
    "map of maps": MapOfMaps("rows"),
    "nested map of maps": Nested("app", MapOfMaps("rows")),
    "array of maps": ArrayOfMaps("rows"),
    "map of values": MapOfValues("rows"),
}


def lines() -> list[Line]:
    """The lines of the table; in milliseconds."""
    return [
        *(line for name in SHAPES for line in _growth(name)),
        *_reading("map of maps"),
        *_reading("array of maps"),
    ]


def _growth(name: str) -> list[Line]:
    done: dict[str, list[Times]] = {}
    raw: list[Times] = []
    for size in (SIZES[0], SIZES[1] // EFFORT.shrink):
        report(f"shapes: one cell and one row in a {name} of {size:,} cells")
        for what, run in _edits(name, size).items():
            done.setdefault(what, []).append(measure_each(run))
        if name == "array of maps":
            raw.append(measure_each(_raw_append(size)))
    found = []
    for what, (small, large) in done.items():
        title = f"{what}, {name}, growth from {SIZES[0]:,} cells to {SIZES[1]:,}"
        found.append(Line(title, large.median, "ours, small", small.median, 1.5))
    if raw:
        found.append(Line(f"raw pycrdt's append to an {name}, growth", raw[1].median, "small", raw[0].median))
    return found


def _build(name: str, size: int) -> Doc[Any]:
    doc = create_doc()
    with doc.transaction():
        if name == "map of values":
            doc["rows"] = Map({f"v{number}": number for number in range(size)})
            return doc
        rows = [_row(number) for number in range(size // CELLS)]
        if name == "array of maps":
            shared: Any = Array()
        else:
            shared = Map()
        if name == "nested map of maps":
            doc["app"] = app = Map()
            app["rows"] = shared
        else:
            doc["rows"] = shared
        for number, row in enumerate(rows):
            if name == "array of maps":
                shared.append(Map({"id": f"r{number}", **row}))
            else:
                shared[f"r{number}"] = Map(row)
    loaded = create_doc()
    loaded.apply_update(doc.get_update())
    return loaded


def _row(number: int) -> dict[str, object]:
    return {"a": number, "b": "text", "c": True, "d": number / 4, "e": None}


def _edits(name: str, size: int) -> dict[str, Callable[[int], object]]:
    doc = _build(name, size)
    store = Store()
    mirror = YjsMirror(store, doc, layout={"t": SHAPES[name]}).start()
    document = YDocument.of(doc)
    other = create_doc()
    other.apply_update(doc.get_update())
    last = f"r{size // CELLS - 1}"
    updates: list[bytes] = []

    def receive(number: int) -> None:
        document.apply(updates[number], origin=None)

    root = "app" if name == "nested map of maps" else "rows"
    for number in range(EFFORT.warmup_each + EFFORT.rounds_each):
        before = other.get_state()
        if name == "map of values":
            other.get("rows", type=Map)["v1"] = 1_000_000 + number
        else:
            shared: Any = other.get(root, type=_type(name))
            shared = shared["rows"] if root == "app" else shared
            row = shared[len(shared) - 1] if name == "array of maps" else shared[last]
            row["a"] = 1_000_000 + number
        updates.append(other.get_update(before))
    if name == "map of values":
        return {
            "local cell": lambda number: store.set_value("v0", -number),
            "received cell": receive,
        }
    keep = [mirror]
    return {
        "local cell": lambda number: store.set_cell("t", last, "b", f"text {number}"),
        "received cell": receive,
        "local row": lambda number: store.set_row("t", f"new{len(keep)}{number}", {"a": number, "b": "x"}),
    }


def _type(name: str) -> Any:
    return Array if name == "array of maps" else Map


def _raw_append(size: int) -> Callable[[int], object]:
    shared = _build("array of maps", size).get("rows", type=Array)
    return lambda number: shared.append(Map({"id": f"new{number}", "a": number, "b": "x"}))


def _reading(name: str) -> list[Line]:
    size = SIZES[1] // EFFORT.shrink
    report(f"shapes: reading a {name} of {size:,} cells")
    doc = _build(name, size)
    shared = doc.get("rows", type=_type(name))
    theirs = measure(lambda: None, lambda _: shared.to_py())
    ours = measure(Store, partial(_read, doc, name))
    return [Line(f"a {name} of {size:,} cells into a Store", ours.min, "pycrdt's to_py", theirs.min, 1.3)]


def _read(doc: Doc[Any], name: str, store: Store) -> None:
    YjsMirror(store, doc, layout={"t": SHAPES[name]}).start().stop()
