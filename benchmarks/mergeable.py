"""The MergeableStore against TinyBase's on Node: the same workload on both sides."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks._measure import EFFORT, Times, measure, report
from benchmarks._node import best, node
from benchmarks._table import Line
from benchmarks._workload import CELL_IDS, CELLS, TABLE, row_ids, tables
from benchmarks.memory import bytes_per_store
from weft.mergeable import MergeableStore

if TYPE_CHECKING:
    from collections.abc import Callable

TINYBASE = "TinyBase 10.0.1 on Node"


class _Workload:
    """What is done, with as many cells as the effort allows."""

    def __init__(self) -> None:
        self.cells = CELLS // EFFORT.shrink
        self.rows = row_ids(self.cells)
        self.content: Any = self.filled().get_mergeable_content()

    def filled(self) -> MergeableStore:
        store = MergeableStore("filled")
        store.set_tables(tables(self.cells))
        return store

    def hashed(self) -> MergeableStore:
        store = self.filled()
        store.get_mergeable_content_hashes()
        return store

    def set_each(self, store: MergeableStore) -> None:
        value = 0
        for row in self.rows:
            for cell in CELL_IDS:
                store.set_cell(TABLE, row, cell, value)
                value += 1

    def change_each(self, store: MergeableStore) -> None:
        for row in self.rows:
            for cell in CELL_IDS:
                store.set_cell(TABLE, row, cell, "changed")

    def set_in_one(self, store: MergeableStore) -> None:
        with store.transaction():
            self.set_each(store)

    def merge(self, store: MergeableStore) -> None:
        store.apply_mergeable_changes(self.content)
        assert store.get_cell(TABLE, "r0", "c0") == 0


def _cases(
    load: _Workload,
) -> list[tuple[str, str, Callable[[], Any], Callable[[Any], object], float | None]]:
    """Name of the line, case on both sides, preparation, run, at most this ratio to TinyBase's time."""
    return [
        ("MergeableStore: set_cell, 100,000 transactions", "set", MergeableStore, load.set_each, 0.25),
        ("  of cells that are there", "change", load.filled, load.change_each, 0.25),
        ("  one transaction", "set_in_one", MergeableStore, load.set_in_one, 0.25),
        ("merge of 100,000 cells", "merge", MergeableStore, load.merge, 0.5),
        (
            "content with hashes, 100,000 cells, hashes known",
            "content",
            load.hashed,
            lambda store: store.get_mergeable_content(),
            1.0,
        ),
        (
            "  the first time: we hash when asked, TinyBase at each write",
            "content",
            load.filled,
            lambda store: store.get_mergeable_content(),
            None,
        ),
    ]


def _theirs(cells: int) -> dict[str, Times]:
    # A round of TinyBase takes ten seconds: two before us and two after us, of which the best counts.
    options = {"warmup": 0, "rounds": min(EFFORT.rounds, 2), "cells": cells}
    return {case: Times(**times) for case, times in node("bench_mergeable.mjs", json.dumps(options)).items()}


def lines() -> list[Line]:
    """Measure the MergeableStore and TinyBase's."""
    load = _Workload()
    before = _theirs(load.cells)
    ours = []
    for name, case, prepare, run, at_most in _cases(load):
        report(name.strip())
        ours.append((name, case, measure(prepare, run), at_most))
    theirs = best(before, _theirs(load.cells))
    found = [Line(name, time.min, TINYBASE, theirs[case].min, at_most) for name, case, time, at_most in ours]
    report("memory")
    memory = node("bench_memory.mjs", json.dumps({"mergeable": True, "cells": load.cells}))["bytes"]
    used = bytes_per_store("mergeable", load.cells)
    found.append(Line("memory of 100,000 cells", used / 2**20, TINYBASE, memory / 2**20, 1.0, unit="MiB"))
    return found
