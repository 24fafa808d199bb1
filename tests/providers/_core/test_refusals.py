from __future__ import annotations

import pytest

from weft.errors import ConnectError, ConnectionClosedError, RemoteProtocolError
from weft.providers._core.refusals import Refusals


def closed(code: int, reason: str = "") -> ConnectionClosedError:
    return ConnectionClosedError(code, reason)


@pytest.mark.parametrize("code", [1002, 1003, 1007])
def test_the_sixth_refusal_in_a_row_is_final(code: int) -> None:
    refusals = Refusals()
    for _ in range(5):
        assert refusals.note(closed(code, "invalid message: too deep"), 0.1) is None
    final = refusals.note(closed(code, "invalid message: too deep"), 0.1)
    assert final is not None
    assert final.permanent
    assert final.code == code
    assert "refused 6 times in a row" in final.reason
    assert final.reason.endswith("the server cannot take in what it is sent: invalid message: too deep")


def test_so_is_what_cannot_be_taken_in_here() -> None:
    refusals = Refusals()
    for _ in range(5):
        assert refusals.note(RemoteProtocolError("no update"), 0.1) is None
    final = refusals.note(RemoteProtocolError("no update"), 0.1)
    assert final is not None
    assert (final.code, final.permanent) == (1007, True)
    assert final.reason.endswith("what the server sends cannot be taken in: no update")


@pytest.mark.parametrize(
    "other",
    [
        closed(1006), closed(1013, "storage"), closed(1007, "something else"), ConnectError("ws://x", "down"),
        RemoteProtocolError("invalid"), RuntimeError("invalid"),
    ],
)  # fmt: skip
def test_another_end_begins_the_count_anew(other: Exception) -> None:
    refusals = Refusals()
    for _ in range(3):
        for _ in range(5):
            assert refusals.note(closed(1007, "invalid"), 0.1) is None
        assert refusals.note(other, 0.1) is None


def test_so_does_a_connection_that_held() -> None:
    refusals = Refusals()
    for _ in range(20):
        assert refusals.note(closed(1007, "invalid"), 301.0) is None


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1008, 1009, 1011, 1013, 4500])
def test_other_codes_are_tried_for_ever(code: int) -> None:
    refusals = Refusals()
    for _ in range(50):
        assert refusals.note(closed(code, "again"), 0.1) is None
