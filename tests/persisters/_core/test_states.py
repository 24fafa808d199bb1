from __future__ import annotations

from weft.persisters._core.states import NEXT_WORK, TRANSITIONS, Event, PersisterStatus, Work


def test_the_tables_are_complete() -> None:
    assert set(NEXT_WORK) == {(stale, dirty) for stale in (False, True) for dirty in (False, True)}
    assert Work.SAVE in NEXT_WORK[True, True]
    assert Work.LOAD in NEXT_WORK[True, True]
    # Every operation that begins can end, well or badly, and ends in idleness.
    for status in (PersisterStatus.LOADING, PersisterStatus.SAVING):
        assert {event for before, event in TRANSITIONS if before is status} == {Event.DONE, Event.FAILED}
        assert {after for (before, _), after in TRANSITIONS.items() if before is status} == {
            PersisterStatus.IDLE
        }
    assert {event for before, event in TRANSITIONS if before is PersisterStatus.IDLE} == {
        Event.LOAD,
        Event.SAVE,
    }


def test_the_numbers_of_the_enumerations_are_tinybases() -> None:
    assert [*PersisterStatus] == [0, 1, 2]
