"""The Automerge mirror against the raw binding in one layout, and against Automerge and TinyBase on Node.

A remote cell is timed from the received frame of automerge-repo's protocol to the Store's cell listener;
TinyBase's from the sync message in such a frame. A local cell is timed until ``set_cell`` returns, when the
document's subscribers have the bytes of the change; TinyBase's until its handle says that it has changed.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from automerge.core import ROOT, Document, ObjType, ScalarType

from benchmarks._automerge_hop import hop_lines
from benchmarks._measure import EFFORT, Times, measure, measure_each, report, summary
from benchmarks._node import best, node_times
from benchmarks._table import Line
from benchmarks._workload import CELL_IDS, CELLS, TABLE, row_ids, tables
from weft import Store
from weft.documents import AutomergeDocument, DocumentEvent
from weft.mirrors.automerge import AutomergeMirror
from weft.protocols.automerge_repo import RepoSession, Send, encode_document_id

PER_ROW = 5
NODE, TINYBASE = "Automerge 3.5.0 on Node", "TinyBase 10.0.1 + automerge-repo on Node"
DOCUMENT_ID = encode_document_id(bytes(16))

Tables = dict[str, dict[str, dict[str, Any]]]


def _numbers(cells: int) -> Tables:
    return tables(cells, per_row=PER_ROW)


def _texts(cells: int) -> Tables:
    rows = _numbers(cells)[TABLE].items()
    return {TABLE: {row: {cell: f"text of {n}" for cell, n in found.items()} for row, found in rows}}


def _sizes() -> list[int]:
    return [size // EFFORT.shrink for size in (1_000, 10_000, CELLS)]


def _contents() -> dict[str, Tables]:
    most = _sizes()[-1]
    return {"number": _numbers(most), "text": _texts(most // 10)}


class _Live:
    """A Store and a document with a running mirror, and a listener as a program has one."""

    def __init__(self, data: bytes = b"") -> None:
        self.store = Store()
        self.heard_at = 0
        self.store.add_cell_listener(None, None, None, self._hear)
        self.document = AutomergeDocument(data)
        self.mirror = AutomergeMirror(self.store, self.document)
        self.mirror.start()

    def _hear(self, *_: object) -> None:
        if not self.heard_at:
            self.heard_at = time.perf_counter_ns()


def _raw_build(core: Any, content: Tables) -> Any:
    with core.transaction() as transaction:
        root = transaction.put_object(ROOT, "tinybase", ObjType.Map)
        transaction.put_object(root, "v", ObjType.Map)
        top = transaction.put_object(root, "t", ObjType.Map)
        for table_id, rows in content.items():
            table = transaction.put_object(top, table_id, ObjType.Map)
            for row_id, cells in rows.items():
                row = transaction.put_object(table, row_id, ObjType.Map)
                for cell_id, cell in cells.items():
                    if type(cell) is str:
                        text = transaction.put_object(row, cell_id, ObjType.Text)
                        transaction.splice_text(text, 0, 0, cell)
                    else:
                        transaction.put(row, cell_id, ScalarType.Int, cell)
    return core


def _whole(kind: str, content: Tables, saved: bytes) -> dict[str, Times]:
    """Build, save and load; what was made is compared with the content outside of the times."""
    raw = bytes(_raw_build(Document(b"raw"), content).save())
    full = _Live(saved)
    assert full.store.get_tables() == _Live(raw).store.get_tables() == content
    return {
        f"{kind}_store": measure(Store, lambda store: store.set_tables(content)),
        f"{kind}_raw": measure(lambda: Document(b"raw"), lambda core: _raw_build(core, content)),
        f"{kind}_build": measure(_Live, lambda live: live.store.set_tables(content)),
        f"{kind}_load": measure(lambda: saved, _Live),
        f"{kind}_first": measure(
            lambda: _Live(saved), lambda live: live.store.set_cell(TABLE, "r0", "c0", 0.5)
        ),
        f"{kind}_save": measure(lambda: full.document, AutomergeDocument.save),
    }


def _place(number: int, rows: list[str]) -> tuple[str, str, str]:
    return TABLE, rows[number * 7 % len(rows)], CELL_IDS[number % PER_ROW]


def _local(size: int, saved: bytes) -> Times:
    live = _Live(saved)
    rows = row_ids(size, per_row=PER_ROW)
    written: list[bytes] = []

    def hear(event: DocumentEvent) -> None:
        written.extend(event.changes)

    live.document.subscribe(hear)
    times = measure_each(lambda number: live.store.set_cell(*_place(number, rows), -1 - number))
    assert len(written) == EFFORT.warmup_each + EFFORT.rounds_each
    assert _Live(live.document.save()).store.get_tables() == live.store.get_tables()
    live.mirror.stop()
    return times


def _frames(session: RepoSession) -> list[bytes]:
    return [effect.data for effect in session.changed(DOCUMENT_ID) if isinstance(effect, Send)]


def _answers(session: RepoSession, frames: list[bytes]) -> list[bytes]:
    effects = [effect for frame in frames for effect in session.receive(frame)]
    return [effect.data for effect in effects if isinstance(effect, Send)]


def _settle(ours: RepoSession, others: RepoSession, frames: list[bytes]) -> None:
    """Exchange what both have to say, beginning with what we said."""
    while frames:
        frames = _answers(ours, _answers(others, frames))


def _remote(size: int, saved: bytes) -> tuple[Times, Times]:
    """Until the listener is called, and until the answer is made."""
    live, other = _Live(saved), _Live(saved)
    rows = row_ids(size, per_row=PER_ROW)
    ours = RepoSession(role="client", peer_id="ours", session_id="1")
    others = RepoSession(role="server", peer_id="other", session_id="2")
    for session, document in ((ours, live.document), (others, other.document)):
        session.add(DOCUMENT_ID, document)
    others.connected()
    _settle(ours, others, [effect.data for effect in ours.connected() if isinstance(effect, Send)])
    other.store.set_cell(*_place(0, rows), 0.5)  # the first change may be asked for once more
    _settle(ours, others, _answers(ours, _frames(others)))
    assert live.document.heads == other.document.heads
    listened, answered = [], []
    for number in range(EFFORT.warmup_each + EFFORT.rounds_each):
        place = _place(number, rows)
        other.store.set_cell(*place, -1 - number)
        (frame,) = _frames(others)
        live.heard_at = 0
        start = time.perf_counter_ns()
        effects = ours.receive(frame)
        end = time.perf_counter_ns()
        listened.append((live.heard_at - start) / 1e6)
        answered.append((end - start) / 1e6)
        assert live.heard_at > start
        assert live.store.get_cell(*place) == -1 - number
        _settle(ours, others, [effect.data for effect in effects if isinstance(effect, Send)])
    assert live.document.heads == other.document.heads
    return summary(listened[EFFORT.warmup_each :]), summary(answered[EFFORT.warmup_each :])


def _ours(files: dict[str, bytes]) -> dict[str, Times]:
    times: dict[str, Times] = {}
    for kind, content in _contents().items():
        report(f"documents of {kind} cells")
        times |= _whole(kind, content, files[kind])
    for size in _sizes():
        report(f"one local and one remote cell at {size:,} cells")
        filled = _Live()
        filled.store.set_tables(_numbers(size))
        saved = filled.document.save()
        times[f"local_{size}"] = _local(size, saved)
        times[f"remote_{size}"], times[f"answer_{size}"] = _remote(size, saved)
    return times


def _per_cell(
    name: str, case: str, ours: dict[str, Times], theirs: dict[str, Times], growth: float
) -> list[Line]:
    pairs = [(size, ours[f"{case}_{size}"].median, theirs[f"{case}_{size}"].median) for size in _sizes()]
    found = [Line(f"{name} at {size:,} cells (median)", mine, TINYBASE, peers) for size, mine, peers in pairs]
    (least, small, _), *_, (most, large, _) = pairs
    return [
        *found,
        Line(f"{name}, growth to {most:,} cells", large, f"ours at {least:,} cells", small, growth),
    ]


def _per_document(kind: str, cells: int, ours: dict[str, Times], theirs: dict[str, Times]) -> list[Line]:
    name = f"{cells:,} {kind} cells"
    build, load, save, raw = (ours[f"{kind}_{what}"].min for what in ("build", "load", "save", "raw"))
    budget = ours[f"{kind}_store"].min + 1.3 * raw
    return [
        Line(f"set_tables into the document, {name}", build, "Store + 1.3 x raw binding", budget, 1.0),
        Line("", build, "the raw binding alone", raw),
        Line("", build, f"{NODE}, no Store", theirs[f"{kind}_build"].min, 1.0),
        Line("", build, TINYBASE, theirs[f"{kind}_build_store"].min, 1.0),
        Line(
            f"saved bytes into the Store, {name}", load, f"{NODE}, no Store", theirs[f"{kind}_load"].min, 1.0
        ),
        Line("", load, TINYBASE, theirs[f"{kind}_load_store"].min, 1.0),
        Line(f"the first change after that, {name}", ours[f"{kind}_first"].min),
        Line(f"save, {name}", save, NODE, theirs[f"{kind}_save"].min),
    ]


def _theirs(files: dict[str, bytes], part: str) -> dict[str, Times]:
    with tempfile.TemporaryDirectory() as folder:
        for kind, data in files.items():
            (Path(folder) / f"{kind}.bin").write_bytes(data)
        return node_times("bench_automerge.mjs", folder, str(EFFORT.shrink), part)


def lines() -> list[Line]:
    """Measure the mirror, the raw binding, and both peers on Node."""
    files = {}
    for kind, content in _contents().items():
        live = _Live()
        live.store.set_tables(content)
        files[kind] = live.document.save()
    before = _theirs(files, "plain")
    ours = _ours(files)
    theirs = best(before, _theirs(files, "plain")) | _theirs(files, "tinybase")
    most = _sizes()[-1]
    remote, peers = ours[f"remote_{most}"].median, theirs[f"remote_{most}"].median
    return [
        *_per_cell("one remote cell until the listener", "remote", ours, theirs, 1.2),
        Line(f"one remote cell until the listener, target at {most:,} cells", remote, below=0.2),
        Line("", remote, TINYBASE, peers, 0.05),
        Line("the same until the answer is made", ours[f"answer_{most}"].median),
        *_per_cell("one local cell until the change's bytes", "local", ours, theirs, 1.5),
        *_per_document("number", most, ours, theirs),
        *_per_document("text", most // 10, ours, theirs),
        *hop_lines(),
    ]
