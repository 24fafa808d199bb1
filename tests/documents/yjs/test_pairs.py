from __future__ import annotations

import pytest
from pycrdt import Doc, Text

from support.ywriter import section, update
from weft._codecs.yjs.small import read_small
from weft.documents.yjs.pairs import Pairs, mend

CLIENT = 5


def text_update(content: str = "a😀b😀") -> bytes:
    """Pairs with their second halves at 2 and 5."""
    doc: Doc = Doc(client_id=CLIENT)  # type: ignore[type-arg]
    doc.get("t", type=Text).insert(0, content)
    return doc.get_update()


def known() -> Pairs:
    pairs = Pairs()
    assert not pairs.take(text_update())
    return pairs


def inserted(*, origin: int | None = None, right: int | None = None, content: bytes = b"\x01x") -> bytes:
    ids = b"".join(bytes([CLIENT, clock]) for clock in (origin, right) if clock is not None)
    info = 4 | (0x80 if origin is not None else 0) | (0x40 if right is not None else 0)
    return update(section(9, 0, bytes([info]) + ids + content))


@pytest.mark.parametrize("content", [b"\x01x", "\x02é".encode(), "\x04😀".encode()])
@pytest.mark.parametrize("at", range(1, 6))
def test_what_begins_or_ends_within_a_pair_cuts_it(at: int, content: bytes) -> None:
    wanted = {(CLIENT, at)} if at in {2, 5} else set()
    for made in (
        inserted(origin=at - 1, content=content),
        inserted(right=at, content=content),
        inserted(origin=at - 1, right=at, content=content),
    ):
        assert (read_small(made) is None) is (content != b"\x01x")  # they are read in two ways
        assert set(known().take(made)) == wanted


@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("length", range(1, 4))
def test_what_is_deleted_cuts_pairs_at_its_edges(first: int, length: int) -> None:
    deletes = bytes([1, CLIENT, 1, first, length])
    wanted = {(CLIENT, at) for at in (first, first + length) if at in {2, 5}}
    assert set(known().take(update(deletes=deletes))) == wanted
    small = update(section(9, 0, b"\x04\x01\x01t\x01x"), deletes=deletes)
    assert read_small(small) is not None
    assert set(known().take(small)) == wanted


def test_a_pair_and_its_cut_may_come_in_one_update() -> None:
    both = update(
        section(9, 0, b"\x84" + bytes([CLIENT, 1]) + b"\x01x"),
        text_update()[1:-1],
    )
    assert Pairs().take(both) == {(CLIENT, 2)}
    (whole,) = mend([both])
    assert whole.count("\ufffd".encode()) == 2
    assert not Pairs().take(whole)


def test_what_is_known_is_not_noted_twice_and_what_is_cut_is_forgotten() -> None:
    pairs = known()
    pairs.note(text_update())
    cut = pairs.take(inserted(origin=1))
    pairs.forget(cut)
    assert not pairs.take(inserted(origin=1))
    assert pairs.take(inserted(origin=4)) == {(CLIENT, 5)}
    pairs.forget({(CLIENT, 5)})
    pairs.note(text_update())
    assert pairs.take(inserted(origin=1))


def test_an_answer_begins_before_a_pair() -> None:
    assert known().beside(bytes([1, CLIENT, 2])) == bytes([1, CLIENT, 1])
    assert known().beside(bytes([1, CLIENT, 3])) == bytes([1, CLIENT, 3])
    assert Pairs().beside(b"anything") == b"anything"


def test_updates_that_cut_nothing_stay_as_they_are() -> None:
    updates = [text_update(), inserted(origin=2), update(deletes=bytes([1, CLIENT, 1, 1, 2]))]
    assert all(one is other for one, other in zip(mend(updates), updates, strict=True))
    assert mend([text_update(), inserted(right=2)])[0].count("\ufffd".encode()) == 2
