"""Documents that others write by hand, in any shape and apart: each Store holds what it can of its document.

Each seed is a test of its own and its number is all that is needed to replay it.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from support.amdocs import exchange, numbered_document, sync
from support.ydocs import decode_cell
from weft import Store
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
from weft.errors import MirrorError
from weft.mirrors.automerge import AutomergeMirror

if TYPE_CHECKING:
    from weft.documents.automerge.binding import CoreTransaction
    from weft.documents.automerge.document import AutomergeDocument

SEEDS = 120
KEYS = {
    0: ["tinybase"],
    1: ["t", "v", "w"],
    2: ["a", "b"],
    3: ["a", "b", "\0toString"],
    4: ["a", "b"],
    5: ["a"],
}


def stored(document: AutomergeDocument) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a Store can hold of a document, whatever else is in it."""

    def maps(found: Any) -> dict[str, Any]:
        if found is None or found[0] != ObjType.Map:
            return {}
        keys = document.core.keys(found[1])
        return {key.removeprefix("\0"): document.core.get(found[1], key) for key in keys}

    def cells(found: Any) -> dict[str, Any]:
        held = {}
        for key, (kind, object_id) in maps(found).items():
            if kind == ObjType.Text:
                held[key] = document.core.text(object_id)
            elif type(kind) is tuple and (kind[1] is None or isinstance(kind[1], bool | int | float | str)):
                held[key] = decode_cell(kind[1])
        return held

    root = maps(document.core.get(ROOT, "tinybase"))
    tables = {
        table: kept
        for table, rows in maps(root.get("t")).items()
        if (kept := {row: held for row, found in maps(rows).items() if (held := cells(found))})
    }
    return tables, cells(root.get("v"))


class Peer:
    def __init__(self, number: int) -> None:
        self.errors: list[Exception] = []
        self.store = Store()
        self.document = numbered_document(number)
        self.mirror = AutomergeMirror(self.store, self.document, on_error=self.errors.append).start()

    def is_writable(self, *path: str) -> bool:
        """Whether maps or nothing stand at these places of the tables."""
        core, found = self.document.core, ROOT
        for key in ("tinybase", "t", *path):
            read = core.get(found, "\0" + key if key == "toString" else key)
            if read is None or read[0] != ObjType.Map:
                return read is None
            found = read[1]
        return True

    def check(self) -> None:
        assert tuple(self.store.get_content()) == stored(self.document)
        assert [error for error in self.errors if not isinstance(error, MirrorError)] == []


def scribble(tx: CoreTransaction, rng: random.Random) -> None:
    """Walk down from the root and do something there."""
    parent, depth = ROOT, 0
    while True:
        key = rng.choice(KEYS[depth])
        found = tx.get(parent, key)
        if found is None or found[0] != ObjType.Map or depth == 5 or rng.random() < 0.15:
            break
        parent, depth = found[1], depth + 1
    match rng.choice("mmmmmmmtxisbldd"):
        case "m":
            tx.put_object(parent, key, ObjType.Map)
        case "t":
            tx.splice_text(tx.put_object(parent, key, ObjType.Text), 0, 0, rng.choice(["", "text", "é😀"]))
        case "x" if found is not None and found[0] == ObjType.Text:
            tx.splice_text(found[1], 0, 0, "more")
        case "i" | "x":
            tx.put(parent, key, ScalarType.Int, rng.randrange(9))
        case "s":
            tx.put(parent, key, ScalarType.Str, "plain")
        case "b":
            tx.put(parent, key, ScalarType.Bytes, b"bytes")
        case "l":
            tx.put_object(parent, key, ObjType.List)
        case _:
            tx.delete(parent, key)


def edit(peer: Peer, rng: random.Random) -> None:
    if rng.random() < 0.6:
        with peer.document.transaction() as tx:
            for _ in range(rng.randrange(1, 5)):
                scribble(tx, rng)
        return
    store = peer.store
    if peer.mirror.refusal() is not None:
        return  # what is written where something else stands in the way would be in the Store alone
    table, row, cell = rng.choice("ab"), rng.choice(["a", "b", "toString"]), rng.choice("ab")
    match rng.randrange(6):
        case 0 | 1 if peer.is_writable(table, row):
            store.set_cell(table, row, cell, "word" if rng.random() < 0.5 else rng.randrange(9))
        case 2:
            store.del_cell(table, row, cell)
        case 3:
            store.del_row(table, row)
        case 4:
            store.set_value(cell, rng.randrange(9))
        case _:
            store.del_table(table)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_others_write_the_store_holds_what_it_can(seed: int) -> None:
    rng = random.Random(seed)
    peers = [Peer(number) for number in rng.sample(range(1, 2**62), 3)]
    for _ in range(8):
        for _ in range(rng.randrange(1, 8)):
            peer = rng.choice(peers)
            edit(peer, rng)
            peer.check()
        if rng.random() < 0.5:
            one, other = rng.sample(peers, 2)
            sync(one.document, other.document)
            one.check()
            other.check()
        else:
            exchange(*(peer.document for peer in peers))
            for peer in peers:
                peer.check()
            assert len({str(stored(peer.document)) for peer in peers}) == 1
