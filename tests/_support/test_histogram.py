from __future__ import annotations

from weft._support.histogram import Histogram


def test_each_value_is_counted_within_its_bound() -> None:
    histogram = Histogram([1, 2, 5])
    for value in (0, 1, 1.5, 2, 5, 5.1, 1000):
        histogram.note(value)
    assert histogram.counts == [2, 2, 1, 2]
    assert histogram.total == 1014.6
