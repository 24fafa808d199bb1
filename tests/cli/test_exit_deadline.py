"""A process that does not end when it is told to, because its event loop is held up."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

_PROGRAM = """
import asyncio, signal, sys, time
from weft.cli.exit_deadline import ExitDeadline
from weft.cli.event_loop import new_event_loop

async def main():
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    ExitDeadline(float(sys.argv[2])).watch(signal.SIGTERM)
    print("ready", flush=True)
    if sys.argv[1] == "blocked":
        time.sleep(1000)
    await stop.wait()
    if sys.argv[1] == "hanging":
        await asyncio.Event().wait()

with asyncio.Runner(loop_factory=new_event_loop) as runner:
    runner.run(main())
"""


@pytest.mark.parametrize(
    ("how", "seconds", "code"), [("in order", "60", 0), ("hanging", "0.1", 1), ("blocked", "0.1", 1)]
)
def test_it_ends_within_the_deadline_and_says_where_it_was(how: str, seconds: str, code: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, how, seconds],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == code
    assert ("it did not end within 0.1 s and is ended, where it was" in said) == bool(code)
    assert (" in main\n" in said) == (how == "blocked")
