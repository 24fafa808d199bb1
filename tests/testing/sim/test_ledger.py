"""The ledger: what has been promised, and which write stands over which."""

from __future__ import annotations

from weft.testing.sim.ledger import Ledger


def test_the_ledger_asks_only_for_what_was_promised() -> None:
    ledger = Ledger()
    first, second = ("p0", 1), ("p0", 2)
    ledger.wrote(first, ("t", "r", "saved"), 1, unique=True)
    ledger.wrote(first, ("t", "r", "collides"), 2, unique=False)
    saved = ledger.of(first)
    ledger.wrote(first, ("t", "r", "acknowledged"), 3, unique=True)
    ledger.acknowledge(ledger.of(first)[2:])
    ledger.wrote(first, ("t", "r", "gone"), 4, unique=True)
    assert {write.number for write in ledger.must_be_there()} == {1, 3, 4}
    ledger.ended(first)
    assert {write.number for write in ledger.must_be_there()} == {3}
    ledger.inherit(second, saved)
    assert {write.number for write in ledger.must_be_there()} == {1, 3}
    assert ledger.was_written(("t", "r", "collides"), 2)
    assert not ledger.was_written(("t", "r", "elsewhere"), 2)


def test_the_ledger_knows_which_write_stands_over_which() -> None:
    ledger = Ledger()
    ledger.wrote(("p0", 1), ("v",), 1, unique=False)
    ledger.wrote(("p1", 1), ("v",), 2, unique=False)
    assert ledger.superseded_by(("v",), 1) is None
    ledger.wrote(("p0", 1), ("v",), 3, unique=False)
    later = ledger.superseded_by(("v",), 1)
    assert later is not None
    assert later.number == 3
    ledger.ended(("p0", 1))
    assert ledger.superseded_by(("v",), 1) is None, "nobody promised to keep it"
