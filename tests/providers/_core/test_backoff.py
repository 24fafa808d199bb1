from __future__ import annotations

import random

import pytest
from hypothesis import given, strategies as st

from weft.errors import ConnectError, ConnectionClosedError, ProviderClosedError
from weft.providers._core.backoff import Backoff, ends_success, patience, seconds_until


def test_the_upper_end_of_the_waits_doubles_up_to_the_maximum() -> None:
    backoff = Backoff(initial=0.5, maximum=3.0)
    assert [backoff.delay(n, lambda: 1.0) for n in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_waits_are_drawn_from_the_whole_range() -> None:
    draw = random.Random(7).random
    waits = [Backoff(initial=1.0, maximum=8.0).delay(3, draw) for _ in range(1000)]
    assert min(waits) < 0.1
    assert max(waits) > 7.9
    assert 3.5 < sum(waits) / len(waits) < 4.5


@given(
    failures=st.integers(0, 10**9),
    drawn=st.floats(0, 1, exclude_max=True),
    factor=st.floats(1, 10),
    initial=st.floats(0.001, 60),
)
def test_a_wait_is_never_negative_nor_over_the_maximum(
    failures: int, drawn: float, factor: float, initial: float
) -> None:
    backoff = Backoff(initial=initial, maximum=60.0, factor=factor)
    assert 0 <= backoff.delay(failures, lambda: drawn) <= 60.0


@pytest.mark.parametrize(
    ("initial", "maximum", "factor"), [(0, 1, 2), (2, 1, 2), (1, 2, 0.5), (1, 2, 11), (float("nan"), 1, 2)]
)
def test_a_back_off_that_would_not_back_off_is_refused(initial: float, maximum: float, factor: float) -> None:
    with pytest.raises(ValueError, match="back-off"):
        Backoff(initial=initial, maximum=maximum, factor=factor)


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1012])
def test_waits_start_over_after_a_connection_that_just_broke(code: int) -> None:
    assert ends_success(ConnectionClosedError(code))


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1009, 1010, 1011, 1013, 4500, 4599])
def test_waits_go_on_growing_after_a_complaint_of_the_server(code: int) -> None:
    assert not ends_success(ConnectionClosedError(code))


def test_a_refused_connection_is_no_success() -> None:
    assert not ends_success(ConnectError("ws://host", "refused"))
    assert ends_success(ProviderClosedError())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:02:00 -0000", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1e3", None),
        ("²", None),
    ],
)
def test_when_to_come_again_is_read_as_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert seconds_until(value, now=100.0) == seconds


def test_a_server_is_left_alone_for_an_hour_at_most() -> None:
    assert patience(ConnectError("ws://host", "busy", retry_after=30.0)) == 30.0
    assert patience(ConnectError("ws://host", "busy", retry_after=1e9)) == 3600.0
    assert patience(ConnectError("ws://host", "busy")) == patience(ProviderClosedError()) == 0.0
