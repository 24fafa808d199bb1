"""The JavaScript half: runs a script of interop/ and reads the one JSON object it prints."""

from __future__ import annotations

import asyncio
import json
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._measure import EFFORT, Times, report

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

__all__ = ["INTEROP", "best", "install", "node", "node_process", "node_times", "read_line"]

INTEROP = Path(__file__).resolve().parents[1] / "interop"


def install() -> None:
    """Install the packages of interop/ where there are none."""
    if not (INTEROP / "node_modules").is_dir():
        report("npm ci")
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=INTEROP, check=True)


def node(script: str, *args: str) -> dict[str, Any]:
    """Run one script; its stderr is shown as it comes."""
    install()
    report(f"node {script}")
    done = subprocess.run(
        ["node", "--expose-gc", script, *args], cwd=INTEROP, stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def node_times(script: str, *args: str) -> dict[str, Times]:
    """Run a script that measures as :mod:`benchmarks._measure` does, and with the same effort."""
    options = {name: getattr(EFFORT, name) for name in ("warmup", "rounds", "warmup_each", "rounds_each")}
    found = node(script, json.dumps(options), *args)
    return {case: Times(**times) for case, times in found.items()}


def best(*runs: dict[str, Times]) -> dict[str, Times]:
    """Case by case the best of several runs.

    The peer runs before and after us, so that a machine that was busy in between burdens neither side alone.
    """
    return {case: min((run[case] for run in runs), key=lambda each: each.min) for case in runs[0]}


@asynccontextmanager
async def node_process(*command: str) -> AsyncIterator[Process]:
    """A script that runs beside us until its stdin is closed."""
    report(f"beside node {command[0]}")
    process = await asyncio.create_subprocess_exec(
        "node", *command, cwd=INTEROP, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        await process.wait()


async def read_line(process: Process) -> dict[str, Any]:
    """The next JSON object that a script prints."""
    assert process.stdout is not None
    async with asyncio.timeout(30):
        line: dict[str, Any] = json.loads(await process.stdout.readline())
    return line
