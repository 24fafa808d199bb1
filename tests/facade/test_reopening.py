"""Two that would write under one client id: a second process, and a machine that was set back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import weft
from weft.errors import ReplicaInUseError

if TYPE_CHECKING:
    from pathlib import Path

HOLDS = """
import asyncio, sys, weft

async def main():
    async with weft.connect(sys.argv[1], offline=sys.argv[2], on_error=lambda error: None) as store:
        store.set_value("of", "the first")
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


def test_a_second_process_on_one_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "farm.weft"
    command = [sys.executable, "-c", HOLDS, "ws://127.0.0.1:9/farm", str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == b"open\n"
            with pytest.raises(
                ReplicaInUseError, match=r"open already, in another process.*a file of its own"
            ):
                asyncio.run(weft.connect("ws://127.0.0.1:9/farm", offline=file).start())
            second = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            assert second.returncode == 1
            assert b"weft.errors.storage.ReplicaInUseError" in second.stderr
        finally:
            first.kill()  # which lets go of it
    with weft.open(file) as store:
        assert store.get_values() == {"of": "the first"}
