"""Persisters against TinyBase's on Node: the same content, the same kind of file, the same PostgreSQL server.

A save is timed from the call until the data is where it should be; a changed cell from ``set_cell`` until
auto-save has committed it. What was loaded, and what is in the databases at the end, is compared with the
Store outside of the time. The PostgreSQL server is that of the tests, which syncs nothing: what is
told there is the clients' part.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._measure import EFFORT, Times, measure_async, measure_each_async, report
from benchmarks._node import INTEROP, best, node_times
from benchmarks._table import Line
from benchmarks._workload import CELL_IDS, CELLS, SPREAD, SPREAD_IDS, row_ids, spread
from weft import Store
from weft.mergeable import MergeableStore
from weft.persisters import (
    AsyncpgDriver,
    FilePersister,
    Persister,
    PersisterStatus,
    PostgresDriver,
    PostgresTablesPersister,
    PsycopgDriver,
    SqliteJsonPersister,
    SqliteTablesPersister,
    TablesConfig,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (1_000, CELLS)
FILES, LIBSQL, PG = "persister-file, no fsync", "persister-libsql", "persister-pg"


def _config(names: list[str]) -> TablesConfig:
    return TablesConfig(
        load=dict(zip(names, SPREAD_IDS, strict=True)), save=dict(zip(SPREAD_IDS, names, strict=True))
    )


def _fail(error: Exception) -> None:
    raise SystemExit(f"a persister ignored an error: {error}")


def _file(store: Store, path: Path) -> Persister:
    return FilePersister(store, path, on_error=_fail)


def _sqlite_json(store: Store, path: Path) -> Persister:
    return SqliteJsonPersister(store, path, on_error=_fail)


def _sqlite_tables(store: Store, path: Path) -> Persister:
    return SqliteTablesPersister(store, path, _config(SPREAD_IDS), on_error=_fail)


def _postgres_tables(store: Store, driver: type[PostgresDriver], dsn: str, prefix: str) -> Persister:
    config = _config([prefix + name for name in SPREAD_IDS])
    return PostgresTablesPersister(store, driver(dsn), config, on_error=_fail)


# name of the line, case on both sides, kind of Store, our persister, TinyBase's
PLACES: list[tuple[str, str, type[Store], Callable[[Store, Path], Persister], str]] = [
    ("file", "file", Store, _file, FILES),
    ("file of a MergeableStore", "mergeable", MergeableStore, _file, FILES),
    ("SQLite, JSON", "sqlite_json", Store, _sqlite_json, LIBSQL),
    ("SQLite, tables", "sqlite_tables", Store, _sqlite_tables, LIBSQL),
]

DRIVERS: dict[str, type[PostgresDriver]] = {"asyncpg": AsyncpgDriver, "psycopg": PsycopgDriver}


async def _save_and_load(
    kind: type[Store], make: Callable[[Store, Path], Persister], folder: Path
) -> tuple[Times, Times]:
    """Save 100,000 cells to a place where nothing is, and load them into an empty Store."""
    filled = kind()
    filled.set_tables(spread(CELLS))
    paths = (folder / f"place{number}" for number in itertools.count())
    saved = await measure_async(lambda: make(filled, next(paths)), Persister.save, Persister.destroy)
    path = next(paths)
    async with make(filled, path) as persister:
        await persister.save()
    loaded = await measure_async(lambda: make(kind(), path), Persister.load, Persister.destroy)
    async with make(kind(), path) as persister:
        await persister.load()
        assert persister.get_store().get_tables() == filled.get_tables()
    return saved, loaded


async def _one_cell(size: int, make: Callable[[Store], Persister], kind: type[Store] = Store) -> Times:
    """Change one cell after another, each when the one before it is in the database."""
    store = kind()
    store.set_tables(spread(size))
    rows = row_ids(size // SPREAD)
    saved = asyncio.Event()
    async with make(store) as persister:
        await persister.start_auto_save()

        def hear(_: Persister, status: PersisterStatus) -> None:
            if status is PersisterStatus.IDLE:
                saved.set()

        persister.add_status_listener(hear)

        async def change(number: int) -> None:
            saved.clear()
            store.set_cell(
                SPREAD_IDS[number % SPREAD],
                rows[number * 7 % len(rows)],
                CELL_IDS[number % len(CELL_IDS)],
                -1 - number,
            )
            await saved.wait()

        times = await measure_each_async(change)
    async with make(kind()) as persister:
        await persister.load()
        assert persister.get_store().get_tables() == store.get_tables()
    return times


async def _whole(folder: Path) -> dict[str, Times]:
    times: dict[str, Times] = {}
    for label, case, kind, make, _ in PLACES:
        report(f"save and load 100,000 cells, {label}")
        place = folder / case
        place.mkdir()
        times[f"{case}_save"], times[f"{case}_load"] = await _save_and_load(kind, make, place)
    return times


async def _cells(folder: Path, dsn: str, turn: int) -> dict[str, Times]:
    times: dict[str, Times] = {}
    for size in SIZES:
        report(f"one changed cell at {size:,} cells, turn {turn + 1} of {EFFORT.turns}")
        path = folder / f"cells{turn}_{size}"
        times[f"sqlite_cell_{size}"] = await _one_cell(size, partial(_sqlite_tables, path=path))
        path = folder / f"mergeable{turn}_{size}"
        times[f"mergeable_cell_{size}"] = await _one_cell(size, partial(_file, path=path), MergeableStore)
        for name, driver in DRIVERS.items():
            make = partial(_postgres_tables, driver=driver, dsn=dsn, prefix=f"{name}{turn}_{size}_")
            times[f"{name}_cell_{size}"] = await _one_cell(size, make)
    return times


def _theirs(*part: str) -> dict[str, Times]:
    with tempfile.TemporaryDirectory() as folder:
        return node_times("bench_persisters.mjs", folder, *part)


def _per_cell(name: str, peer: str, ours: list[Times], theirs: list[Times]) -> list[Line]:
    """Lines of one kind of database; the times are those of the sizes."""
    what = f"one changed cell, {name}"
    found = [
        Line(f"{what}, {size:,} cells", our.min, peer, their.min, 1.0)
        for size, our, their in zip(SIZES, ours, theirs, strict=True)
    ]
    small, large = ours
    return [*found, Line(f"{what}, growth", large.min, f"ours at {SIZES[0]:,} cells", small.min, 1.5)]


def lines() -> list[Line]:
    """Measure our persisters and TinyBase's."""
    sys.path.append(str(INTEROP.parent / "tests"))
    from support.postgres import PostgresServer, postgres_missing

    if (reason := postgres_missing()) is not None:
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as name, PostgresServer() as server:
        folder = Path(name)
        before = _theirs("whole")
        ours = asyncio.run(_whole(folder))
        theirs = best(before, _theirs("whole"))
        # One commit's time is mostly the disk's, and others use that too: turns, and of all of them the best.
        turns = [
            (
                _theirs("cells", server.dsn, f"js{turn}"),
                asyncio.run(_cells(folder, server.dsn, turn)),
            )
            for turn in range(EFFORT.turns)
        ]
    theirs |= best(*(turn[0] for turn in turns))
    ours |= best(*(turn[1] for turn in turns))

    def each_size(times: dict[str, Times], case: str) -> list[Times]:
        return [times[f"{case}_cell_{size}"] for size in SIZES]

    found = []
    for label, case, _, _, peer in PLACES:
        for verb in ("save", "load"):
            our, their = ours[f"{case}_{verb}"], theirs[f"{case}_{verb}"]
            found.append(Line(f"{verb} 100,000 cells, {label}", our.min, peer, their.min, 1.0))
    found += _per_cell("SQLite", LIBSQL, each_size(ours, "sqlite"), each_size(theirs, "sqlite"))
    found += [
        Line(f"one changed cell, file of a MergeableStore, {size:,} cells", our.min, FILES, their.min, 1.0)
        for size, our, their in zip(
            SIZES, each_size(ours, "mergeable"), each_size(theirs, "mergeable"), strict=True
        )
    ]
    for driver in DRIVERS:
        found += _per_cell(
            f"PostgreSQL, {driver}", PG, each_size(ours, driver), each_size(theirs, "postgres")
        )
    return found
