"""Random programs on MergeableStores, ours and TinyBase's: the same stamps, hashes, content and messages.

The normal run takes 5,000 programs on two to four Stores, the same ones every time. Another 100,000::

    WEFT_MERGEABLE_PROGRAMS=100000 pytest tests/differential/test_mergeable.py -m long --timeout 0

``WEFT_MERGEABLE_SEED`` sets the first seed of that run. Where TinyBase does what never comes to rest, the
last tests say what weft does, and that both come to agree.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from typing import Any

import pytest

from differential.mergeable_programs import Program, generate, run_on_weft
from support.node import INTEROP, JsError
from weft.mergeable import MergeableStore, from_json

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("_node")]

BATCH = 500
NOW = 1_735_689_600_000


def _compare(programs: list[Program]) -> list[tuple[Program, list[Any], list[Any]]]:
    """Run programs on both at once; gives those that differ, with both traces."""
    with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("w+") as shown:
        given.write(json.dumps(programs) + "\n")
        given.seek(0)
        with subprocess.Popen(
            ["node", "mergeable_driver.mjs"], cwd=INTEROP, stdin=given, stdout=shown, stderr=subprocess.PIPE
        ) as node:
            ours = [run_on_weft(program) for program in programs]
            _, said = node.communicate()
        if said:
            raise JsError(said.decode())
        shown.seek(0)
        theirs = json.loads(shown.read())
    return [
        (program, one, other)
        for program, one, other in zip(programs, theirs, ours, strict=True)
        if one != other
    ]


def _report(program: Program) -> str:
    """Tell how the two differ on a program, cut down to the operations that are needed."""
    while smaller := _compare(
        [
            {**program, "ops": program["ops"][:at] + program["ops"][at + 1 :]}
            for at in range(len(program["ops"]))
        ]
    ):
        program = smaller[0][0]
    ((program, theirs, ours),) = _compare([program])
    at = next(at for at, (one, other) in enumerate(zip(theirs, ours, strict=False)) if one != other)
    lines = [f"seed {program['seed']}:", *[json.dumps(store) for store in program["stores"]]]
    lines += [f"  {json.dumps(op, ensure_ascii=False)}" for op in program["ops"]]
    return "\n".join([*lines, f"differ at {at} of {len(theirs)}:", f"{theirs[at]}", f"{ours[at]}"])


def _check(start: int, end: int) -> None:
    differing = _compare([generate(seed) for seed in range(start, end)])
    if differing:
        pytest.fail(_report(differing[0][0]))


@pytest.mark.parametrize("start", range(0, 5000, BATCH))
def test_weft_stamps_as_tinybase_does(start: int) -> None:
    _check(start, start + BATCH)


@pytest.mark.long
def test_weft_stamps_as_tinybase_does_in_many_more_programs() -> None:
    first = int(os.environ.get("WEFT_MERGEABLE_SEED", "5000"))
    last = first + int(os.environ.get("WEFT_MERGEABLE_PROGRAMS", "100000"))
    for start in range(first, last, BATCH):
        _check(start, min(start + BATCH, last))


def _in_javascript(ops: list[Any]) -> str:
    """The content of one Store of TinyBase to which this happened."""
    program = json.dumps([{"stores": [{"id": "js", "now": NOW}], "ops": [[0, *op] for op in ops]}])
    done = subprocess.run(
        ["node", "mergeable_driver.mjs"],
        cwd=INTEROP,
        input=program,
        capture_output=True,
        text=True,
        check=True,
    )
    content: str = json.loads(done.stdout)[0][-1][0]
    return content


@pytest.mark.parametrize(("here", "there"), [(1, 5), (5, 1)])
def test_default_content_that_differs_comes_to_agree_with_tinybase(here: int, there: int) -> None:
    ours = MergeableStore("py", get_now=lambda: NOW)
    ours.set_default_content(({"t": {"r": {"c": here}}}, {"v": here}))
    ops: list[Any] = [["set_default_content", [{"t": {"r": {"c": there}}}, {"v": there}]]]
    for _ in range(2):  # both give what they have, and then take what the other gave
        text, theirs = ours.document.content_text(), _in_javascript(ops)
        ours.apply_mergeable_changes(from_json(theirs))
        ops.append(["merge", text])
    assert ours.document.content_text() == _in_javascript(ops)


def test_an_empty_row_counts_in_our_hashes_once() -> None:
    changes = '[[{"t":[{"r":[{}]}]}],[{}],1]'
    once, thrice = (_in_javascript([["merge", changes]] * times) for times in (1, 3))
    assert once != thrice  # although it holds the same
    for times in (1, 3):
        ours = MergeableStore("py", get_now=lambda: NOW)
        for _ in range(times):
            ours.apply_mergeable_changes(from_json(changes))
        assert ours.document.content_text() == once
