"""The steps of undo, and what of them others have overwritten."""

from __future__ import annotations

from weft.store._parts.undo_step import Overwritten, UndoStep
from weft.values import UNDEFINED


def test_a_step_covers_the_first_old_and_the_last_new_and_nothing_that_came_back() -> None:
    step = UndoStep()
    step.note_cell("t", "r", "c", 1, 2)
    step.note_cell("t", "r", "c", 2, 3)
    step.note_value("v", UNDEFINED, 1)
    assert (step.cells, step.values) == ({"t": {"r": {"c": (1, 3)}}}, {"v": (UNDEFINED, 1)})
    step.note_cell("t", "r", "c", 3, 1)
    step.note_value("v", 1, UNDEFINED)
    assert not step
    assert step.cells == {}


def test_only_what_a_step_covers_is_noted_as_overwritten() -> None:
    overwritten = Overwritten()
    overwritten.note_cell("t", "r", "c")
    overwritten.note_value("v")
    assert not overwritten
    overwritten.cover_row("t", "r")
    overwritten.cover_value("v")
    overwritten.note_cell("t", "r", "d")
    overwritten.note_value("v")
    assert (overwritten.cells, overwritten.values) == ({"t": {"r": {"d"}}}, {"v"})


def test_what_does_not_stand_any_more_is_forgotten() -> None:
    step, overwritten = UndoStep(), Overwritten()
    overwritten.cover_row("t", "r")
    for cell_id in ("gone", "other", "same", "own"):
        step.note_cell("t", "r", cell_id, 0, 1)
        if cell_id != "own":
            overwritten.note_cell("t", "r", cell_id)
    step.note_value("v", 0, 1)
    step.note_value("w", 0, 1)
    for value_id in ("v", "w"):
        overwritten.cover_value(value_id)
        overwritten.note_value(value_id)
    step.forget_overwritten(overwritten, {"t": {"r": {"other": 5, "same": 1, "own": 7}}}, {"v": 1}, 1)
    assert step.cells == {"t": {"r": {"same": (0, 1), "own": (0, 1)}}}
    assert step.values == {"v": (0, 1)}
    assert step.forget_cell("t", "r", "same")
    assert not step.forget_cell("t", "r", "same")
