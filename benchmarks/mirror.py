"""The Yjs mirror against raw pycrdt in the same layout, and against yjs with TinyBase on Node."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pycrdt import Doc, Map

from benchmarks._measure import EFFORT, Times, measure, measure_each, report
from benchmarks._node import best, node_times
from benchmarks._table import Line
from benchmarks._workload import CELL_IDS, CELLS, CELLS_PER_ROW, TABLE, row_ids, tables
from weft import Store, create_doc
from weft.documents import YDocument
from weft.mirrors.yjs import YjsMirror
from weft.protocols.ysync import Send, Synced, YSyncSession

PEER = "TinyBase 10.0.1 + yjs on Node"
SIZES = (1_000, 10_000, 100_000)
CONTENT = tables(CELLS)
ROWS = CELLS // CELLS_PER_ROW


def _raw_build(doc: Doc[Any]) -> None:
    root = doc.get("tinybase", type=Map)
    with doc.transaction():
        root["t"] = Map()
        root["v"] = Map()
        root["t"][TABLE] = Map({row: Map(cells) for row, cells in CONTENT[TABLE].items()})


def _raw_apply(update: bytes) -> Any:
    doc: Doc[Any] = Doc()
    doc.apply_update(update)
    content = doc.get("tinybase", type=Map).to_py()
    assert content is not None
    assert len(content["t"][TABLE]) == ROWS
    return content


class _Live:
    """A Store and a document with a running mirror, and a listener as a program has one."""

    def __init__(self) -> None:
        self.doc: Doc[Any] = Doc(client_id=0x2000_0001)
        self.store = Store()
        self.heard = 0
        self.store.add_tables_listener(self._hear)
        self.mirror = YjsMirror(self.store, self.doc)
        self.mirror.start()

    def _hear(self, *_: object) -> None:
        self.heard += 1

    def fill(self) -> None:
        self.store.set_tables(CONTENT)
        self.mirror.flush()
        assert len(self.doc.get("tinybase", type=Map)["t"][TABLE]) == ROWS

    def connect(self) -> _Live:
        self.session = YSyncSession(YDocument.of(self.doc), role="client")
        self.session.connected(0.0)
        return self

    def receive(self, message: bytes) -> None:
        # The whole way of received bytes: decoding, the structural guard, the document, mirror and listeners.
        effects = self.session.receive(message, 0.0)
        assert Synced() in effects
        assert self.store.get_row_count(TABLE) == ROWS
        assert self.heard


def _fill_store_only(store: Store) -> None:
    store.set_tables(CONTENT)


def _one_cell(size: int) -> Times:
    live = _Live()
    live.store.set_tables(tables(size))
    live.mirror.flush()
    rows = row_ids(size)
    table = live.doc.get("tinybase", type=Map)["t"][TABLE]

    def change(number: int) -> None:
        live.store.set_cell(
            TABLE, rows[number * 7 % len(rows)], CELL_IDS[number % CELLS_PER_ROW], -1 - number
        )

    times = measure_each(change)
    last = EFFORT.warmup_each + EFFORT.rounds_each - 1
    assert table[rows[last * 7 % len(rows)]][CELL_IDS[last % CELLS_PER_ROW]] == -1 - last
    live.mirror.stop()
    return times


def _one_row(size: int) -> Times:
    live = _Live()
    live.store.set_tables(tables(size))
    live.mirror.flush()
    table = live.doc.get("tinybase", type=Map)["t"][TABLE]
    row = {cell: i for i, cell in enumerate(CELL_IDS)}
    lengths = set()

    def undo(number: int) -> None:
        lengths.add(len(table[f"new{number}"]))
        live.store.del_row(TABLE, f"new{number}")

    times = measure_each(lambda number: live.store.set_row(TABLE, f"new{number}", row), undo)
    assert lengths == {CELLS_PER_ROW}
    live.mirror.stop()
    return times


def _answer(update: bytes) -> bytes:
    """What a server that has this answers to a client that has nothing."""
    doc = create_doc()
    doc.apply_update(update)
    server = YSyncSession(YDocument.of(doc), role="server")
    server.connected(0.0)
    nothing = create_doc()
    asked = YSyncSession(YDocument.of(nothing), role="client").connected(0.0)
    said = [effect.data for effect in asked if isinstance(effect, Send)]
    answers = [
        effect.data for data in said for effect in server.receive(data, 0.0) if isinstance(effect, Send)
    ]
    return max(answers, key=len)


def _ours(update: bytes) -> dict[str, Times]:
    message = _answer(update)
    report("100,000 cells into the Store alone, pycrdt alone, and both")
    times = {
        "store": measure(Store, _fill_store_only),
        "raw_build": measure(Doc, _raw_build),
        "fill": measure(_Live, _Live.fill),
    }
    report("100,000 cells received by pycrdt alone, and by both")
    times["raw_apply"] = measure(lambda: update, _raw_apply)
    times["receive"] = measure(lambda: _Live().connect(), lambda live: live.receive(message))
    for size in SIZES:
        report(f"one cell and one row at {size:,} cells")
        times[f"one_cell_{size}"] = _one_cell(size)
        times[f"one_row_{size}"] = _one_row(size)
    return times


def _per_change(name: str, case: str, ours: dict[str, Times], theirs: dict[str, Times]) -> list[Line]:
    least, most = SIZES[0], SIZES[-1]
    found = [
        Line(
            f"{name} at {size:,} cells (median)",
            ours[f"{case}_{size}"].median,
            PEER,
            theirs[f"{case}_{size}"].median,
            0.01 if (case, size) == ("one_row", most) else None,
        )
        for size in SIZES
    ]
    small, large = ours[f"{case}_{least}"].median, ours[f"{case}_{most}"].median
    return [*found, Line(f"{name}, growth to {most:,} cells", large, f"ours at {least:,} cells", small, 1.5)]


def lines() -> list[Line]:
    """Measure the mirror, raw pycrdt, and TinyBase with createYjsPersister."""
    raw_doc: Doc[Any] = Doc(client_id=0x2000_0002)
    _raw_build(raw_doc)
    update = raw_doc.get_update()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "update.bin"
        path.write_bytes(update)
        before = node_times("bench_yjs.mjs", str(path))
        ours = _ours(update)
        theirs = best(before, node_times("bench_yjs.mjs", str(path)))
    raw, fill, receive = ours["raw_build"].min, ours["fill"].min, ours["receive"].min
    budget = ours["store"].min + 1.3 * raw
    return [
        Line("set_tables, 100,000 cells, into Store", ours["store"].min),
        Line("the same cells into pycrdt alone", raw),
        Line("set_tables until all is in the document", fill, "Store + 1.3 x raw pycrdt", budget, 1.0),
        Line("", fill, PEER, theirs["set_tables_into_document"].min),
        Line(
            "received 100,000 cells until listeners ran",
            receive,
            "pycrdt apply + to_py",
            ours["raw_apply"].min,
            0.7,
        ),
        Line("", receive, PEER, theirs["apply_update_into_store"].min, 1.0),
        *_per_change("one changed cell", "one_cell", ours, theirs),
        *_per_change("one added row", "one_row", ours, theirs),
    ]
