"""The command line, run as its users run it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def weft(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    # Without -X dev, in which asyncio remarks on a slow machine.
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "weft", *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        **options,
    )


def first_lines(folder: Path, count: int, *options: str) -> list[str]:
    """What ``weft serve`` says when it starts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "weft", "serve", "--port", "0", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(count)]
    process.terminate()
    process.communicate(timeout=20)
    return lines
