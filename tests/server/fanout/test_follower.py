from __future__ import annotations

import random

import pytest

from weft.server.fanout.follower import Follower


def rows(*numbers: int) -> list[bytes]:
    return [str(number).encode() for number in numbers]


def test_hints_in_order_are_taken_in_at_once() -> None:
    follower = Follower(3)
    assert follower.hinted(4, rows(4, 5), 2, 0.0) == rows(4, 5)
    assert follower.hinted(6, rows(6), 1, 0.0) == rows(6)
    assert follower.number == 6
    assert not follower.has_hole


def test_what_is_known_is_taken_in_once() -> None:
    follower = Follower(0)
    assert follower.hinted(1, rows(1, 2), 2, 0.0) == rows(1, 2)
    assert follower.hinted(1, rows(1, 2), 2, 0.0) == []
    assert follower.hinted(2, rows(2, 3), 2, 0.0) == rows(3)


def test_hints_that_overtake_each_other_wait() -> None:
    follower = Follower(0)
    assert follower.hinted(2, rows(2), 1, 1.0) == []
    assert follower.hole_since() == 1.0
    assert follower.hinted(1, rows(1), 1, 1.01) == rows(1, 2)
    assert follower.hole_since() is None


def test_ones_own_close_a_hole_and_are_not_taken_in() -> None:
    follower = Follower(0)
    assert follower.hinted(2, rows(2), 1, 0.0) == []
    assert follower.committed(1, 1, 0.0) == rows(2)
    assert follower.committed(3, 2, 0.0) == []
    assert follower.number == 4


def test_ones_own_beyond_a_hole_show_it() -> None:
    follower = Follower(0)
    assert follower.committed(3, 1, 2.0) == []
    assert follower.hole_since() == 2.0
    assert follower.fetched([(1, b"1"), (2, b"2"), (3, b"3")], 3, 2.1) == rows(1, 2)
    assert not follower.has_hole


def test_a_head_shows_what_no_hint_told() -> None:
    follower = Follower(5)
    follower.heard(5, 0.0)
    assert not follower.has_hole
    follower.heard(7, 1.0)
    assert follower.hole_since() == 1.0
    assert follower.fetched([(6, b"6"), (7, b"7")], 7, 1.0) == rows(6, 7)


def test_a_hint_without_updates_is_a_hole() -> None:
    follower = Follower(0)
    assert follower.hinted(1, [], 3, 1.0) == []
    assert follower.hole_since() == 1.0


def test_a_snapshot_is_taken_in_even_at_ones_own_number() -> None:
    follower = Follower(2)
    follower.committed(5, 1, 0.0)
    # 3 to 5 were compacted into one row with the last number, which was this process's own.
    assert follower.fetched([(5, b"snapshot")], 5, 0.0) == [b"snapshot"]


def test_a_snapshot_is_taken_in_behind_a_row_that_was_kept() -> None:
    follower = Follower(2)
    follower.committed(5, 1, 0.0)
    # 3 and 5 were compacted; 4 was kept, as it waits for something that is not there.
    rest = [(4, b"4"), (5, b"snapshot")]
    assert follower.fetched(rest, 5, 0.0) == [b"4", b"snapshot"]
    assert not follower.has_hole


def test_what_came_while_it_was_fetched_is_taken_in_once() -> None:
    follower = Follower(0)
    follower.hinted(3, rows(3), 1, 0.0)
    follower.hinted(5, rows(5), 1, 0.0)
    assert follower.hinted(1, rows(1), 1, 0.0) == rows(1)
    assert follower.fetched([(2, b"2"), (3, b"3")], 3, 0.0) == rows(2, 3)
    assert follower.has_hole
    assert follower.hinted(4, rows(4), 1, 0.0) == rows(4, 5)


def test_what_waits_is_bounded_and_fetched() -> None:
    follower = Follower(0)
    big = bytes(1024 * 1024)
    for number in range(2, 40):
        follower.hinted(number, [big], 1, 0.0)
    stored = [(number, big) for number in range(1, 40)]
    assert len(follower.hinted(1, [big], 1, 0.0)) < 15
    taken = follower.number
    assert follower.has_hole
    rest = follower.fetched([row for row in stored if row[0] > taken], 39, 0.0)
    assert taken + len(rest) == 39


@pytest.mark.parametrize("seed", range(200))
def test_whatever_is_lost_late_or_twice_each_update_comes_once_and_in_order(seed: int) -> None:
    rng = random.Random(seed)
    total = rng.randrange(1, 60)
    own = {number for number in range(1, total + 1) if rng.random() < 0.3}
    stored = [(number, str(number).encode()) for number in range(1, total + 1)]
    follower = Follower(0)
    taken: list[bytes] = []
    events: list[tuple[int, int]] = []
    number = 1
    while number <= total:
        count = 1
        while number + count <= total and (number + count in own) == (number in own) and rng.random() < 0.5:
            count += 1
        if number in own or rng.random() < 0.8:
            events.append((number, count))
            if number not in own and rng.random() < 0.2:
                events.append((number, count))
        number += count
    late = [(at + rng.random() * 8, event) for at, event in enumerate(events)]
    for _, (first, count) in sorted(late):
        if first in own:
            taken += follower.committed(first, count, 0.0)
        else:
            updates = (
                [data for _, data in stored[first - 1 : first - 1 + count]] if rng.random() < 0.9 else []
            )
            taken += follower.hinted(first, updates, count, 0.0)
        if rng.random() < 0.2:
            head = max([first + count - 1, follower.number])
            taken += follower.fetched(stored[follower.number : head], head, 0.0)
    follower.heard(total, 0.0)
    assert follower.has_hole == (follower.number < total)
    taken += follower.fetched(stored[follower.number :], total, 0.0)
    # One's own may come back, if they are fetched before their commit is told of; the room knows them.
    others = [data for data in taken if int(data) not in own]
    assert others == [data for number, data in stored if number not in own], f"seed {seed}"
    assert len(set(taken)) == len(taken)
    assert not follower.has_hole


@pytest.mark.parametrize("seed", range(200))
def test_compactions_while_one_follows_hide_nothing(seed: int) -> None:
    """A row is the numbers that it stands for; those that are not this process's own must all come."""
    rng = random.Random(seed)
    follower = Follower(0)
    stored: dict[int, set[int]] = {}
    own: set[int] = set()
    taken: set[int] = set()

    def take(updates: list[bytes]) -> None:
        taken.update(int(number) for update in updates for number in update.split())

    for number in range(1, rng.randrange(2, 40)):
        stored[number] = {number}
        if rng.random() < 0.4:
            own.add(number)
            take(follower.committed(number, 1, 0.0))
        elif rng.random() < 0.5:
            take(follower.hinted(number, [b"%d" % number], 1, 0.0))
        if rng.random() < 0.2:
            *others, last = [at for at in stored if rng.random() < 0.8 or len(stored[at]) > 1] or [number]
            stored[last] = stored[last].union(*(stored.pop(at) for at in others))
        if rng.random() < 0.2:
            rows = [(at, b" ".join(b"%d" % one for one in row)) for at, row in sorted(stored.items())]
            take(follower.fetched([row for row in rows if row[0] > follower.number], number, 0.0))
            assert set(range(1, number + 1)) <= taken | own, f"seed {seed}"
