"""Two weft peers and two TinyBase peers edit an Automerge document apart and meet: nothing is lost.

Each seed is a test of its own and its number is all that is needed to replay it.
"""

from __future__ import annotations

import random
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from support.amdocs import project, sync
from support.amlinks import JsLink
from support.mirrors import lookup
from weft import Store
from weft.documents.automerge.document import AutomergeDocument
from weft.mirrors.automerge import AutomergeMirror

if TYPE_CHECKING:
    from support.node import SyncJsPeer

pytestmark = pytest.mark.interop

SEEDS = 60
ROUNDS = 5  # partitions a seed


class Python:
    def __init__(self, rng: random.Random) -> None:
        self.errors: list[Exception] = []
        self.store = Store()
        self.document = AutomergeDocument(actor=rng.randbytes(16))
        self.mirror = AutomergeMirror(self.store, self.document, on_error=self.errors.append).start()

    def content(self) -> Any:
        assert self.errors == []
        content = tuple(self.store.get_content())
        assert content == project(self.document)
        return content

    def write(self, calls: list[list[Any]]) -> None:
        with self.store.transaction():
            for method, *args in calls:
                getattr(self.store, {"setCell": "set_cell", "setValue": "set_value"}.get(method, "del_row"))(
                    *args
                )


class JavaScript:
    def __init__(self, js: SyncJsPeer, name: str) -> None:
        self.js, self.name = js, name
        js("am.store", name=name)
        js("settle")
        # Stands between the two: an automerge-repo server, which neither mirrors nor heals.
        self.document = AutomergeDocument()
        self.link = JsLink(js, name, self.document)

    def content(self) -> Any:
        return tuple(self.js("store.call", name=self.name, method="getContent"))

    def write(self, calls: list[list[Any]]) -> None:
        # One transaction a tick: of several, TinyBase keeps the first.
        self.js("store.transaction", name=self.name, calls=calls)
        self.settle()

    def settle(self) -> None:
        self.js("settle")
        self.link.settle()
        self.js("settle")


class World:
    def __init__(self, seed: int, js: SyncJsPeer) -> None:
        self.random = random.Random(seed)
        self.peers: list[Python | JavaScript] = [
            Python(self.random),
            JavaScript(js, f"x{seed}"),
            Python(self.random),
            JavaScript(js, f"y{seed}"),
        ]
        self.ledger: dict[tuple[str, ...], Any] = {}
        self.written = 0

    def edit(self) -> None:
        """Cells that only one peer writes stand in tables of which no row is deleted."""
        rng = self.random
        number = rng.randrange(4)
        self.written += 1
        table, row, cell = f"t{rng.randrange(2)}", f"r{rng.randrange(4)}", f"c{rng.randrange(3)}"
        value: Any = rng.choice([self.written, f"é{self.written}", 1.5, True, None])
        unique = f"u{number}.{self.written}"
        match rng.randrange(8):
            case 0 | 1 | 2:
                calls = [["setCell", table, row, unique, value]]
                self.ledger[table, row, unique] = value
            case 3 | 4:
                calls = [["setCell", table, row, cell, value], ["setCell", "d", row, cell, value]]
            case 5:
                calls = [["setValue", unique, value], ["setValue", "v", value]]
                self.ledger[(unique,)] = value
            case 6:
                calls = [["delRow", "d", row]]
            case _:
                calls = [["setCell", f"t{table}", unique, "c", value], ["setCell", table, row, unique, value]]
                self.ledger[table, row, unique] = self.ledger[f"t{table}", unique, "c"] = value
        self.peers[number].write(calls)

    def meet(self, one: Python | JavaScript, other: Python | JavaScript) -> None:
        sync(one.document, other.document)
        for peer in (one, other):
            if isinstance(peer, JavaScript):
                peer.settle()

    def converge(self) -> None:
        for _ in range(10):
            for one, other in combinations(self.peers, 2):
                self.meet(one, other)
            if len({peer.document.heads for peer in self.peers}) == 1:
                return
        raise AssertionError("the documents do not come to rest")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_partitioned_peers_of_both_languages_converge_and_lose_no_cell_that_one_peer_alone_wrote(
    seed: int, sync_js: SyncJsPeer
) -> None:
    world = World(seed, sync_js)
    for _ in range(ROUNDS):
        for _ in range(world.random.randrange(1, 8)):
            world.edit()
            if world.random.random() < 0.2:
                world.meet(*world.random.sample(world.peers, 2))
        world.converge()
        first = world.peers[0].content()
        for peer in world.peers[1:]:
            assert peer.content() == first
        for path, value in world.ledger.items():
            assert lookup(first, path) == value, path
    for peer in world.peers:
        if isinstance(peer, JavaScript):
            assert sync_js("store.ignoredErrors", name=peer.name) == []
