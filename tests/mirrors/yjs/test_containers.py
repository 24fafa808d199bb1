"""Deterministic containers: the same bytes at every peer, below every ordinary client id, and never twice."""

from __future__ import annotations

import subprocess
import sys

from pycrdt import Map

from support.ydocs import numbered_doc
from weft.documents.yjs.binding import CLIENT_ID_FLOOR
from weft.mirrors.yjs.containers import root_update, table_client, table_update


def test_the_updates_are_pure_functions_of_the_names() -> None:
    """Another process, with another hash seed, makes the same bytes."""
    script = (
        "from weft.mirrors.yjs.containers import root_update, table_update\n"
        "print(root_update('tinybase').hex(), table_update('tinybase', 'pets \\u00e9').hex())"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7"},
    )
    assert run.stdout.split() == [root_update("tinybase").hex(), table_update("tinybase", "pets é").hex()]


def test_the_format_is_pinned() -> None:
    """Peers of other releases must make the same containers for ever."""
    assert root_update("tinybase").hex() == ROOT
    assert table_update("tinybase", "pets").hex() == PETS
    assert table_client("tinybase", "pets") == PETS_CLIENT


def test_client_ids_stay_below_those_of_ordinary_peers_and_differ_between_names() -> None:
    ids = {table_client("tinybase", f"table {n}") for n in range(2000)}
    assert len(ids) == 2000
    assert max(ids) < CLIENT_ID_FLOOR
    assert min(ids) >= 1 << 21
    assert table_client("tinybase", "a") != table_client("other", "a")
    assert root_update("tinybase") != root_update("other")


def test_applying_them_again_changes_nothing() -> None:
    doc = numbered_doc(CLIENT_ID_FLOOR)
    doc.apply_update(root_update("tinybase"))
    doc.apply_update(table_update("tinybase", "pets"))
    doc.get("tinybase", type=Map)["t"]["pets"]["fido"] = Map({"legs": 4})
    before = doc.get_update()
    doc.apply_update(root_update("tinybase"))
    doc.apply_update(table_update("tinybase", "pets"))
    assert doc.get_update() == before


def test_an_ordinary_container_made_at_the_same_time_wins() -> None:
    theirs, ours = numbered_doc(CLIENT_ID_FLOOR), numbered_doc(CLIENT_ID_FLOOR + 1)
    theirs.get("tinybase", type=Map)["t"] = Map({"pets": Map({"fido": Map()})})
    ours.apply_update(root_update("tinybase"))
    ours.apply_update(theirs.get_update())
    assert ours.get("tinybase", type=Map).to_py() == {"t": {"pets": {"fido": {}}}, "v": {}}


ROOT = "0102b1a3620027010874696e796261736501740127010874696e796261736501760100"
PETS = "0101bdcfd21c002700b1a3620004706574730100"
PETS_CLIENT = 60073917
