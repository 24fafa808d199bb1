"""``weft serve`` as its users run it: a process of its own."""

from __future__ import annotations

import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Self

from support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

__all__ = ["WeftServe", "complaints"]

_START_S = 20.0
_STOP_S = 20.0


def complaints(stderr: str) -> str:
    """What a process that has a server wrote there, but for stalls: of those a busy machine has its own."""
    return "".join(line for line in stderr.splitlines(keepends=True) if "(max_stall)" not in line)


class WeftServe:
    """A server process on a free loopback port, to which it may come back. Use as a context manager."""

    def __init__(
        self, db: Path | str, *options: str, port: int | None = None, program: Sequence[str] = ("-m", "weft")
    ) -> None:
        port = free_port() if port is None else port
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, *program, "serve", "--port", str(port), "--db", str(db), *options],
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        self.port = self._read_port()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def url(self) -> str:
        """The server's address without a room."""
        return f"ws://127.0.0.1:{self.port}"

    def read_operations(self) -> str:
        """The address of health, readiness and metrics, which it prints after the first lines."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if match := re.search(r"metrics are at (http://\S+)\.$", line):
                return match[1]
        raise AssertionError("it has none")

    def _read_port(self) -> int:
        assert self._process.stdout is not None
        deadline = time.monotonic() + _START_S
        seen = ""
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self._process.stdout], [], [], deadline - time.monotonic())
            line = self._process.stdout.readline() if ready else ""
            if not line:
                break
            seen += line
            if match := re.search(r"ws://[\d.]+:(\d+)", line):
                return int(match[1])
        self.kill()
        raise AssertionError(f"weft serve did not start:\n{seen}{self._complaints()}")

    def _complaints(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")

    @property
    def log(self) -> str:
        """What it has written to its standard error."""
        return self._complaints()

    def close_output(self) -> None:
        """Read no more of what it prints: its next line goes into a pipe without a reader."""
        assert self._process.stdout is not None
        self._process.stdout.close()

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it as a service manager does, and expect it to go in good order.

        Raises:
            AssertionError: It did not end, or ended with a failure.
        """
        code = self.end()
        assert code == 0, f"weft serve ended with {code}:\n{self._complaints()}"

    def end(self) -> int:
        """End it as a service manager does; gives the exit code.

        Raises:
            AssertionError: It did not end.
        """
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"weft serve did not stop:\n{self._complaints()}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._process.poll() is None:
                self.stop()
        finally:
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._stderr.close()
