from __future__ import annotations

from support.ywriter import item, key_item, section, update
from weft.documents.yjs.log_results import Added
from weft.documents.yjs.update_log import UpdateLog

CHILD = update(section(3, 1, b"\x08\x00\x03\x00\x01\x7d\x05"))


def test_a_checked_update_knows_how_far_its_clients_go() -> None:
    check = UpdateLog().check
    assert check(update(section(5, 7, key_item("k")))).ends() == {5: 8}
    both = update(section(5, 0, key_item("k"), key_item("l")), section(4, 2, item(4, b"\x03abc")))
    assert check(both).ends() == {5: 2, 4: 5}


def test_what_was_dropped_and_released_is_named() -> None:
    log = UpdateLog()
    assert log.add(CHILD) == Added((), True, True)
    text = update(section(3, 0, item(4, b"\x01x")))
    assert log.add(text) == Added(
        (text,), False, True, ("not a usable update: parent 3:0 is no type",), ((CHILD, None),), (CHILD,)
    )


def test_what_is_held_can_be_forgotten() -> None:
    log = UpdateLog()
    log.add(CHILD)
    log.drop_held()
    assert (log.held(), log.missing, log.is_waiting) == (frozenset(), {}, False)
    assert log.add(CHILD).held
