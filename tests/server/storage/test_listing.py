from __future__ import annotations

import random

import pytest

from weft.server.storage.listing import end_of_prefix


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("a", "b"),
        ("a/", "a0"),
        ("", None),
        ("\U0010ffff", None),
        ("a\U0010ffff", "b"),
        ("\ud7ff", "\ue000"),
        ("\uffff", "\U00010000"),
    ],
)
def test_the_end_of_a_prefix_is_the_next_name_without_it(prefix: str, end: str | None) -> None:
    assert end_of_prefix(prefix) == end


def test_it_parts_names_as_their_bytes_do() -> None:
    seed = random.randrange(1 << 32)
    draw = random.Random(seed)
    letters = "ab\0\x7f\u0080\ud7ff\ue000\uffff\U00010000\U0010ffff"
    for _ in range(2_000):
        prefix, name = ("".join(draw.choices(letters, k=draw.randrange(4))) for _ in range(2))
        end = end_of_prefix(prefix)
        within = prefix.encode() <= name.encode() and (end is None or name.encode() < end.encode())
        assert within == name.startswith(prefix), (seed, prefix, name)
