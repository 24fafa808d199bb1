"""The command does what a failure and the documentation say."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.canaries import EventServer
from weft.testing import SimOptions
from weft.testing.sim.__main__ import main


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "weft.testing.sim", *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_a_seed_by_command() -> None:
    done = run("--seed", "3", "--topology", "star", "--unordered", "--layout", "flat", "--trace")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 3: star" in done.stdout
    assert "unordered links, flat layout" in done.stdout
    assert "delivered step1 s0" in done.stdout
    assert "digest" in done.stdout
    assert not done.stderr


def test_many_seeds_by_command_in_two_processes() -> None:
    done = run("--seeds", "60", "--start", "1000", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 seeds, 0 failed" in done.stdout
    assert "messages delivered" in done.stdout
    assert not done.stderr


def test_a_failure_is_printed_small_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    # No server acknowledges the loss here; that storage is fed from events is what fails.
    options = ["--topology", "star", "--unordered", "--edits", "40", "--no-shrink"]
    feeding_events = SimOptions(server_type=EventServer)
    start = 50  # where the first is found
    while main(["--seeds", "25", "--start", str(start), *options], feeding_events) == 0:
        start += 25
        capsys.readouterr()
        assert start < 600
    printed = capsys.readouterr().out
    assert "again: python -m weft.testing.sim --seed" in printed
    assert " failed, " in printed
    again = next(line for line in printed.splitlines() if "again:" in line)
    assert main(again.partition("weft.testing.sim ")[2].split(), feeding_events) == 1
    assert "--keep" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [[], ["--seed", "1", "--seeds", "2"], ["--seed", "1", "--keep", "x"]])
def test_a_command_that_makes_no_sense_is_refused(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(wrong)
    assert "usage" in capsys.readouterr().err
