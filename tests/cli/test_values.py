from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click import BadParameter
from hypothesis import given, strategies as st

from weft.cli import values

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("64K", 65536), ("16M", 1 << 24), ("1G", 1 << 30)])
def test_a_size_may_have_a_unit(text: str, number: int) -> None:
    assert values.size(text) == number


@given(st.integers(1, 1 << 60))
def test_a_size_is_shown_as_it_is_read(number: int) -> None:
    assert values.size(values.shown_size(number)) == number


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10", 10), ("0.5", 0.5), ("0.5s", 0.5), ("200ms", 0.2), ("2m", 120), ("1.5h", 5400)],
)
def test_a_time_may_have_a_unit(text: str, seconds: float) -> None:
    assert values.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((values.size, text) for text in ("", "0", "-1", "1.5M", "1KB", "many", "1MK", "²")),
        *((values.seconds, text) for text in ("", "0", "0.0s", "-1", "1e3", "inf", "nan", "5 s", ".5", "1d")),
        *((values.count, text) for text in ("", "0", "-1", "1.0", "²")),
        *((values.part, text) for text in ("", "0", "0.0", "-1", "1e3", "nan", "½")),
        *((values.network, text) for text in ("", "proxy.example", "10.0.0.1/8", "10.0.0.0/33")),
        *((values.port, text) for text in ("", "-1", "65536", "x")),
        *((values.room, text) for text in ("", "a/../b", "a\nb", "x" * 513, "\udcff")),
        *((values.broker, text) for text in ("", "redis", "http://host", "nats://a,redis://b")),
        (values.origin, "example.com"),
        (values.database, "mysql://host"),
    ],
)
def test_what_is_none_is_said(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(BadParameter):
        read(text)


def test_what_is_one_is_given_back() -> None:
    assert values.room("a b/é%2F?") == "a b/é%2F?"
    assert values.broker("nats://a,nats://b") == "nats://a,nats://b"
    assert values.origin("*") == "*"
    assert values.database("rooms.sqlite3") == "rooms.sqlite3"
