"""What has ended a transaction; what becomes of it on each library is in ``sql/test_not_kept.py``."""

from __future__ import annotations

from weft.persisters.sqlite.endings import EndedError, Endings

INSERT = "INSERT INTO pets VALUES(?, ?)"


def test_a_statement_for_many_rows_is_known_before_its_row_is() -> None:
    endings = Endings()
    assert INSERT not in endings
    endings.note(EndedError(INSERT, None, "no"))
    assert INSERT in endings
    assert endings.reason(INSERT, ("a", 1)) is None
    endings.note(EndedError(INSERT, ["a", 1], "no bad"))
    assert endings.reason(INSERT, ("a", 1)) == "no bad"
    assert endings.reason(INSERT, ("a", 2)) is None
    assert endings.reason("DELETE FROM pets", ("a", 1)) is None
    assert endings.refusal(INSERT) is None


def test_with_too_many_rows_their_statement_is_refused_and_no_other() -> None:
    endings = Endings()
    for number in range(100):
        assert endings.refusal(INSERT) is None
        endings.note(EndedError(INSERT, (number,), "no bad"))
    assert endings.refusal(INSERT) == "no bad; this ends the transaction, for more than 100 rows"
    assert endings.refusal("DELETE FROM pets") is None
