"""Replicas against what others keep documents on disk with: pycrdt-store, and NodeFS of automerge-repo.

An edit is timed from the write to the document until it is on disk; neither peer syncs what it writes but by
SQLite's own default. A start is timed from the open of the place to the first cell read; what 10,000 received
edits take, from the first one's bytes until the last one is on disk.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from contextlib import asynccontextmanager, contextmanager
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pycrdt import Doc, Map
from pycrdt.store import SQLiteYStore

from benchmarks._measure import EFFORT, Effort, Times, measure, measure_async, measure_each_async, report
from benchmarks._node import best, node_times
from benchmarks._table import Line
from benchmarks._workload import CELLS, TABLE, tables
from weft import AutomergeDocument, Replica, Store
from weft.mirrors import AutomergeMirror, YjsMirror

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

Kind: TypeAlias = Literal["yjs", "automerge"]
BATCH, EDITS = 100, 10_000
SHARE = 10  # of the edits SQLiteYStore is given a tenth: it takes minutes for all
KINDS: tuple[Kind, ...] = ("yjs", "automerge")
YSTORE, NODEFS = "pycrdt-store's SQLiteYStore", "automerge-repo's NodeFS"
_numbers = itertools.count()


@contextmanager
def _effort(times: int) -> Iterator[None]:
    """Measure what takes a peer a second not as often as what takes it milliseconds."""
    before = replace(EFFORT)
    if times > 1:
        EFFORT.warmup, EFFORT.rounds = min(EFFORT.warmup, 1), min(EFFORT.rounds, 4)
        EFFORT.warmup_each, EFFORT.rounds_each = min(EFFORT.warmup_each, 1), min(EFFORT.rounds_each, 5)
    yield
    for field in fields(Effort):
        setattr(EFFORT, field.name, getattr(before, field.name))


def _root(doc: Doc[Any]) -> Map[Any]:
    return doc.get("m", type=Map)


@asynccontextmanager
async def _ystore(path: Path) -> AsyncIterator[SQLiteYStore]:
    class Here(SQLiteYStore):
        db_path = str(path)

    async with Here("farm") as store:
        yield store


def _updates(count: int) -> list[bytes]:
    """Updates of one more writer, each of one cell."""
    doc: Doc[Any] = Doc(client_id=5)
    found: list[bytes] = []
    root = _root(doc)
    doc.observe(lambda event: found.append(event.update))
    for number in range(count):
        root[f"{number % 1000}"] = number
    return found


async def _edits(folder: Path) -> tuple[dict[str, Times], dict[str, Times]]:
    """One edit, and a hundred, until they are on disk."""
    ours: dict[str, Times] = {}
    theirs: dict[str, Times] = {}
    for kind in KINDS:
        async with Replica(folder / f"edits{next(_numbers)}", kind=kind) as replica:
            store = Store()
            mirror = YjsMirror if kind == "yjs" else AutomergeMirror
            with mirror(store, replica.document):
                for times in (1, BATCH):

                    async def edit(
                        number: int, *, replica: Replica = replica, store: Store = store, times: int = times
                    ) -> None:
                        for at in range(times):
                            store.set_cell(TABLE, "r", f"c{at}", number)
                        await replica.saved()

                    with _effort(times):
                        ours[f"{kind} {times}"] = await measure_each_async(edit)
    async with _ystore(folder / f"edits{next(_numbers)}") as ystore:
        store, doc, written = Store(), Doc(client_id=5), []
        doc.observe(lambda event: written.append(event.update))
        with YjsMirror(store, doc):

            async def write(number: int, *, times: int) -> None:
                for at in range(times):
                    store.set_cell(TABLE, "r", f"c{at}", number)
                for update in written:
                    await ystore.write(update)
                written.clear()

            for times in (1, BATCH):
                with _effort(times):
                    theirs[f"yjs {times}"] = await measure_each_async(partial(write, times=times))
    return ours, theirs


async def _starts(folder: Path) -> tuple[dict[str, Times], dict[str, Times]]:
    """From the open of a place with 100,000 cells to the first one read."""
    content = tables(CELLS // EFFORT.shrink)
    ours: dict[str, Times] = {}
    theirs: dict[str, Times] = {}
    mirrors: dict[Kind, Any] = {"yjs": YjsMirror, "automerge": AutomergeMirror}
    for kind, mirror in mirrors.items():
        path = folder / f"start {kind}"
        async with Replica(path, kind=kind) as replica:
            filled = Store()
            with mirror(filled, replica.document):
                filled.set_tables(content)
            if kind == "yjs":
                update = replica.document.get_update()
            else:
                saved = replica.document.save()

        async def read_document(replica: Replica) -> None:
            await replica.open()
            assert replica.document is not None

        async def read_store(replica: Replica, *, mirror: Any = mirror) -> None:
            await replica.open()
            store = Store()
            with mirror(store, replica.document):
                assert store.get_cell(TABLE, "r1", "c1") == 11

        async def close(replica: Replica) -> None:
            await replica.close()

        for name, run in (("document", read_document), ("store", read_store)):
            ours[f"{kind} {name}"] = await measure_async(partial(Replica, path, kind=kind), run, close)

    def load_and_fill(_: object) -> Store:
        doc: Doc[Any] = Doc(client_id=5)
        doc.apply_update(update)
        store = Store()
        with YjsMirror(store, doc):
            return store

    theirs["yjs store"] = measure(lambda: None, load_and_fill)

    def load_and_fill_automerge(_: object) -> Store:
        store = Store()
        with AutomergeMirror(store, AutomergeDocument(saved)):
            return store

    theirs["automerge store"] = measure(lambda: None, load_and_fill_automerge)
    path = folder / "start ystore"
    async with _ystore(path) as ystore:
        await ystore.write(update)

    async def read(_: object) -> None:
        async with _ystore(path) as ystore:
            await ystore.apply_updates(Doc())

    async def nothing(_: object) -> None:
        pass

    theirs["yjs document"] = await measure_async(lambda: None, read, nothing)
    return ours, theirs


async def _catch_up(folder: Path) -> tuple[dict[str, Times], dict[str, Times]]:
    """Ten thousand received edits, taken in one by one, until all are on disk."""
    updates = _updates(EDITS // EFFORT.shrink)
    changes = _changes(EDITS // EFFORT.shrink)

    async def take_in(replica: Replica) -> None:
        await replica.open()
        content: Any = replica.content
        if replica.kind == "yjs":
            for update in updates:
                content.apply(update, origin="server")
        else:
            content.doc.apply_changes(changes, origin="server")
        await replica.saved()

    async def close(replica: Replica) -> None:
        await replica.close()

    def new(kind: Kind) -> Replica:
        return Replica(folder / f"catch{next(_numbers)}", kind=kind, durable="soon")

    ours = {kind: await measure_async(partial(new, kind), take_in, close) for kind in KINDS}

    async def take_in_theirs(path: Path) -> None:
        async with _ystore(path) as ystore:
            doc: Doc[Any] = Doc()
            for update in updates[: len(updates) // SHARE]:
                doc.apply_update(update)
                await ystore.write(update)

    async def nothing(_: object) -> None:
        pass

    before, EFFORT.warmup, EFFORT.rounds = (EFFORT.warmup, EFFORT.rounds), 0, 1
    part = await measure_async(lambda: folder / f"catch{next(_numbers)}", take_in_theirs, nothing)
    EFFORT.warmup, EFFORT.rounds = before
    return ours, {"yjs": Times(part.min * SHARE, part.median * SHARE, part.rounds)}


def _changes(count: int) -> list[bytes]:
    document, found = AutomergeDocument(), []
    document.subscribe(lambda event: found.extend(event.changes))
    with AutomergeMirror(store := Store(), document):
        for number in range(count):
            store.set_cell(TABLE, "r", f"c{number % 1000}", number)
    return found


def _theirs(folder: Path) -> dict[str, Times]:
    return node_times("bench_replica.mjs", str(folder / f"node{next(_numbers)}"), str(EFFORT.shrink))


def lines() -> list[Line]:
    """Measure replicas, and what others keep documents with."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before = _theirs(folder)
        found = []
        for measured, what in ((_edits, "edits"), (_starts, "starts"), (_catch_up, "catching up")):
            report(f"replica: {what}")
            with _effort(1 if measured is _edits else BATCH):
                found.append(asyncio.run(measured(folder)))
        node = best(before, _theirs(folder))
    (edits, edits_y), (starts, starts_y), (caught, caught_y) = found
    both = (("yjs", YSTORE, edits_y | starts_y | caught_y), ("automerge", NODEFS, node))
    lines = []
    for number, text in ((1, "one edit"), (BATCH, f"{BATCH} edits")):
        for kind, peer, their in both:
            case = f"{kind} {number}"
            name = f"{text} to durable, {kind}, median"
            lines.append(Line(name, edits[case].median, peer, their[case].median, 1.0))
    for kind, peer, their in both:
        case = f"{kind} document"
        lines.append(Line(f"start of 100,000 cells, {kind}", starts[case].min, peer, their[case].min, 1.0))
    for kind, peer in (("yjs", "apply_update, Store filled"), ("automerge", "loaded, Store filled")):
        case, name = f"{kind} store", f"start of 100,000 cells into a Store, {kind}"
        lines.append(Line(name, starts[case].min, peer, starts_y[case].min, 1.3))
    for kind, peer, their in both:
        name = f"{peer}, {SHARE} x 1,000" if kind == "yjs" else peer
        lines.append(Line(f"catching up 10,000 edits, {kind}", caught[kind].min, name, their[kind].min, 1.0))
    return lines
