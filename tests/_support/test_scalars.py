"""Scalars of other libraries, by the libraries themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import uuid4

import pytest

from weft._support.scalars import hint_for, plain_scalar

NOW = datetime(2026, 11, 30, tzinfo=UTC)

np: Any = pytest.importorskip("numpy")
pd: Any = pytest.importorskip("pandas")


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        *[(getattr(np, f"{sign}int{bits}")(3), 3) for sign in ("", "u") for bits in (8, 16, 32, 64)],
        (np.float16(0.5), 0.5),
        (np.float32(0.25), 0.25),
        (np.longdouble(1.5), 1.5),
        (np.bool_(True), True),
        (np.bool_(False), False),
        (pd.Series([1, 2]).iloc[0], 1),
        (pd.Series([True]).iloc[0], True),
    ],
    ids=repr,
)
def test_numbers_and_truth_values_become_pythons_own(given: object, plain: object) -> None:
    assert plain_scalar(given) == plain
    assert type(plain_scalar(given)) is type(plain)


@pytest.mark.parametrize(
    "given",
    [
        Decimal("0.1"), Fraction(1, 3), 1j, "5", b"5", [1], None, pytest.param(object(), id="object()"), NOW,
        np.array(5), np.array([5]),
        np.timedelta64(5, "s"), np.datetime64("2026-11-30"), np.complex64(1), pd.NA, pd.NaT, pd.Timedelta(5),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_number_or_would_not_be_the_same_is_none(given: object) -> None:
    assert plain_scalar(given) is None


def test_a_hint_says_what_to_do() -> None:
    times = (
        NOW,
        pd.Timestamp("2026-11-30"),
        pd.NaT,
        np.datetime64("2026-11-30"),
        uuid4(),
        Decimal(1),
    )
    for value in times:
        assert "weft.store.to_cell(value)" in hint_for(value)
        assert "Store(encode=to_cell)" in hint_for(value)
    assert hint_for(np.array([1])) == hint_for(pd.Series([1])) == "; value.tolist() may be one"
    assert "None stands for" in hint_for(pd.NA)
    assert hint_for(object()) == hint_for(b"") == ""
