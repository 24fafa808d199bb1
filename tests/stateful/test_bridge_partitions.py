"""One Store mirrored in documents of three kinds at once, with peers of each kind: nothing is lost.

Each seed is a test of its own and its number is all that is needed to replay it.
"""

from __future__ import annotations

import random
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from support import amdocs, ydocs
from support.mirrors import Peer, lookup, make_peer
from weft.mergeable import MergeableDocument, MergeableMirror
from weft.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.documents.mergeable import MergeableChanges

SEEDS = 60
ROUNDS = 5  # partitions a seed


class MergeablePeer:
    """One Store mirrored into one mergeable document."""

    def __init__(self, name: str, get_now: Callable[[], float], store: Store | None = None) -> None:
        self.doc = MergeableDocument(name, get_now=get_now)
        self.errors: list[Exception] = []
        self.store = Store() if store is None else store
        self.mirror = MergeableMirror(self.store, self.doc, on_error=self.errors.append).start()

    @property
    def content(self) -> tuple[Any, Any]:
        tables, values = self.store.get_content()
        return tables, values

    def agrees(self) -> bool:
        living = MergeableDocument()
        living.set_content(self.doc.get_content())
        with MergeableMirror(Store(), living) as mirror:
            return mirror.store.get_content() == self.content

    def updates(self) -> list[MergeableChanges]:
        updates: list[MergeableChanges] = []
        self.doc.subscribe(lambda event: updates.append(event.changes))
        return updates


class Mergeable:
    """As the modules of the other two kinds."""

    @staticmethod
    def exchange(*docs: MergeableDocument) -> None:
        for one, other in permutations(docs, 2):
            other.apply(one.get_content(), origin=one)
        for one, other in permutations(docs, 2):
            other.apply(one.get_content(), origin=one)


class World:
    """Two peers of each kind; between them a Store with all mirrors, which is not always there."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.written = 0
        y_numbers = self.random.sample(range(2**28, 2**32), 3)
        am_numbers = self.random.sample(range(1, 2**62), 3)
        self.bridge_y = make_peer("tinybase", y_numbers.pop())
        self.bridge_am = Peer("automerge", amdocs.numbered_document(am_numbers.pop()), self.bridge_y.store)
        self.ys = [make_peer("tinybase", number) for number in y_numbers]
        self.ams = [make_peer("automerge", number) for number in am_numbers]
        # All at one time, which goes on with each edit: their clocks count on from what they have seen.
        clock = lambda: 1_000_000 + self.written // 3  # noqa: E731
        self.bridge_m = MergeablePeer("bridge", clock, self.bridge_y.store)
        self.ms = [MergeablePeer(f"m{seed}.{number}", clock) for number in range(2)]
        self.peers: list[Peer | MergeablePeer] = [*self.ys, *self.ams, *self.ms, self.bridge_y]
        self.ledger: dict[tuple[str, ...], Any] = {}

    @property
    def bridges(self) -> tuple[Peer, Peer, MergeablePeer]:
        return self.bridge_y, self.bridge_am, self.bridge_m

    @property
    def kinds(self) -> list[tuple[Any, list[Any]]]:
        """What exchanges documents, and whose: the bridge's is the last."""
        modules: tuple[Any, ...] = (ydocs, amdocs, Mergeable)
        peers: tuple[list[Any], ...] = (self.ys, self.ams, self.ms)
        return [
            (module, [*some, bridge])
            for module, some, bridge in zip(modules, peers, self.bridges, strict=True)
        ]

    def edit(self) -> None:
        number = self.random.randrange(7)
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
        module, peers = self.random.choice(self.kinds)
        one, other = self.random.sample(peers, 2)
        module.exchange(one.doc, other.doc)

    def settle(self) -> None:
        """Exchange everything until neither side says anything new: an echo would go on for ever."""
        updates: list[list[Any]] = [bridge.updates() for bridge in self.bridges]
        for _ in range(10):
            for seen in updates:
                seen.clear()
            for module, peers in self.kinds:
                module.exchange(*(peer.doc for peer in peers))
            if not any(updates):
                return
        raise AssertionError("the two sides do not come to rest")

    def check(self) -> Any:
        first = self.bridge_y.content
        for peer in (*self.peers, self.bridge_am, self.bridge_m):
            assert peer.errors == []
            assert peer.agrees()
            assert peer.content == first
        return first


@pytest.mark.parametrize("seed", range(SEEDS))
def test_peers_of_all_kinds_converge_through_a_bridge_and_lose_no_cell_that_one_alone_wrote(
    seed: int,
) -> None:
    world = World(seed)
    for _ in range(ROUNDS):
        for _ in range(world.random.randrange(1, 12)):
            world.edit()
            if world.random.random() < 0.3:
                world.meet()
        if world.random.random() < 0.3:  # the bridge was away, and both sides went on
            for bridge in world.bridges:
                bridge.mirror.stop()
            world.edit()
            world.meet()
            for bridge in world.bridges:
                bridge.mirror.start()
        world.settle()
        content = world.check()
        for path, value in world.ledger.items():
            assert lookup(content, path) == value, path


@pytest.mark.parametrize("side", ["ys", "ams", "ms"])
def test_one_change_is_one_update_on_each_side_of_the_bridge(side: str) -> None:
    world = World(0)
    world.bridge_y.store.set_cell("t", "r", "c", 0)
    world.settle()
    updates: list[list[Any]] = [bridge.updates() for bridge in world.bridges]
    source: Peer | MergeablePeer = getattr(world, side)[0]
    source.store.set_cell("t", "r", "c", 1)
    for _ in range(2):
        for module, peers in world.kinds:
            module.exchange(peers[0].doc, peers[-1].doc)
    assert list(map(len, updates)) == [1, 1, 1]
    for peer in (world.ys[0], world.ams[0], world.ms[0]):
        assert peer.content == ({"t": {"r": {"c": 1}}}, {})
