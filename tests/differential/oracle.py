"""The real TinyBase, asked under Node, and the comparison of what it says with what weft says."""

from __future__ import annotations

import itertools
import json
import subprocess
from typing import TYPE_CHECKING

from differential.runner import run_on_weft
from support.node import INTEROP, JsError
from weft.jsoncodec import MAX_SAFE_INTEGER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from differential.language import Op, Program, Trace, Value

NEGATIVE_ZERO = {"$": "-0"}
UNDEFINED = {"$": "undefined"}
RAW = {"get_transaction_log", "transaction"}
SCHEMA_QUESTIONS = {"has_tables_schema", "has_values_schema"}

__all__ = ["first_difference", "report", "run_on_tinybase", "shrink"]


def run_on_tinybase(programs: list[Program], *, timeout: float = 50.0) -> list[Trace]:
    """Run programs on TinyBase in one process, in order.

    Raises:
        JsError: The process failed, or did not end in time.
    """
    lines = "".join(json.dumps(program) + "\n" for program in programs)
    try:
        done = subprocess.run(
            ["node", "store_driver.mjs"],
            cwd=INTEROP,
            input=lines,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        answered = (error.stdout or b"").count(b"\n")
        raise JsError(
            f"TinyBase does not come back from the program of seed {programs[answered]['seed']}"
        ) from error
    if done.returncode != 0 or done.stderr.strip():
        raise JsError(f"node ended with {done.returncode}:\n{done.stderr}")
    traces = [json.loads(line) for line in done.stdout.split("\n") if line]
    assert len(traces) == len(programs)
    return traces


def _may_answer(expected: Value, actual: Value, *, raw: bool) -> bool:
    """Compare one value of two traces; ``raw`` where it shows what callers gave, not what is stored."""
    # Python's 1 == True would hide a difference between a boolean and a number.
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, list):
        return (
            isinstance(actual, list)
            and len(expected) == len(actual)
            and all(_may_answer(one, two, raw=raw) for one, two in zip(expected, actual, strict=True))
        )
    if isinstance(expected, dict):
        if expected == NEGATIVE_ZERO and not raw:
            return bool(actual == 0)
        return (
            isinstance(actual, dict)
            and expected.keys() == actual.keys()
            and all(_may_answer(expected[key], actual[key], raw=raw) for key in expected)
        )
    if isinstance(actual, float) and not raw and actual.is_integer() and abs(actual) <= MAX_SAFE_INTEGER:
        return False  # an integral number has one form: int
    return bool(expected == actual)


def first_difference(expected: Trace, actual: Trace) -> int | None:
    """Return the index of the first event that differs, or ``None``.

    Two differences of the written list are known here. Weft has no -0, so that 0 stands where TinyBase
    shows -0, except where things are shown as callers gave them. And before the first schema
    weft says that there is none, where TinyBase says ``undefined``.
    """
    for index, (one, two) in enumerate(zip(expected, actual, strict=False)):
        if one[0] == "R" and one[1] in SCHEMA_QUESTIONS and one[2] == UNDEFINED:
            one = ["R", one[1], False]  # noqa: PLW2901
        raw = (
            one[0] == "M"
            or (one[0] == "R" and one[1] in RAW)
            or (one[0] == "L" and one[1].startswith("invalid"))
        )
        if not _may_answer(one, two, raw=raw):
            return index
    return None if len(expected) == len(actual) else min(len(expected), len(actual))


def failing(programs: list[Program]) -> list[Program]:
    """Run programs on both and return those whose traces differ."""
    expected = run_on_tinybase(programs)
    return [
        program
        for program, trace in zip(programs, expected, strict=True)
        if first_difference(trace, run_on_weft(program)) is not None
    ]


def _smaller(program: Program) -> Iterator[Program]:
    """Yield programs with one part left out, large parts first."""
    ops = program["ops"]
    size = len(ops) // 2
    while size:
        for start in range(0, len(ops), size):
            yield {**program, "ops": ops[:start] + ops[start + size :]}
        size //= 2
    for index, op in enumerate(ops):
        for smaller in _smaller_op(op):
            yield {**program, "ops": [*ops[:index], smaller, *ops[index + 1 :]]}


def _smaller_op(op: Op) -> Iterator[Op]:
    for key in ("rollback", "throw", "mutator", "catch"):
        if op.get(key) is not None:
            yield {name: item for name, item in op.items() if name != key}
    if op.get("ops"):
        yield {**op, "ops": []}
        for index, inner in enumerate(op["ops"]):
            yield {**op, "ops": op["ops"][:index] + op["ops"][index + 1 :]}
            for smaller in _smaller_op(inner):
                yield {**op, "ops": [*op["ops"][:index], smaller, *op["ops"][index + 1 :]]}
    if op.get("rollback"):
        for smaller in _smaller_op(op["rollback"]):
            yield {**op, "rollback": smaller}
    for key in ("args", "v"):
        if key in op:
            for value in _smaller_value(op[key]):
                if key == "v" or len(value) == len(op[key]):
                    yield {**op, key: value}


def _smaller_value(value: Value) -> Iterator[Value]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            for smaller in _smaller_value(item):
                yield [*value[:index], smaller, *value[index + 1 :]]
    elif isinstance(value, dict) and value["$"] == "o":
        pairs = value["v"]
        for index, (key, item) in enumerate(pairs):
            yield {**value, "v": pairs[:index] + pairs[index + 1 :]}
            for smaller in _smaller_value(item):
                yield {**value, "v": [*pairs[:index], [key, smaller], *pairs[index + 1 :]]}


def shrink(program: Program, *, rounds: int = 200) -> Program:
    """Leave out what can be left out while the two still differ."""
    for _ in range(rounds):
        # One Node process per round: it starts slower than it runs a hundred programs.
        smaller = failing(list(itertools.islice(_smaller(program), 400)))
        if not smaller:
            break
        program = min(smaller, key=lambda candidate: len(json.dumps(candidate)))
    return program


def report(program: Program) -> str:
    """Tell how the two differ on a program, with the program cut down to what is needed."""
    small = shrink(program)
    expected = run_on_tinybase([small])[0]
    actual = run_on_weft(small)
    index = first_difference(expected, actual)
    assert index is not None
    lines = [f"seed {program['seed']}, shrunk to {len(small['ops'])} operations:"]
    lines += [f"  {number}: {json.dumps(op, ensure_ascii=False)}" for number, op in enumerate(small["ops"])]
    for name, trace in (("TinyBase", expected), ("weft", actual)):
        lines.append(f"{name}:")
        for number, event in enumerate(trace[: index + 4]):
            mark = ">" if number == index else " "
            lines.append(f" {mark} {json.dumps(event, ensure_ascii=False)}")
    return "\n".join(lines)
