from __future__ import annotations

import random
from typing import TYPE_CHECKING

from support.fuzzing import fuzz_seed
from support.ywriter import item, section, update
from weft._codecs.yjs.structs import read_update
from weft.documents.yjs.client_structs import ClientStructs, Mark, Part
from weft.documents.yjs.crowds import Crowds
from weft.documents.yjs.places import Rules

if TYPE_CHECKING:
    import pytest

RULES = Rules(64, {}, {}, False, Crowds({}, None), {})
SHAPES = [
    (b"\x00\x03", 3),
    (item(1, b"\x02"), 2),
    (item(4, b"\x04abcd"), 4),
    (item(8, b"\x01\x7e"), 1),
    (item(8, b"\x02\x7e\x7e"), 2),
    (item(7, b"\x01"), 1),
    (item(4, b"\x90\x4e" + "é".encode() * 5_000), 5_000),
]


def test_every_clock_is_found_however_the_structs_came() -> None:
    rng = random.Random(fuzz_seed("find"))
    for plain in (False, True):
        clients: dict[int, ClientStructs] = {}
        marks: dict[int, Mark] = {}
        wanted: list[tuple[int, int, int]] = []
        clock = at = 0
        for _ in range(12):
            kinds = [5] if plain else [0, 1, 2, 3, 4, 5]
            kinds = kinds * 20 + [6] * (not plain)  # the large one rarely
            shapes = [SHAPES[rng.choice(kinds)] for _ in range(rng.choice([1, 3, 90, 300]))]
            (run,), _ = read_update(update(section(1, clock, *(struct for struct, _ in shapes))))
            assert Part(run, RULES).advance(clients, marks) is None
            for struct, length in shapes:
                wanted += [(len(set(wanted)), at, clock)] * length
                clock += length
                at += len(struct)
            own = clients[1]
            assert (own.clock, own.structs, len(own.data)) == (clock, len(set(wanted)), at)
            for _ in range(20):
                found = rng.randrange(clock)
                assert own.find(found) == wanted[found]
        assert [own.find(found) for found in range(clock)] == wanted

        types = {first for _, place, first in wanted if own.data[place] == 7}
        empty = {found for found in range(clock) if own.data[wanted[found][1]] in {0, 1}}
        assert {found for found in range(clock) if own.can_be_parent(found)} == types | empty


def test_what_is_behind_a_large_struct_is_found_without_another_look_at_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clients: dict[int, ClientStructs] = {}
    large = item(4, b"\x90\x4e" + "é".encode() * 5_000)
    (run,), _ = read_update(update(section(1, 0, *[SHAPES[5][0]] * 3, large, *[SHAPES[4][0]] * 3, large)))
    Part(run, RULES).advance(clients, {})
    before = [clients[1].find(clock) for clock in range(10_009)]
    with monkeypatch.context() as patch:
        patch.setattr("weft._codecs.yjs.stored.utf16_length", None)
        assert [clients[1].find(clock) for clock in range(10_009)] == before
    clients[1].go_back(Mark(5_003, 4, before[5_003][1], 3))
    assert [clients[1].find(clock) for clock in range(5_003)] == before[:5_003]


def test_going_back_leaves_what_was_before() -> None:
    structs = [item(7, b"\x01")] * 200
    clients: dict[int, ClientStructs] = {}
    marks: dict[int, Mark] = {}
    (run,), _ = read_update(update(section(1, 0, *structs)))
    Part(run, RULES).advance(clients, marks)
    own = clients[1]
    assert marks == {1: (0, 0, 0, 0)}
    mark, data = own.mark(), bytes(own.data)
    (run,), _ = read_update(update(section(1, 200, *structs)))
    Part(run, RULES).advance(clients, marks)
    assert own.find(399)[0] == 399
    own.go_back(mark)
    assert (own.mark(), bytes(own.data)) == (mark, data)
    assert own.find(199)[0] == 199
