"""What coverage-guided fuzzing has kept; ``PYTHONPATH=tests python -m fuzz.guided`` finds more."""

from __future__ import annotations

import pytest

from fuzz.guided.kept import CORPUS, CRASHERS, kept
from fuzz.guided.targets import TARGETS, seeds


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_what_was_once_found_or_reached_is_read_as_it_should_be(name: str) -> None:
    for data in kept(CRASHERS, name) + kept(CORPUS, name):
        TARGETS[name](data)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_what_it_begins_with_is_read_as_it_should_be(name: str) -> None:
    begun = seeds(name)
    assert len(begun) > 10
    for data in begun[:60]:
        TARGETS[name](data)
