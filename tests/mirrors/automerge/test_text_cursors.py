"""Places in a text in JavaScript's form: made, read again, and followed where their letter was deleted."""

from __future__ import annotations

import pytest

from support.amtexts import TextPeer, exchange_all


def _peers(text: str) -> tuple[TextPeer, TextPeer]:
    one, other = TextPeer(1), TextPeer(2)
    one.text.set(text)
    exchange_all(one, other)
    return one, other


@pytest.mark.parametrize("assoc", [0, -1])
def test_a_place_is_the_same_at_another_peer_whatever_was_typed_before_it(assoc: int) -> None:
    one, other = _peers("a😀bשc")
    for offset in (0, 1, 3, 4, 5):
        place = one.text.cursor(offset, assoc).to_json()
        assert place.startswith("-") == (assoc < 0)
        found = other.text.cursor_from_json(place)
        assert found is not None
        assert (found.offset, found.assoc) == (offset, assoc)
    place = one.text.cursor(4, assoc).to_json()
    other.text.insert(0, "👩‍👩‍👧")
    exchange_all(one, other)
    for peer in (one, other):
        found = peer.text.cursor_from_json(place)
        assert found is not None
        assert found.offset == 12


def test_a_place_whose_letter_was_deleted_goes_to_the_next_one_or_the_one_before() -> None:
    one, other = _peers("abcdef")
    behind, before = (one.text.cursor(3, assoc).to_json() for assoc in (0, -1))
    other.text.delete(2, 3)
    exchange_all(one, other)
    for peer in (one, other):
        assert [peer.text.cursor_from_json(place).offset for place in (behind, before)] == [2, 1]  # type: ignore[union-attr]
    other.text.delete(0, 3)
    exchange_all(one, other)
    assert [one.text.cursor_from_json(place).offset for place in (behind, before)] == [0, 0]  # type: ignore[union-attr]


def test_start_and_end_have_places_of_their_own_and_nonsense_has_none() -> None:
    one, _ = _peers("abc")
    assert one.text.cursor(3).to_json() == "e"
    assert one.text.cursor_from_json("s").offset == 0  # type: ignore[union-attr]
    assert one.text.cursor_from_json("e").offset == 3  # type: ignore[union-attr]
    for nonsense in ("", "x", "12@zz", "999@" + "00" * 16, "3@", {"assoc": 0}, None, 7, "٣@00"):
        assert one.text.cursor_from_json(nonsense) is None
