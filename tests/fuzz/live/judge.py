"""Running cases in processes of their own, opening what they have left, and making a failure small."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.node import SyncJsPeer

__all__ = ["Result", "judged", "shrunk"]

_TESTS = Path(__file__).resolve().parents[2]
_LONGEST_S = 600.0
_TRIES = 60  # runs that are spent on making one failure small
# Yjs throws where it collects a key's value of several clocks that is not deleted, as nobody honest writes.
_KNOWN = ("Unexpected case", "at Item.gc ")


@dataclass
class Result:
    """What came of a seed.

    Attributes:
        counts: What became of its cases.
        wrong: What must not happen, or ``None``.
    """

    counts: dict[str, int]
    wrong: str | None


def _python(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=_TESTS,
        env={**os.environ, "PYTHONPATH": str(_TESTS), "RUST_BACKTRACE": "0"},
        input=said,
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )


def judged(
    side: str,
    seed: str,
    count: int,
    *,
    js: SyncJsPeer | None = None,
    keep: Sequence[int] | None = None,
    lost: str | None = None,
) -> Result:
    """Send the cases of a seed, or those of them whose numbers are given, and look at what they have left.

    Args:
        side: ``yjs``, ``automerge`` or ``mergeable``.
        seed: Of the cases.
        count: How many are drawn.
        js: Reads the rooms too, where it is given.
        keep: Which of them are sent.
        lost: What is looked for as if it had been written: a test of the tests.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder) / "rooms.sqlite3")
        kept = [] if keep is None else [",".join(map(str, keep))]
        done = _python("fuzz.live.child", side, seed, str(count), place, *kept)
        if done.returncode:
            return Result({}, f"exit code {done.returncode}\n{done.stderr[-3000:]}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        if "wrong" in found:
            return Result({}, found["wrong"])
        if lost is not None:
            found["rooms"][0]["cells"][lost] = 1
        database = {"place": place, "rooms": found["rooms"]}
        opened = _python("fuzz.live.check", said=json.dumps([database]))
        if opened.returncode:
            return Result(found["counts"], f"not opened: {opened.returncode}\n{opened.stderr[-3000:]}")
        contents = json.loads(opened.stdout.splitlines()[-1])
        return Result(found["counts"], None if js is None else _read_by_yjs(js, contents))


def _read_by_yjs(js: SyncJsPeer, contents: Sequence[str]) -> str | None:
    for read in js("update.load", lists=[[base64.b64decode(content)] for content in contents]):
        error = read.get("error", "")
        if error and not all(part in error for part in _KNOWN):
            return f"Yjs does not load a room: {error}"
    return None


def shrunk(side: str, seed: str, count: int, *, js: SyncJsPeer | None = None) -> list[int]:
    """Leave out cases that are not needed for something to be wrong; the numbers of the others."""
    kept, tries = list(range(count)), 0
    size = max(1, count // 2)
    while tries < _TRIES:
        at, shorter = 0, False
        while at < len(kept) and tries < _TRIES:
            rest = kept[:at] + kept[at + size :]
            tries += 1
            if rest and judged(side, seed, count, js=js, keep=rest).wrong is not None:
                kept, shorter = rest, True
            else:
                at += size
        if size == 1 and not shorter:
            break
        size = max(1, size // 2)
    return kept
