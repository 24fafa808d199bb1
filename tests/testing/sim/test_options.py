"""What the options say on a command line is what they are read as."""

from __future__ import annotations

import argparse

import pytest

from weft.testing import SimOptions
from weft.testing.sim.options import add_options


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (SimOptions(), ""),
        (SimOptions(topology="star", ordered=True), "--topology star --ordered"),
        (SimOptions(ordered=False, keep=(1, 5), peers=3), "--peers 3 --unordered --keep 1,5"),
        (SimOptions(layout="flat", edits=12), "--layout flat --edits 12"),
    ],
)
def test_the_options_of_a_command_are_those_of_the_class(options: SimOptions, line: str) -> None:
    assert options.words() == line.split()
    parser = argparse.ArgumentParser()
    add_options(parser)
    assert SimOptions().updated(parser.parse_args(line.split())) == options
