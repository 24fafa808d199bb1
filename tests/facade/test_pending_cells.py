"""Which cells a server has not confirmed: over restarts offline, for every document and layout."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

import weft
from support.fuzzing import fuzz_seed
from support.servers import serving
from weft import UNDEFINED
from weft.errors import LocalProtocolError

if TYPE_CHECKING:
    from pathlib import Path

    from weft.changes import Changes

KINDS = ["tinybase", "flat", "automerge", "mergeable"]
NOWHERE = "ws://127.0.0.1:9"
NOTHING: Changes = ({}, {}, 1)


def connecting(
    file: Path, server: str, kind: str, document: str = "", **options: Any
) -> weft.facade.AsyncOpening:
    if kind == "automerge":
        address = f"automerge+{server}{document}"
    elif kind == "mergeable":
        address = f"tinybase+{server}/farm"
    else:
        address, options["layout"] = f"{server}/farm", kind
    return weft.connect(address, offline=file, on_error=lambda error: None, **options)


def layout_of(kind: str) -> dict[str, Any]:
    return {} if kind in {"automerge", "mergeable"} else {"layout": kind}


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_written_and_deleted_offline_is_named_after_restarts(
    tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "farm.weft"
    async with serving() as server:
        async with connecting(file, server.url, kind) as store:
            document = "#" + store.sync.address.partition("#")[2]
            store.set_tables(
                {
                    "pets": {
                        "fido": {"price": 5, "tags": ["a"]},
                        "felix": {"price": 6},
                        "cujo": {"price": 7},
                    },
                    "gone": {"1": {"a": 1}, "2": {"a": 2}},
                    "kept": {"1": {"a": 1}},
                    "odd\x1fid\x1e": {"constructor": {"\0": 1}},
                }
            )
            store.set_values({"name": "farm", "size": 3, "still": True})
            assert store.sync.pending_cells()[0].keys() == store.get_tables().keys()
            await store.sync.flush(timeout=20)
            assert store.sync.pending_cells() == NOTHING

        expected: Changes = (
            {
                "pets": {
                    "fido": {"price": 51, "tags": UNDEFINED, "note": "brown", "more": {"a": [1]}},
                    "felix": UNDEFINED,
                    "rex": {"price": 8, "none": None},
                },
                "gone": UNDEFINED,
                "odd\x1fid\x1e": {"constructor": {"\0": 2, "__proto__": 1}},
            },
            {"name": "Ada's", "size": UNDEFINED},
            1,
        )
        async with connecting(file, NOWHERE, kind, document) as store:
            store.set_cell("pets", "fido", "price", 50)
            store.set_cell("pets", "fido", "price", 51)
            store.del_cell("pets", "fido", "tags")
            store.set_partial_row("pets", "fido", {"note": "brown", "more": {"a": [1]}})
            store.del_row("pets", "felix")
            store.set_row("pets", "rex", {"price": 8, "none": None})
            store.del_table("gone")
        async with weft.open(file, **layout_of(kind)) as store:
            store.set_partial_row("odd\x1fid\x1e", "constructor", {"\0": 2, "__proto__": 1})
            store.set_value("name", "Ada's")
            store.del_value("size")
            assert store.sync.pending_cells() == expected
        with weft.sync.open(file, **layout_of(kind)) as store:
            assert store.sync.pending_cells() == expected
        async with connecting(file, server.url, kind, document) as store:
            await store.sync.flush(timeout=20)
            assert store.sync.pending_cells() == NOTHING
            assert store.sync.pending.updates == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_what_others_wrote_is_not_pending_and_a_log_that_was_compacted_tells_the_same(
    tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "farm.weft"
    rng = random.Random(fuzz_seed(f"pending cells {kind}"))
    async with serving() as server, connecting(tmp_path / "other.weft", server.url, kind) as other:
        document = "#" + other.sync.address.partition("#")[2]
        for number in range(30):
            other.set_cell("pets", str(number % 7), f"cell{number % 3}", number)
        await other.sync.flush(timeout=20)
        async with connecting(file, server.url, kind, document) as store:
            await store.sync.wait_synced(timeout=20)
            await store.sync.flush(timeout=20)
            assert store.sync.pending_cells() == NOTHING
            known = store.get_tables()
        edited: dict[tuple[str, str], None] = {}
        remade: set[str] = set()  # rows of which nobody knows any more what they had before
        for _ in range(3):  # each of them compacts the log at its end
            async with weft.open(file, **layout_of(kind)) as store:
                for _ in range(60):
                    row, cell = str(rng.randrange(7)), f"cell{rng.randrange(3)}"
                    edited[row, cell] = None
                    if rng.random() < 0.3:
                        edited |= dict.fromkeys((row, at) for at in store.get_row("pets", row))
                        store.del_row("pets", row)
                        remade.add(row)
                    elif rng.random() < 0.3:
                        store.del_cell("pets", row, cell, force=True)
                    else:
                        store.set_cell("pets", row, cell, rng.random())
        async with weft.open(file, **layout_of(kind)) as store:
            tables, values, _ = store.sync.pending_cells()
            assert values == {}
            pets = tables["pets"]
            assert pets is not UNDEFINED
            for row in {*known["pets"], *(row for row, _ in edited)}:
                now = store.get_row("pets", row)
                if not now:
                    assert pets.get(row, UNDEFINED) is UNDEFINED
                    assert row in pets or row not in known["pets"]
                    continue
                named = pets.get(row, {})
                assert named is not UNDEFINED
                assert all(named[cell] == now.get(cell, UNDEFINED) for cell in named)
                assert {cell for at, cell in edited if at == row} >= named.keys()
                for cell in {*now, *(known["pets"].get(row, {}) if row not in remade else ())}:
                    if now.get(cell, UNDEFINED) != known["pets"].get(row, {}).get(cell, UNDEFINED):
                        assert cell in named, (row, cell)


async def test_without_a_file_nobody_knows(tmp_path: Path) -> None:
    async with serving() as server, weft.connect(f"{server.url}/farm") as store:
        with pytest.raises(LocalProtocolError, match="known with offline= only"):
            store.sync.pending_cells()
    async with weft.open(tmp_path / "pets.json") as store:
        with pytest.raises(LocalProtocolError, match="known with offline= only"):
            store.sync.pending_cells()
