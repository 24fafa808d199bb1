"""Resident memory that 100,000 cells take, measured in a process of its own (interop/bench_memory.mjs)."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks._workload import CELLS, tables

STORES = 5


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def bytes_per_store(kind: str = "plain", cells: int = CELLS) -> float:
    """Measure in a fresh process, as the peer is."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", kind, str(cells)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    return float(json.loads(done.stdout)["bytes"])


def _main() -> None:
    from weft import Store
    from weft.mergeable import MergeableStore

    make = MergeableStore if sys.argv[1] == "mergeable" else Store
    # Row ids of each Store are its own, on both sides.
    texts = [json.dumps(tables(int(sys.argv[2]), f"{i}r")) for i in range(STORES + 1)]
    stores = []

    def build(text: str) -> None:
        store = make()
        store.set_tables(json.loads(text))
        stores.append(store)

    build(texts[0])  # warms the code up; what it takes once is not counted
    gc.collect()
    before = _resident()
    for text in texts[1:]:
        build(text)
    gc.collect()
    print(json.dumps({"bytes": (_resident() - before) / STORES}))


if __name__ == "__main__":
    _main()
