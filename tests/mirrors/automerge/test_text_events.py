"""What others did in a text comes as the delta that they made, also among equal letters."""

from __future__ import annotations

import pytest

from support.amtexts import TextPeer, exchange_all, give


def _pair(text: str) -> tuple[TextPeer, TextPeer]:
    one, other = TextPeer(1), TextPeer(2)
    one.text.set(text)
    give(one, other)
    return one, other


@pytest.mark.parametrize("offset", [0, 1, 7, 20, 39, 40])
@pytest.mark.parametrize("letters", ["a", "aa", "aXa"])
def test_letters_among_equal_ones_are_where_they_were_typed(offset: int, letters: str) -> None:
    one, other = _pair("a" * 40)
    cursors = [other.text.cursor(at) for at in (0, 1, 7, 20, 39, 40)]
    one.text.insert(offset, letters)
    give(one, other)
    delta = [{"retain": offset}, {"insert": letters}] if offset else [{"insert": letters}]
    assert other.told[-1] == (delta, False)
    moved = [at + len(letters) * (at >= offset) for at in (0, 1, 7, 20, 39, 40)]
    assert [cursor.offset for cursor in cursors] == moved


@pytest.mark.parametrize("text", ["a" * 40, "aa", "baab"])
def test_letters_among_equal_ones_are_deleted_where_they_were(text: str) -> None:
    for offset in range(len(text)):
        one, other = _pair(text)
        one.text.delete(offset, 1)
        give(one, other)
        delta = [{"retain": offset}, {"delete": 1}] if offset else [{"delete": 1}]
        assert other.told[-1] == (delta, False)


def test_edits_at_several_places_come_as_one_delta() -> None:
    one, other = _pair("one two three 😀")
    one.text.insert(0, "0 ")
    one.text.delete(6, 4)
    one.text.append("!")
    one.text.insert(3, "gone")
    one.text.delete(3, 4)
    give(one, other)
    assert other.told[-1] == (
        [{"insert": "0 "}, {"retain": 4}, {"delete": 4}, {"retain": 8}, {"insert": "!"}],
        False,
    )
    other.check()


def test_what_both_have_deleted_and_typed_in_the_same_place_comes_once() -> None:
    one, other = _pair("abcdef")
    one.text.splice(1, 3, "X")
    other.text.splice(2, 3, "Y")
    exchange_all(one, other)
    assert one.check() == other.check()
    assert sorted(one.check()) == sorted("aXYf")


def test_formats_of_others_come_as_retains_and_embeds_as_objects() -> None:
    one, other = _pair("abcdef")
    one.text.format(1, 3, {"bold": True})
    give(one, other)
    assert other.told[-1] == ([{"retain": 1}, {"retain": 3, "attributes": {"bold": True}}], False)
    one.text.format(2, 1, {"bold": None, "size": 2})
    give(one, other)
    assert other.told[-1] == (
        [{"retain": 2}, {"retain": 1, "attributes": {"bold": None, "size": 2}}],
        False,
    )
    one.text.insert_embed(0, {"image": "x"})
    one.text.insert(5, "!")
    give(one, other)
    assert other.told[-1][0][0] == {"insert": {"image": "x"}}
    assert other.told[-1][0][2] == {"insert": "!", "attributes": {"bold": True}}
    other.check()
