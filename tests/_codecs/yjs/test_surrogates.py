from __future__ import annotations

import random

import pytest
from pycrdt import Doc, Map, Text

from weft._codecs.yjs.surrogates import may_hold_pairs, pairs_in, split_pairs

WORDS = ["a", "é", "漢", "😀", "🔴🟢", "\U000e0067", "\U00010000\U0010ffff", "\ufffd"]


def halved(text: str, at: int) -> str:
    """A text of which the pair that has its second half at a unit is two halves."""
    units = text.encode("utf-16-le")
    return (units[: 2 * at].decode("utf-16-le", "replace")) + units[2 * at :].decode("utf-16-le", "replace")


def test_every_pair_is_found_and_can_be_split() -> None:
    rng = random.Random(7)
    for _ in range(50):
        doc: Doc = Doc(client_id=9)  # type: ignore[type-arg]
        cells, text = doc.get("m", type=Map), doc.get("t😀", type=Text)
        with doc.transaction():
            for at in range(rng.choice([0, 3, 200])):  # what is passed many at a time
                cells[f"😀{at}"] = "🔴"
        text += (content := "".join(rng.choices(WORDS, k=rng.randint(1, 12))))
        first = doc.get_update().index(content.encode())
        assert first
        update = doc.get_update()
        start = 9, max(0, len(cells))
        pairs = list(pairs_in(update))
        wide = [at for at, character in enumerate(content) if ord(character) > 0xFFFF]
        assert pairs == [(9, start[1] + at + number + 1) for number, at in enumerate(wide)]
        assert may_hold_pairs(update)  # if only in the name of the root
        for pair in pairs:
            split = split_pairs(update, {pair, (8, 1)})
            again: Doc = Doc()  # type: ignore[type-arg]
            again.apply_update(split)
            assert str(again.get("t😀", type=Text)) == halved(content, pair[1] - start[1])
            assert again.get("m", type=Map).to_py() == cells.to_py()
            assert again.get_state() == doc.get_state()


def test_an_update_without_them_is_the_same_object() -> None:
    doc: Doc = Doc(client_id=9)  # type: ignore[type-arg]
    doc.get("t", type=Text).insert(0, "a😀b")
    update = doc.get_update()
    assert split_pairs(update, {(9, 1), (8, 2)}) is update
    assert split_pairs(update, {(9, 2)}) != update


@pytest.mark.parametrize("character", ["\U00010000", "\U00050000", "\U000e0067", "\U0010ffff", "\U000b0000"])
def test_it_is_quick_to_say_that_there_is_none(character: str) -> None:
    assert may_hold_pairs(f"a{character}".encode())
    assert not may_hold_pairs("aé漢\ufffd".encode() + b"\xf0\x01\xf4")
