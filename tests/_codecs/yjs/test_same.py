"""What passed through others is still the same; what somebody else wrote at the same clocks is not."""

from __future__ import annotations

from typing import Any

from pycrdt import Doc, Map, Text

from weft._codecs.yjs.same import is_same
from weft.documents import UpdateLog, compact_updates


def written(letters: str, *, value: float) -> list[bytes]:
    doc: Doc[Any] = Doc(client_id=7)
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    root, text = doc.get("m", type=Map), doc.get("t", type=Text)
    root["a"] = 1.0
    for letter in letters:
        text += letter
    root["a"] = value
    del text[0:1]
    root["nested"] = Map({"x": "y"})
    return updates


def ours(updates: list[bytes]) -> Any:
    return UpdateLog.of(updates).structs()[7]


def test_it_is_the_same_however_it_was_joined_and_collected() -> None:
    updates = written("hello", value=2.0)
    joined, kept = compact_updates(updates), compact_updates(updates, gc=False)
    assert joined is not None
    assert kept is not None
    for update in (*updates, joined.snapshot, kept.snapshot):
        for clock in (0, 1, 3, 7, 99):
            assert is_same(update, ours(updates), 7, clock)
            assert is_same(update, ours([joined.snapshot]), 7, clock)


def test_something_else_at_a_clock_that_is_looked_at_is_not_the_same() -> None:
    mine, theirs = written("hello", value=2.0), written("hello", value=3.0)
    whole = UpdateLog.of(theirs).diff()
    assert not is_same(whole, ours(mine), 7, 0)
    assert not is_same(whole, ours(mine), 7, 6)
    assert is_same(whole, ours(mine), 7, 7)
    assert is_same(whole, ours(mine), 8, 0)
    other = UpdateLog.of(written("help!", value=2.0)).diff()
    assert not is_same(other, ours(mine), 7, 0)


def test_more_than_is_here_is_not_the_same() -> None:
    updates = written("hello", value=2.0)
    assert not is_same(UpdateLog.of(updates).diff(), ours(updates[:-1]), 7, 0)
