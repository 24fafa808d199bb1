from __future__ import annotations

import pytest

from support.ywriter import key_item, section, update
from weft.documents import UpdateLog
from weft.documents.yjs.held import HeldUpdates, Pending
from weft.documents.yjs.log_results import NoRoomError


def waiting(client: int, number: int) -> bytes:
    return update(section(client, 1 + number, key_item("a" * 100)))


def test_one_that_fills_its_share_leaves_as_much_to_others() -> None:
    log = UpdateLog(max_held=64 * 1024)
    for client, origin in enumerate(("first", "second", "third")):
        number = 0
        while number < 1_000:
            try:
                log.add(waiting(client, number), origin=origin)
            except NoRoomError:
                break
            number += 1
        assert 3 < number < 1_000
    # And somebody who has nothing waiting yet is not kept out by all of them.
    assert log.add(update(section(77, 1, key_item("k"))), origin="fourth").held


def test_what_is_released_makes_room_again() -> None:
    held = HeldUpdates(10_000)
    first = Pending(b"x" * 3_000, "one", {}, 1)
    held.hold(first, 1, 0, unbounded=False)
    assert held.size == 3_512
    with pytest.raises(NoRoomError):
        held.hold(Pending(b"y" * 3_000, "one", {}, 1), 1, 0, unbounded=False)
    held.hold(Pending(b"y" * 3_000, "two", {}, 1), 0, 0, unbounded=False)
    held.release(first)
    held.hold(Pending(b"z" * 3_000, "one", {}, 1), 0, 10, unbounded=False)
    assert [pending.update[:1] for pending in held.drop("two")] == [b"y"]
    assert held.size == 3_320
    held.hold(Pending(b"w" * 9_000, "two", {}, 1), 0, 0, unbounded=True)
    assert held.size == 12_320
