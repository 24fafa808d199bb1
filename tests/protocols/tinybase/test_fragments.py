"""Fragments: the same parts as TinyBase's, joined in any order, and bounds on what waits."""

from __future__ import annotations

from itertools import permutations
from random import Random

import pytest

from support.vectors import vectors
from weft.documents.mergeable import from_json
from weft.errors import RemoteProtocolError
from weft.protocols.tinybase.fragments import KEPT_S, MAX_SETS, Fragments, split

NAME = "0123456789abcdef"


def test_a_text_is_cut_where_tinybase_cuts_it() -> None:
    part = vectors("tinybase_sync")["fragments"]
    frames = [from_json(line.split(" ", 2)[2]) for line in part["transcript"] if "c>s" in line]
    remainders = [frame.partition("\n")[2] for frame in frames]
    joined, name = "", remainders[0].partition("\n")[0]
    for remainder in remainders:
        joined += remainder.split("\n", 3)[3]
    assert split(joined, part["fragmentSize"], lambda _length: name) == remainders


def test_parts_hold_whole_characters_of_so_many_bytes() -> None:
    random = Random(1)
    for size in (4, 5, 7, 60, 1000):
        text = "".join(random.choice("aé€😀\n") for _ in range(500))
        parts = split(text, size, lambda length: "x" * length)
        pieces = [part.split("\n", 3)[3] for part in parts]
        assert "".join(pieces) == text
        assert all(len(piece.encode()) <= max(size, len(text.encode()) // 1000 + 4) for piece in pieces)
        assert len(parts) <= 1000


def test_a_long_text_makes_no_more_than_a_thousand_parts() -> None:
    assert len(split("x" * 1_000_000, 10, lambda length: "x" * length)) <= 1000


@pytest.mark.parametrize("size", [None, 0, 1000])
def test_a_short_text_and_no_size_are_sent_whole(size: int | None) -> None:
    assert split("hello", size, lambda length: "x" * length) == ["hello"]


def test_parts_are_joined_in_any_order() -> None:
    parts = split("héllo wörld 😀", 5, lambda _length: NAME)
    assert len(parts) == 4
    for order in permutations(parts):
        fragments = Fragments(1000)
        results = [fragments.add("k", part, 0) for part in order]
        assert results[:-1] == [None] * 3
        assert results[-1] == ("héllo wörld 😀", tuple(parts))


def test_parts_of_others_are_told_apart() -> None:
    fragments = Fragments(1000)
    one, two = split("abcdefgh", 4, lambda _length: NAME)
    assert fragments.add("a", one, 0) is None
    assert fragments.add("b", two, 0) is None
    assert fragments.add("b", one, 0) is not None


@pytest.mark.parametrize(
    ("part", "bound"),
    [
        ("nonsense", ""),
        (f"{NAME}\n0\n2", ""),
        ("short\n0\n2\nx", ""),
        (f"{NAME}\n2\n2\nx", ""),
        (f"{NAME}\n0\n0\nx", ""),
        (f"{NAME}\n-1\n2\nx", ""),
        (f"{NAME}\n٣\n4\nx", ""),
        (f"{NAME}\n0\n2000\nx", "fragments"),
        (f"{NAME}\n0\n2\n{'x' * 2000}", "fragments"),
    ],
)
def test_what_is_no_part_is_refused(part: str, bound: str) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        Fragments(1000).add("k", part, 0)
    assert refused.value.bound == bound


@pytest.mark.parametrize("second", [f"{NAME}\n0\n3\nx", f"{NAME}\n1\n4\nx"])
def test_a_part_that_does_not_fit_is_refused(second: str) -> None:
    fragments = Fragments(1000)
    fragments.add("k", f"{NAME}\n0\n3\nx", 0)
    with pytest.raises(RemoteProtocolError, match="does not fit"):
        fragments.add("k", second, 0)


def test_too_many_sets_are_refused_and_old_ones_forgotten() -> None:
    fragments = Fragments(1 << 20)
    for number in range(MAX_SETS):
        fragments.add("k", f"{number:016}\n0\n2\nx", 0)
    with pytest.raises(RemoteProtocolError, match="more than 100"):
        fragments.add("k", f"{NAME}\n0\n2\nx", 1)
    for number in range(MAX_SETS):
        fragments.add("k", f"{number:016}\n0\n2\nx", 2)
    fragments.add("k", f"{NAME}\n0\n2\nx", 2 + KEPT_S)
    assert fragments.add("k", f"{0:016}\n1\n2\nx", 2 + KEPT_S) is None, "its first part was forgotten"


def test_bytes_are_free_again_once_a_message_is_whole() -> None:
    fragments = Fragments(200)
    for number in range(50):
        assert fragments.add("k", f"{number:016}\n0\n2\n{'x' * 80}", 0) is None
        assert fragments.add("k", f"{number:016}\n1\n2\n{'x' * 40}", 0) is not None
