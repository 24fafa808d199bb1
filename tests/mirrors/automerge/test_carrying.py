"""Texts that are made, or replaced, at the same time: each peer carries over what it typed itself."""

from __future__ import annotations

from random import Random

import pytest

from support.amdocs import numbered_document
from support.amtexts import KEY, TextPeer, exchange_all, give
from weft import Store
from weft.mirrors.automerge import AutomergeMirror
from weft.mirrors.automerge.carrying import carry


@pytest.mark.parametrize("has_row", [False, True])
@pytest.mark.parametrize("numbers", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
def test_texts_that_three_make_at_the_same_time_become_one(
    numbers: tuple[int, int, int], has_row: bool
) -> None:
    peers = [TextPeer(number) for number in numbers]
    if has_row:
        peers[0].store.set_cell("notes", "n1", "title", "t")
        exchange_all(*peers)
    for peer, text in zip(peers, ("one", "two", "three"), strict=True):
        peer.text.set(text)
    exchange_all(*peers)
    (text,) = {peer.check() for peer in peers}
    assert len(text) == len("onetwothree")
    assert all(part in text for part in ("one", "two", "three"))


def test_what_two_begin_alike_stands_there_once() -> None:
    one, other = TextPeer(1), TextPeer(2)
    one.text.set("Untitled note")
    other.text.set("Untitled note")
    one.text.insert(9, "long ")
    exchange_all(one, other)
    assert one.check() == other.check() == "Untitled long note"


@pytest.mark.parametrize("number", [1, 3])
def test_what_is_typed_while_another_replaces_the_text_is_in_the_new_one(number: int) -> None:
    """As TinyBase does it, which knows whole strings only."""
    peer = TextPeer(number)
    plain, document = Store(), numbered_document(2)
    peer.text.set("The cat sat")
    with AutomergeMirror(plain, document):
        document.apply_changes(peer.document.changes_since(()))
        plain.set_cell(*KEY, "The dog sat")
        peer.text.append(" down.")
        peer.text.insert(0, "> ")
        peer.document.apply_changes(document.changes_since(()))
        document.apply_changes(peer.document.changes_since(()))
        assert peer.check() == plain.get_cell(*KEY) == "> The dog sat down."


@pytest.mark.parametrize("seed", range(6))
def test_what_each_types_is_there_once_whoever_made_the_text_and_whenever_they_meet(seed: int) -> None:
    _type_apart(seed, rounds=8)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 300))
def test_what_each_types_is_there_once_for_long(seed: int) -> None:
    _type_apart(seed, rounds=15)


def _type_apart(seed: int, *, rounds: int) -> None:
    print(f"seed {seed}")
    random = Random(seed)
    peers = [TextPeer(number) for number in random.sample(range(1, 100), 3)]
    words: list[str] = []
    if random.random() < 0.3:
        peers[0].store.set_cell("notes", "n1", "title", "t")
        give(*peers)
    for _ in range(rounds):
        for peer in peers:
            for _ in range(random.randint(0, 2)):
                words.append(f"<{len(words)}>")
                borders = [0, *[at + 1 for at, letter in enumerate(str(peer.text)) if letter == ">"]]
                peer.text.insert(random.choice(borders), words[-1])
        if random.random() < 0.6:
            give(*random.sample(peers, 2))
    exchange_all(*peers)
    (text,) = {peer.check() for peer in peers}
    assert [text.count(word) for word in words] == [1] * len(words)


def test_nothing_comes_twice_and_what_differs_comes_behind() -> None:
    def carried(typed: str, winner: str) -> object:
        return carry("", [{"insert": typed}], winner)

    assert carried("abc", "xabcx") == []
    assert carried("abcd", "abc") == [{"retain": 3}, {"insert": "d"}]
    assert carried("xyz", "abc") == [{"retain": 3}, {"insert": "xyz"}]
    assert carry("ab", [{"retain": 2}, {"insert": "!"}], "abc") == [{"retain": 2}, {"insert": "!"}]
