"""Row ids that sort by time and are nobody else's."""

from __future__ import annotations

import os
import re

from weft.store._parts.unique_ids import UniqueIds


def test_ids_sort_in_order_of_making_within_one_microsecond_and_with_a_clock_set_back() -> None:
    times = iter(
        [*[1_800_000_000_000_000] * 500, *[1_700_000_000_000_000] * 500, *[1_800_000_000_000_999] * 500]
    )
    make = UniqueIds(microseconds=lambda: next(times), random_bytes=os.urandom)
    ids = [make() for _ in range(1500)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1500


def test_ids_of_different_peers_sort_by_time() -> None:
    clock = [1_000_000]
    peers = [UniqueIds(microseconds=lambda: clock[0]) for _ in range(2)]
    ids = []
    for turn in range(2000):
        ids.append(peers[turn % 2]())
        clock[0] += 10 ** (turn % 13)
    assert ids == sorted(ids)
    assert all(re.fullmatch(r"[-0-9A-Z_a-z]{16}", id_) for id_ in ids)


def test_two_peers_in_the_same_microsecond_make_different_ids() -> None:
    first, second = (UniqueIds(microseconds=lambda: 5) for _ in range(2))
    assert not {first() for _ in range(10_000)} & {second() for _ in range(10_000)}


def test_the_form_of_an_id_is_given_by_time_and_randomness_alone() -> None:
    make = UniqueIds(microseconds=lambda: 1_800_000_000_000_000, random_bytes=lambda count: b"\xff" * count)
    assert make() == "5OGRca7--" + "z" * 7
    assert UniqueIds(microseconds=lambda: 1, random_bytes=bytes)() == "--------0-------"
