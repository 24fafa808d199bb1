"""One Store mirrored in a Yjs and an Automerge document at once, with peers of both kinds: nothing is lost.

Each seed is a test of its own and its number is all that is needed to replay it.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from support import amdocs, ydocs
from support.mirrors import Peer, lookup, make_peer

SEEDS = 60
ROUNDS = 5  # partitions a seed


class World:
    """Two Yjs and two Automerge peers; between them a Store with both mirrors, which is not always there."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        y_numbers = self.random.sample(range(2**28, 2**32), 3)
        am_numbers = self.random.sample(range(1, 2**62), 3)
        self.bridge_y = make_peer("tinybase", y_numbers.pop())
        self.bridge_am = Peer("automerge", amdocs.numbered_document(am_numbers.pop()), self.bridge_y.store)
        self.ys = [make_peer("tinybase", number) for number in y_numbers]
        self.ams = [make_peer("automerge", number) for number in am_numbers]
        self.peers = [*self.ys, *self.ams, self.bridge_y]
        self.ledger: dict[tuple[str, ...], Any] = {}
        self.written = 0

    def edit(self) -> None:
        number = self.random.randrange(5)
        store, rng = self.peers[number].store, self.random
        table, row, cell = f"t{rng.randrange(2)}", f"r{rng.randrange(4)}", f"c{rng.randrange(3)}"
        self.written += 1
        value: Any = rng.choice([self.written, f"é{self.written}", [number, self.written], None, True])
        unique = f"u{number}.{self.written}"
        match rng.randrange(10):
            case 0 | 1 | 2:
                store.set_cell(table, row, cell, value)
            case 3 | 4 | 5:
                store.set_cell(table, row, unique, value)
                self.ledger[table, row, unique] = value
            case 6:
                store.del_cell(table, row, cell)
            case 7:
                store.set_row("doomed", row, {cell: value, "x": True})
            case 8:
                store.del_row("doomed", row)
            case _:
                store.set_value(unique, value)
                store.set_value("v", value)
                self.ledger[(unique,)] = value

    def meet(self) -> None:
        """Let two of one kind exchange what they have, with the bridge's document of that kind among them."""
        module, peers = self.random.choice(
            [(ydocs, [*self.ys, self.bridge_y]), (amdocs, [*self.ams, self.bridge_am])]
        )
        one, other = self.random.sample(peers, 2)
        module.exchange(one.doc, other.doc)

    def settle(self) -> None:
        """Exchange everything until neither side says anything new: an echo would go on for ever."""
        updates = [self.bridge_y.updates(), self.bridge_am.updates()]
        for _ in range(10):
            for seen in updates:
                seen.clear()
            ydocs.exchange(*(peer.doc for peer in self.ys), self.bridge_y.doc)
            amdocs.exchange(*(peer.doc for peer in self.ams), self.bridge_am.doc)
            if not any(updates):
                return
        raise AssertionError("the two sides do not come to rest")

    def check(self) -> Any:
        first = self.bridge_y.content
        for peer in (*self.peers, self.bridge_am):
            assert peer.errors == []
            assert peer.agrees()
            assert peer.content == first
        return first


@pytest.mark.parametrize("seed", range(SEEDS))
def test_peers_of_both_kinds_converge_through_a_bridge_and_lose_no_cell_that_one_alone_wrote(
    seed: int,
) -> None:
    world = World(seed)
    for _ in range(ROUNDS):
        for _ in range(world.random.randrange(1, 12)):
            world.edit()
            if world.random.random() < 0.3:
                world.meet()
        if world.random.random() < 0.3:  # the bridge was away, and both sides went on
            world.bridge_y.mirror.stop()
            world.bridge_am.mirror.stop()
            world.edit()
            world.meet()
            world.bridge_y.mirror.start()
            world.bridge_am.mirror.start()
        world.settle()
        content = world.check()
        for path, value in world.ledger.items():
            assert lookup(content, path) == value, path


@pytest.mark.parametrize("side", ["ys", "ams"])
def test_one_change_is_one_update_on_either_side_of_the_bridge(side: str) -> None:
    world = World(0)
    world.bridge_y.store.set_cell("t", "r", "c", 0)
    world.settle()
    updates = [world.bridge_y.updates(), world.bridge_am.updates()]
    source: Peer = getattr(world, side)[0]
    source.store.set_cell("t", "r", "c", 1)
    for _ in range(2):
        ydocs.exchange(world.ys[0].doc, world.bridge_y.doc)
        amdocs.exchange(world.ams[0].doc, world.bridge_am.doc)
    assert list(map(len, updates)) == [1, 1]
    assert world.ys[0].content == world.ams[0].content == ({"t": {"r": {"c": 1}}}, {})
