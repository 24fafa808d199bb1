"""Random programs run on weft and on the real TinyBase, compared event by event.

The normal run takes 1,000 programs of 25 operations, the same ones every time. Another hundred thousand::

    WEFT_PARITY_PROGRAMS=100000 pytest tests/differential/test_differential.py -m long --timeout 0

``WEFT_PARITY_SEED`` sets the first seed of that run. One seed again, shrunk and with both traces::

    WEFT_PARITY_PROGRAMS=1 WEFT_PARITY_SEED=4711 pytest tests/differential/test_differential.py -m long
"""

from __future__ import annotations

import os

import pytest

from differential.generator import generate
from differential.oracle import first_difference, report, run_on_tinybase
from differential.runner import run_on_weft

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("_node")]

BATCH = 250


def _compare(seeds: range) -> None:
    for start in range(seeds.start, seeds.stop, BATCH):
        programs = [generate(seed) for seed in range(start, min(start + BATCH, seeds.stop))]
        for program, expected in zip(programs, run_on_tinybase(programs), strict=True):
            if first_difference(expected, run_on_weft(program)) is not None:
                pytest.fail(report(program))


@pytest.mark.parametrize("start", range(0, 1000, BATCH))
def test_weft_does_what_tinybase_does(start: int) -> None:
    _compare(range(start, start + BATCH))


@pytest.mark.long
def test_weft_does_what_tinybase_does_in_many_more_programs() -> None:
    start = int(os.environ.get("WEFT_PARITY_SEED", "1000"))
    _compare(range(start, start + int(os.environ.get("WEFT_PARITY_PROGRAMS", "100000"))))
