"""Two and three peers, random edits, random partitions, random delivery order: nothing diverges or is lost.

Each seed is a test of its own and its number is all that is needed to replay it.
"""

from __future__ import annotations

import random
from typing import Any, Literal

import pytest

from support.mirrors import lookup
from support.ydocs import exchange, numbered_doc, project
from weft import Store
from weft.documents.yjs.document import YDocument
from weft.mirrors.yjs import YjsMirror

SEEDS = 120


class Peer:
    def __init__(self, name: str, client_id: int, layout: Literal["tinybase", "flat"]) -> None:
        self.name = name
        self.errors: list[Exception] = []
        self.store = Store()
        self.doc = numbered_doc(client_id)
        self.hub = YDocument.of(self.doc)
        self.layout = layout
        self.mirror = YjsMirror(self.store, self.doc, layout=layout, on_error=self.errors.append).start()

    def check(self) -> None:
        assert tuple(self.store.get_content()) == project(self.doc, layout=self.layout), self.name
        assert self.errors == []


class World:
    """Peers in a mesh, each link a bag from which messages come in any order, twice, or not at all."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        layouts: list[Literal["tinybase", "flat"]] = ["tinybase", "tinybase", "flat"]
        layout = self.random.choice(layouts)
        names = ["a", "b", "c"][: self.random.choice([2, 3])]
        client_ids = self.random.sample(range(2**28, 2**32), len(names))
        self.peers = [
            Peer(name, client_id, layout) for name, client_id in zip(names, client_ids, strict=True)
        ]
        self.bags: dict[tuple[str, str], list[bytes]] = {
            (x.name, y.name): [] for x in self.peers for y in self.peers if x is not y
        }
        for peer in self.peers:
            peer.hub.subscribe(lambda update, origin, peer=peer: self.send(peer, update, origin))  # type: ignore[misc]
        self.ledger: dict[tuple[str, ...], tuple[str, int]] = {}
        self.written = 0
        self.lose = self.random.choice([0, 0, 0.2])
        self.twice = self.random.choice([0, 0.2])
        self.ordered = self.random.random() < 0.5

    def send(self, source: Peer, update: bytes, origin: object | None) -> None:
        if origin is None:
            for target in self.peers:
                if target is not source and self.random.random() >= self.lose:
                    self.bags[source.name, target.name].append(update)

    def deliver(self) -> None:
        full = sorted(link for link, bag in self.bags.items() if bag)
        if not full:
            return
        link = self.random.choice(full)
        bag = self.bags[link]
        update = bag.pop(0 if self.ordered else self.random.randrange(len(bag)))
        if self.random.random() < self.twice:
            bag.append(update)
        target = next(peer for peer in self.peers if peer.name == link[1])
        source = next(peer for peer in self.peers if peer.name == link[0])
        if target.hub.apply(update, origin=source):  # a gap: resync, as a session does
            target.hub.apply(source.hub.diff(target.hub.state_vector()), origin=source)
        target.check()

    def edit(self) -> None:
        peer, rng = self.random.choice(self.peers), self.random
        store = peer.store
        table, row, cell = f"t{rng.randrange(2)}", f"r{rng.randrange(3)}", f"c{rng.randrange(3)}"
        doomed = f"d{rng.randrange(2)}"
        self.written += 1
        value = (peer.name, self.written)
        match rng.randrange(12):
            case 0 | 1 | 2:
                store.set_cell(table, row, cell, list(value))
            case 3 | 4 | 5:
                unique = f"u{peer.name}.{self.written}"
                store.set_cell(table, row, unique, list(value))
                self.ledger[table, row, unique] = value
            case 6:
                store.del_cell(table, row, cell)
            case 7:
                store.set_row(doomed, row, {cell: list(value), "x": True})
            case 8:
                store.del_row(doomed, row)
            case 9:
                store.del_table(doomed)
            case 10:
                store.set_value(f"u{peer.name}.{self.written}", list(value))
                self.ledger[(f"u{peer.name}.{self.written}",)] = value
            case _:
                with store.transaction():
                    store.set_cell(doomed, row, cell, list(value))
                    store.del_value(f"v{rng.randrange(2)}")
                    store.set_value(f"v{rng.randrange(2)}", list(value))
        peer.check()

    def heal(self) -> None:
        while any(self.bags.values()):
            self.deliver()
        exchange(*(peer.doc for peer in self.peers))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_partitioned_peers_converge_and_lose_no_cell_that_one_peer_alone_wrote(seed: int) -> None:
    world = World(seed)
    for _ in range(6):
        for _ in range(world.random.randrange(12)):
            world.edit()
        for _ in range(world.random.randrange(12)):
            world.deliver()
    world.heal()
    first: Any = tuple(world.peers[0].store.get_content())
    for peer in world.peers:
        peer.check()
        assert tuple(peer.store.get_content()) == first
    for path, value in world.ledger.items():
        assert lookup(first, path) == list(value), path
    written = {tuple(value) for value in world.ledger.values()}
    names = {peer.name for peer in world.peers}
    for rows in first[0].values():
        for cells in rows.values():
            for cell in cells.values():  # nothing is invented
                assert cell is True or (cell[0] in names and 0 < cell[1] <= world.written)
    assert written or world.written < 30


def test_the_world_really_partitions_loses_and_reorders() -> None:
    worlds = [World(seed) for seed in range(SEEDS)]
    assert {len(world.peers) for world in worlds} == {2, 3}
    assert {world.peers[0].layout for world in worlds} == {"tinybase", "flat"}
    assert any(world.lose for world in worlds)
    assert any(not world.ordered for world in worlds)
